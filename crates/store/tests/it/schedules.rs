//! Schedules: what becomes of their slots, one process at a time.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use jobs::{ScheduleId, State};
use schedule::{CatchUp, CatchUpRule, Cron, Overlap, Zone};
use serde_json::{Value, json};
use store::{
    schedules::{self, Changed, Created, Fire, Ran, Round, Schedule, Wanted},
    submit::{Answer, Idempotency},
};

use testkit::eventually;

use crate::world::{World, done};

/// Schedules a tenant may have here.
const MAX: i64 = 5;

pub(crate) fn wanted(name: &str, cron: &str) -> Wanted {
    Wanted {
        name: name.to_owned(),
        cron: Cron::parse(cron).unwrap(),
        zone: Zone::UTC,
        kind: "probe.work",
        kind_version: 2,
        args: json!({"echo": name}),
        queue: None,
        priority: None,
        max_attempts: Some(7),
        tags: vec!["nightly".to_owned()],
        metadata: Some(json!({"owner": "ops"})),
        overlap: Overlap::Allow,
        catch_up: CatchUpRule { policy: CatchUp::One, slots_max: 10, age_s: 604_800 },
    }
}

/// A moment of every day that is half a day away, so that its slots are either missed or still to come.
pub(crate) fn far_from_now() -> String {
    format!("0 {} * * *", (Utc::now().hour() + 12) % 24)
}

fn answer(schedule: &Schedule) -> Answer {
    Answer::of(201, None, &json!({"id": schedule.id(), "version": schedule.version}))
}

impl World {
    pub(crate) async fn create(&self, wanted: &Wanted) -> Created {
        schedules::create(&self.api, self.tenant, wanted, "key_1", MAX, None, answer).await.unwrap()
    }

    pub(crate) async fn schedule(&self, wanted: &Wanted) -> ScheduleId {
        let created = self.create(wanted).await;
        let Created::New(answer) = &created else { unreachable!("{created:?}") };
        serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    pub(crate) async fn stands(&self, id: ScheduleId) -> Schedule {
        schedules::get(&self.api, self.tenant, id).await.unwrap().unwrap()
    }

    /// Lets the next slot of every schedule have been `back` before the last whole second.
    pub(crate) async fn be_late(&self, back: &str) {
        self.alter(&format!("next_fire_at = date_trunc('second', now()) - interval '{back}'")).await;
    }

    pub(crate) async fn alter(&self, change: &str) {
        let sql = format!("with x as (update schedule set {change} returning 1) select count(*) from x");
        self.database.number(&sql).await.unwrap();
    }

    pub(crate) async fn fire(&self) -> Round {
        schedules::fire_due(&self.worker).await.unwrap()
    }

    /// Outcomes by slot, oldest first.
    async fn history(&self, id: ScheduleId) -> Vec<Fire> {
        let mut fires =
            schedules::fires(&self.api, self.tenant, id, None, 1_000).await.unwrap().expect("it is there");
        fires.reverse();
        fires
    }

    async fn outcomes(&self, id: ScheduleId) -> Vec<String> {
        self.history(id).await.into_iter().map(|fire| fire.outcome).collect()
    }
}

#[tokio::test]
async fn a_slot_becomes_a_job_with_everything_that_was_asked_for() {
    let world = World::new().await;
    let id = world.schedule(&wanted("report", "* * * * * *")).await;
    let fresh = world.stands(id).await;
    assert!(fresh.next_fire_at.unwrap() > fresh.created_at && fresh.last_fire_at.is_none());
    world.alter("next_fire_at = date_trunc('second', now())").await;
    let round = world.fire().await;
    let first = &round.fired[0];
    assert_eq!((first.outcome, first.schedule, round.set_aside.is_none()), ("enqueued", id, true));
    let job = world.job(first.job.unwrap()).await;
    assert_eq!(
        (job.kind.as_str(), job.args.0.inline().unwrap()["echo"].as_str()),
        ("probe.work", Some("report"))
    );
    assert_eq!((job.max_attempts, job.priority, job.queue.as_str()), (7, 2, "default"));
    assert_eq!((job.tags, job.metadata.unwrap().0), (Some(vec!["nightly".into()]), json!({"owner": "ops"})));
    assert_eq!(job.scheduled_at, first.slot, "the handler finds its slot there");
    let stands = world.stands(id).await;
    assert_eq!(stands.last_fire_at, round.fired.last().map(|fired| fired.slot));
    assert!(stands.next_fire_at > stands.last_fire_at && stands.version == 1);
    assert!(schedules::next_due(&world.worker).await.unwrap().unwrap().as_secs() <= 1);
}

#[tokio::test]
async fn what_was_missed_is_dropped_or_made_up_for() {
    let world = World::new().await;
    let mut ids = Vec::new();
    let daily = far_from_now();
    for (name, policy, slots_max, age_s) in [
        ("none", CatchUp::None, 10, 604_800),
        ("one", CatchUp::One, 10, 604_800),
        ("all", CatchUp::All, 10, 604_800),
        ("two", CatchUp::All, 2, 604_800),
        ("young", CatchUp::All, 10, 2 * 86_400),
    ] {
        let catch_up = CatchUpRule { policy, slots_max, age_s };
        ids.push(world.schedule(&Wanted { catch_up, ..wanted(name, &daily) }).await);
    }
    // The next is half a day ahead, so the latest was half a day ago.
    world.alter("next_fire_at = next_fire_at - interval '4 days'").await;
    let round = world.fire().await;
    assert!(!round.is_full);
    let mut jobs = Vec::new();
    for id in &ids {
        let history = world.history(*id).await;
        let missed = history.iter().find(|fire| fire.outcome == "missed");
        let until = missed.map(|missed| (missed.through.unwrap_or(missed.slot) - missed.slot).num_days() + 1);
        jobs.push((until, history.iter().filter(|fire| fire.job().is_some()).count()));
        assert!(world.stands(*id).await.next_fire_at.unwrap() > Utc::now());
    }
    assert_eq!(jobs, [(Some(4), 0), (Some(3), 1), (None, 4), (Some(2), 2), (Some(2), 2)]);
    assert_eq!(world.claim(100).await.len(), 9);
    assert!(world.fire().await.fired.is_empty());
}

#[tokio::test]
async fn a_job_that_has_not_ended_is_respected_or_cancelled() {
    let world = World::new().await;
    let every_second = |name: &str, overlap| Wanted { overlap, ..wanted(name, "* * * * * *") };
    let skip = world.schedule(&every_second("skip", Overlap::Skip)).await;
    world.alter("next_fire_at = date_trunc('second', now()) - interval '2 s'").await;
    world.fire().await;
    let outcomes = world.outcomes(skip).await;
    assert_eq!(
        outcomes[..3],
        ["enqueued", "skipped_overlap", "skipped_overlap"],
        "the oldest slot has the job"
    );
    let claimed = world.claim_one().await;
    world.be_late("0 s").await;
    world.fire().await;
    assert!(
        world.outcomes(skip).await[3..].iter().all(|outcome| outcome == "skipped_overlap"),
        "while it runs"
    );
    assert!(world.settle(&claimed, done()).await);
    world.alter("next_fire_at = (select max(slot) + interval '1 s' from schedule_fire)").await;
    until_fired(&world, skip, "enqueued", 2).await;
    schedules::remove(&world.api, world.tenant, skip).await.unwrap();

    let cancel = world.schedule(&every_second("cancel", Overlap::CancelPrevious)).await;
    world.be_late("2 s").await;
    world.fire().await;
    let first = world.history(cancel).await;
    let outcomes: Vec<_> = first.iter().map(|fire| fire.outcome.as_str()).collect();
    assert_eq!(outcomes[..2], ["skipped_overlap", "skipped_overlap"], "each is superseded by the next");
    let waiting = first.last().unwrap().job().unwrap();
    until_fired(&world, cancel, "enqueued", 2).await;
    assert_eq!(world.state(waiting).await, State::Cancelled);
    assert_eq!(world.job(waiting).await.error.unwrap().0["code"], "superseded");

    // Every waiting job of both schedules goes to a worker; the one that runs is told to stop.
    let running: Vec<_> = world.claim(100).await;
    assert!(!running.is_empty());
    until_fired(&world, cancel, "enqueued", 3).await;
    let told =
        world.job(world.history(cancel).await.iter().rev().filter_map(Fire::job).nth(1).unwrap()).await;
    assert!(told.cancel_requested_at.is_some(), "{told:?}");
}

/// Fires until `outcome` has come `times`.
async fn until_fired(world: &World, id: ScheduleId, outcome: &str, times: usize) {
    eventually("a slot to come", std::time::Duration::from_secs(20), || async {
        world.fire().await;
        let outcomes = world.outcomes(id).await;
        (outcomes.iter().filter(|found| *found == outcome).count() >= times).then_some(())
    })
    .await;
}

#[tokio::test]
async fn slots_in_a_pause_are_told_and_get_no_jobs() {
    let world = World::new().await;
    let id = world.schedule(&wanted("held", &far_from_now())).await;
    let paused =
        schedules::pause(&world.api, world.tenant, id, "stocktaking", "key_2").await.unwrap().unwrap();
    assert_eq!(
        (paused.pause_reason.as_deref(), paused.paused_by.as_deref()),
        (Some("stocktaking"), Some("key_2"))
    );
    world.alter("next_fire_at = next_fire_at - interval '5 days'").await;
    assert_eq!((world.fire().await.fired, schedules::next_due(&world.worker).await.unwrap()), (vec![], None));
    let resumed = schedules::resume(&world.api, world.tenant, id, "key_3").await.unwrap().unwrap();
    assert!(resumed.paused_at.is_none() && resumed.next_fire_at.unwrap() > resumed.read_at);
    assert_eq!((resumed.version, resumed.updated_by.as_str()), (3, "key_3"));
    let history = world.history(id).await;
    assert_eq!((history.len(), history[0].outcome.as_str()), (1, "paused"));
    assert_eq!(history[0].through.unwrap() - history[0].slot, TimeDelta::days(4));
    assert!(world.fire().await.fired.is_empty() && world.claim(10).await.is_empty());
    let again = schedules::resume(&world.api, world.tenant, id, "key_4").await.unwrap().unwrap();
    assert_eq!(again.version, 3, "there was nothing to resume");
}

#[tokio::test]
async fn a_run_by_hand_does_not_move_the_slots() {
    let world = World::new().await;
    let id = world.schedule(&Wanted { overlap: Overlap::Skip, ..wanted("report", "@daily") }).await;
    schedules::pause(&world.api, world.tenant, id, "off", "key_1").await.unwrap();
    let before = world.stands(id).await.next_fire_at;
    let run_now = async || {
        let run = |run: &schedules::Run| Answer::of(202, None, &json!({"job": run.job}));
        schedules::run_now(&world.api, world.tenant, id, "key_9", None, None, run).await.unwrap()
    };
    for _ in 0..2 {
        assert!(matches!(run_now().await, Ran::Now(_)));
    }
    assert_eq!(world.stands(id).await.next_fire_at, before);
    let history = world.history(id).await;
    let told: Vec<_> = history.iter().map(|fire| (fire.outcome.as_str(), fire.fired_by.as_deref())).collect();
    assert_eq!(told, [("manual", Some("key_9")); 2]);
    assert!(history.iter().all(|fire| fire.slot.timestamp_subsec_nanos() > 0));
    assert_eq!(world.claim(10).await.len(), 2);
    world.alter("args = '{\"work_ms\": 700000}'").await;
    let Ran::Refused(reason) = run_now().await else { panic!("it was run") };
    assert!(reason.starts_with("/args/work_ms"), "{reason}");
}

#[tokio::test]
async fn one_that_cannot_be_fired_does_not_hold_up_the_others() {
    let world = World::new().await;
    let broken = world.schedule(&wanted("broken", &far_from_now())).await;
    let refused = world.schedule(&wanted("refused", &far_from_now())).await;
    let unknown = world.schedule(&wanted("unknown", &far_from_now())).await;
    let well = world.schedule(&wanted("well", &far_from_now())).await;
    world.alter("next_fire_at = next_fire_at - interval '1 day'").await;
    world.alter("cron = 'whenever' , name = 'broken2', next_fire_at = next_fire_at - interval '1 day' where name = 'broken'").await;
    world.alter("args = '{\"work_ms\": -1}' where name = 'refused'").await;
    world.alter("kind = 'of.tomorrow' where name = 'unknown'").await;
    let round = world.fire().await;
    assert_eq!(round.set_aside.map(|(id, _)| id), Some(broken));
    let reason = world.stands(broken).await.pause_reason.unwrap();
    assert!(reason.contains("whenever") && world.stands(broken).await.paused_by.unwrap() == "crewline");
    world.fire().await;
    assert_eq!(world.outcomes(well).await, ["enqueued"]);
    let history = world.history(refused).await;
    assert_eq!(history[0].outcome, "refused");
    assert!(history[0].reason.as_ref().unwrap().starts_with("/args/work_ms"), "{history:?}");
    assert!(world.outcomes(unknown).await.is_empty(), "left to a version that knows the kind");
    assert!(world.fire().await.fired.is_empty());
    let due = schedules::next_due(&world.worker).await.unwrap().unwrap();
    assert!(due.as_secs() > 0, "nobody is woken for what nobody here can do");
}

#[tokio::test]
async fn names_numbers_versions_and_keys_are_kept_apart() {
    let world = World::new().await;
    let id = world.schedule(&wanted("a", "@daily")).await;
    assert_eq!(world.create(&wanted("a", "@hourly")).await, Created::NameTaken);
    for name in ["b", "c", "d", "e"] {
        world.schedule(&wanted(name, "@daily")).await;
    }
    assert_eq!(world.create(&wanted("f", "@daily")).await, Created::TooMany);
    let change = async |version, wanted: Wanted| {
        schedules::change(&world.api, world.tenant, id, version, &wanted, "key_2").await.unwrap()
    };
    assert!(matches!(change(1, wanted("b", "@daily")).await, Changed::NameTaken));
    assert!(matches!(change(2, wanted("a", "@daily")).await, Changed::Meanwhile));
    let before = world.stands(id).await;
    let Changed::Done(renamed) = change(1, wanted("z", "@daily")).await else { panic!("it was refused") };
    assert_eq!((renamed.version, renamed.next_fire_at), (2, before.next_fire_at), "the times stay");
    let Changed::Done(moved) = change(2, wanted("z", "* * * * * *")).await else { panic!("it was refused") };
    assert!(moved.next_fire_at.unwrap() - moved.updated_at <= TimeDelta::seconds(1));

    let other = world.tenant("other").await;
    assert!(schedules::get(&world.api, other, id).await.unwrap().is_none());
    assert!(schedules::fires(&world.api, other, id, None, 10).await.unwrap().is_none());
    assert!(!schedules::remove(&world.api, other, id).await.unwrap());
    assert!(schedules::pause(&world.api, other, id, "x", "x").await.unwrap().is_none());
    assert_eq!(schedules::list(&world.api, other, None, 10).await.unwrap().len(), 0);
    let page = schedules::list(&world.api, world.tenant, None, 2).await.unwrap();
    let rest = schedules::list(&world.api, world.tenant, Some(page[1].id()), 10).await.unwrap();
    assert_eq!((page.len(), rest.len(), page[0].name.as_str()), (2, 3, "e"));
    assert!(schedules::remove(&world.api, world.tenant, id).await.unwrap());
    assert!(!schedules::remove(&world.api, world.tenant, id).await.unwrap());
}

#[tokio::test]
async fn a_key_makes_one_schedule() {
    let world = World::new().await;
    let key = |fingerprint: u8| Idempotency {
        key: "k".to_owned(),
        route: "POST /v1/schedules",
        fingerprint: [fingerprint; 32],
        expires_at: Utc::now() + TimeDelta::hours(1),
    };
    let create = async |key: Idempotency, name: &str| {
        let wanted = wanted(name, "@daily");
        schedules::create(&world.api, world.tenant, &wanted, "key_1", MAX, Some(&key), answer).await.unwrap()
    };
    let Created::New(first) = create(key(1), "a").await else { panic!("it was refused") };
    assert_eq!(create(key(1), "a").await, Created::Replayed(first));
    assert_eq!(create(key(2), "b").await, Created::Mismatch);
    let free = Idempotency { key: "other".to_owned(), ..key(1) };
    assert_eq!(create(free.clone(), "a").await, Created::NameTaken);
    assert!(matches!(create(free, "b").await, Created::New(_)), "a refusal does not use up the key");
}

#[tokio::test]
async fn old_fires_are_forgotten() {
    let world = World::new().await;
    let id = world.schedule(&wanted("a", "* * * * * *")).await;
    world.be_late("10 s").await;
    world.fire().await;
    let today = Utc::now().date_naive();
    assert_eq!(schedules::prune(&world.worker, today - chrono::Days::new(1)).await.unwrap(), 0);
    let forgotten = schedules::prune(&world.worker, today + chrono::Days::new(2)).await.unwrap();
    assert!(forgotten >= 11 && world.outcomes(id).await.is_empty(), "{forgotten}");
}

/// What a client reads, so that a slot is never taken for another.
#[tokio::test]
async fn slots_are_stored_to_the_second() {
    let world = World::new().await;
    let id = world.schedule(&wanted("a", "*/7 * * * * *")).await;
    world.alter("next_fire_at = date_trunc('minute', now())").await;
    world.fire().await;
    let slots: Vec<DateTime<Utc>> = world.history(id).await.iter().map(|fire| fire.slot).collect();
    assert!(
        slots.iter().all(|slot| slot.second() % 7 == 0 && slot.timestamp_subsec_nanos() == 0),
        "{slots:?}"
    );
    assert_ne!(json!(slots), Value::Null);
}
