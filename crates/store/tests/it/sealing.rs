//! Encryption at rest: what a row shows, who can read it, and how keys change.

use chrono::{TimeDelta, Utc};
use jobs::{JobId, State, TenantId, kinds::probe_work::ProbeWork};
use serde_json::{Value, json};
use store::{
    Db, Role, StoreError,
    enqueue::{self, NewJob},
    listing::Filter,
    looking_into::{self, Held},
    payload::Payload,
    reads,
    sealing::{self, MasterKeys, Rewrapped, Stale},
    submit::{Answer, Idempotency, Submission, Submitted, submit},
    verdict::Verdict,
};

use crate::{workflows::step, world::World};

const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const TWO: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
/// What must not be found anywhere.
const SECRET: &str = "rosebud";

impl World {
    /// With these master keys, as processes that were just started.
    fn given(self, present: &str, before: Option<&str>) -> Self {
        let fresh = |role| {
            let db = self.database.db(role).unwrap();
            db.with_masters(MasterKeys::parse(present, before).unwrap())
        };
        Self { api: fresh(Role::Api), worker: fresh(Role::Worker), owner: fresh(Role::Owner), ..self }
    }

    async fn encrypted() -> Self {
        let world = Self::new().await.given(ONE, None);
        assert!(sealing::encrypt(&world.owner, world.tenant).await.unwrap());
        world
    }

    /// Rows of `table` that show the secret.
    async fn shown(&self, table: &str) -> i64 {
        let sql = format!("select count(*) from {table} as x where x::text like '%{SECRET}%'");
        self.database.number(&sql).await.unwrap()
    }

    async fn forms(&self, column: &str) -> Value {
        let sql = format!("select coalesce(jsonb_agg({column}), '[]') from job");
        self.database.json(&sql).await.unwrap()
    }

    async fn echo(&self, job: JobId) -> Value {
        self.job(job).await.args.0.inline().unwrap()["echo"].clone()
    }
}

fn secret() -> NewJob {
    NewJob::of(&ProbeWork { echo: SECRET.into(), ..ProbeWork::default() }).unwrap()
}

fn left() -> Verdict {
    Verdict::Completed { result: json!({"echo": SECRET}).into() }
}

#[tokio::test]
async fn rows_of_an_encrypted_tenant_show_nothing_and_its_readers_see_no_difference() {
    let world = World::encrypted().await;
    let id = world.enqueue(secret()).await;
    assert_eq!((world.shown("job").await, world.echo(id).await), (0, json!(SECRET)));
    let claimed = world.claim_one().await;
    assert_eq!(claimed.args.inline().unwrap()["echo"], SECRET);
    assert!(world.settle(&claimed, left()).await);
    assert_eq!(world.shown("attempt").await, 0);
    let job = world.job(id).await;
    assert_eq!(job.result.unwrap().0, json!({"echo": SECRET}).into());
    assert_eq!(job.args.0.inline().unwrap()["echo"], SECRET);

    // Begun again, its arguments are read from what history kept.
    store::retry::retry(&world.api, world.tenant, id).await.unwrap();
    assert_eq!(world.claim_one().await.args.inline().unwrap()["echo"], SECRET);

    let other = world.tenant("other").await;
    let plain = secret();
    world.enqueue_all(other, std::slice::from_ref(&plain)).await;
    assert_eq!(world.shown("job").await, 1, "a tenant that did not ask for it is not encrypted");
    let lists = reads::get(&world.api, other, plain.id).await.unwrap().unwrap();
    assert_eq!(lists.args.0, plain.args);
}

#[tokio::test]
async fn answers_that_are_kept_and_steps_that_wait_are_sealed_too() {
    let world = World::encrypted().await;
    let key = Idempotency {
        key: "k".into(),
        route: "r",
        fingerprint: [7; 32],
        expires_at: Utc::now() + TimeDelta::hours(1),
    };
    let answer = Answer::of(202, None, &json!({"args": {"echo": SECRET}}));
    let submission = Submission { jobs: vec![secret()], idempotency: Some(key), answer: answer.clone() };
    let mut kept = Vec::new();
    for _ in 0..2 {
        let submissions = std::slice::from_ref(&submission);
        let submitted =
            submit(&world.api, world.tenant, submissions, |_, _, _| answer.clone()).await.unwrap();
        kept.extend(submitted);
    }
    assert!(matches!(&kept[1], Submitted::Replayed(again) if again.body == answer.body));
    assert_eq!((world.shown("idempotency").await, world.shown("job").await), (0, 0));
    world.claim(1).await;

    let mut second = step("second", &[0], 1);
    second.spec.args = vec![json!({"echo": {"$result_of": "first", "pointer": "/echo"}, "ballast": SECRET})];
    world.begin_workflow(vec![step("first", &[], 1), second]).await;
    assert_eq!(world.shown("workflow_step").await, 0);
    world.run(|_| left()).await;
    let args = world.claim_one().await.args.inline().unwrap().clone();
    assert_eq!((&args["echo"], &args["ballast"]), (&json!(SECRET), &json!(SECRET)));
    assert_eq!((world.shown("job").await, world.shown("attempt").await), (0, 0));
}

#[tokio::test]
async fn a_process_without_the_key_reads_nothing_writes_nothing_and_says_so() {
    let world = World::encrypted().await;
    let id = world.enqueue(secret()).await;
    for role in [Role::Api, Role::Worker] {
        let without = world.database.db(role).unwrap();
        for db in [without.clone(), without.with_masters(MasterKeys::parse(TWO, None).unwrap())] {
            let told = sealing::check(&db).await.unwrap_err();
            assert!(matches!(told, StoreError::NoMasterKey { .. }), "{told}");
            assert!(told.to_string().contains("CREWLINE_MASTER_KEY"));
            let read = reads::get(&db, world.tenant, id).await.unwrap_err();
            assert!(matches!(read, StoreError::NoMasterKey { .. }), "{read}");
            let mut tx = db.tenant(world.tenant).await.unwrap();
            let written = enqueue::insert(&db, &mut tx, world.tenant, &[secret()]).await.unwrap_err();
            assert!(matches!(written, StoreError::NoMasterKey { .. }), "{written}");
        }
    }
    assert_eq!(world.shown("job").await, 0);
    let without = World { worker: world.database.db(Role::Worker).unwrap(), ..world };
    let claimed = without.claim_one().await;
    assert!(matches!(claimed.args, Payload::Unopened(_)), "left to a process that can");
}

#[tokio::test]
async fn a_result_is_not_kept_plain_when_the_key_is_missing() {
    let world = World::new().await;
    let id = world.enqueue(secret()).await;
    let claimed = world.claim_one().await;
    let with = world.database.db(Role::Owner).unwrap().with_masters(MasterKeys::parse(ONE, None).unwrap());
    sealing::encrypt(&with, world.tenant).await.unwrap();
    // This process has learned of it: as every process does within seconds.
    let fresh = world.database.db(Role::Worker).unwrap();
    let settle = store::verdict::Settle::of(&claimed, left());
    let refused = store::settle::settle(&fresh, &[settle], &[]).await.unwrap_err();
    assert!(matches!(refused, StoreError::NoMasterKey { .. }), "{refused}");
    assert_eq!((world.shown("attempt").await, world.state(id).await), (0, State::Running));
}

#[tokio::test]
async fn what_is_sealed_opens_in_its_place_only() {
    let world = World::encrypted().await;
    let (mine, target) = (world.enqueue(secret()).await, world.enqueue(secret()).await);
    let move_args = format!(
        "update job set args = (select args from job where id = '{}') where id = '{}'",
        mine.as_uuid(),
        target.as_uuid()
    );
    world.database.execute(&move_args).await.unwrap();
    let moved = reads::get(&world.api, world.tenant, target).await.unwrap_err();
    assert!(matches!(moved, StoreError::Undecipherable { .. }), "{moved}");
    let broken = world.claim(10).await;
    let opened: Vec<bool> = broken.iter().map(|job| job.args.inline().is_some()).collect();
    assert_eq!(opened, [true, false], "one that was tampered with costs the other nothing");

    // Nor does a row of another tenant's, keys and all.
    let thief = world.tenant("thief").await;
    sealing::encrypt(&world.owner, thief).await.unwrap();
    let steal = format!("update job set tenant_id = '{}' where id = '{}'", thief.as_uuid(), mine.as_uuid());
    world.database.execute(&steal).await.unwrap();
    let fresh = world.given(ONE, None);
    let stolen = reads::get(&fresh.worker, thief, mine).await.unwrap_err();
    assert!(matches!(stolen, StoreError::Undecipherable { .. }), "{stolen}");
}

#[tokio::test]
async fn keys_change_and_what_was_sealed_before_stays_readable() {
    let world = World::encrypted().await;
    assert!(!sealing::encrypt(&world.owner, world.tenant).await.unwrap(), "it is already");
    let first = world.enqueue(secret()).await;
    assert_eq!(world.forms("args -> 'under'").await, json!([1]));
    let rotated = sealing::rotate(&world.owner, world.tenant).await.unwrap().unwrap();
    assert_eq!(rotated, Rewrapped { newest: 2, rewrapped: 0 });
    let world = world.given(ONE, None);
    let second = world.enqueue(secret()).await;
    assert_eq!(world.forms("args -> 'under' order by id").await, json!([1, 2]));
    assert_eq!((world.echo(first).await, world.echo(second).await), (json!(SECRET), json!(SECRET)));

    // A new master key: every process has both, the keys are wrapped anew, and the old one can go.
    let world = world.given(TWO, Some(ONE));
    sealing::check(&world.api).await.unwrap();
    let rotated = sealing::rotate(&world.owner, world.tenant).await.unwrap().unwrap();
    assert_eq!(rotated, Rewrapped { newest: 3, rewrapped: 2 });
    let world = world.given(TWO, None);
    sealing::check(&world.api).await.unwrap();
    for job in [first, second] {
        assert_eq!(world.echo(job).await, SECRET);
    }
    let old = world.database.db(Role::Api).unwrap().with_masters(MasterKeys::parse(ONE, None).unwrap());
    assert!(matches!(sealing::check(&old).await, Err(StoreError::NoMasterKey { .. })));
    let plain = world.tenant("plain").await;
    assert_eq!(sealing::rotate(&world.owner, plain).await.unwrap(), None);
    let blind = Db::connect(&world.database.options(Role::Owner)).unwrap();
    assert!(matches!(sealing::rotate(&blind, world.tenant).await, Err(StoreError::NoMasterKey { .. })));
    assert!(matches!(sealing::encrypt(&blind, plain).await, Err(StoreError::NoMasterKey { .. })));
}

/// Reads page after page and writes what it found back.
async fn reseal(db: &Db, tenant: TenantId, newest: i32) -> usize {
    let (mut after, mut found) = (None, 0);
    loop {
        let page = sealing::stale(db, tenant, newest, after).await.unwrap();
        let anew = page.stale.into_iter().map(|stale| match stale {
            Stale::Row(job, args) => (job, args),
            Stale::Object(job, object) => (job, Payload::Object(object)),
        });
        let anew: Vec<(JobId, Payload)> = anew.collect();
        found += anew.len();
        assert_eq!(sealing::replace(db, tenant, &anew).await.unwrap(), anew.len() as u64);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn what_waits_is_sealed_anew_in_pages() {
    const JOBS: usize = 450;
    let world = World::new().await;
    let new: Vec<NewJob> = (0..JOBS).map(|_| secret()).collect();
    world.enqueue_all(world.tenant, &new).await;
    let other = world.tenant("other").await;
    world.enqueue_all(other, &[secret()]).await;
    let world = world.given(ONE, None);
    sealing::encrypt(&world.owner, world.tenant).await.unwrap();
    assert_eq!(world.shown("job").await, JOBS as i64 + 1);
    assert_eq!(reseal(&world.worker, world.tenant, 1).await, JOBS);
    assert_eq!(reseal(&world.worker, world.tenant, 1).await, 0);
    assert_eq!(world.shown("job").await, 1, "of the tenant that did not ask for it");

    sealing::rotate(&world.owner, world.tenant).await.unwrap();
    let world = world.given(ONE, None);
    let [encrypted] = sealing::encrypted(&world.worker).await.unwrap()[..] else { panic!("one is") };
    assert_eq!((encrypted.tenant, encrypted.newest, encrypted.is_everywhere), (world.tenant, 2, false));
    assert_eq!(reseal(&world.worker, world.tenant, 2).await, JOBS);
    assert_eq!(world.forms("distinct args -> 'under'").await, json!([2, null]));
    assert_eq!(world.echo(new[7].id).await, SECRET);
    let claimed = world.claim(9).await;
    assert!(claimed.len() == 9 && claimed.iter().all(|job| job.args.inline().is_some()), "and they run");
}

#[tokio::test]
async fn a_tenant_that_is_not_encrypted_costs_one_look_every_few_seconds() {
    const ROUNDS: usize = 40;
    /// What Postgres looked at by itself, when the table was made.
    const OWN: i64 = 3;
    let began = std::time::Instant::now();
    let world = World::new().await;
    for _ in 0..ROUNDS {
        world.enqueue(secret()).await;
        let claimed = world.claim_one().await;
        assert!(world.settle(&claimed, left()).await);
    }
    // Postgres counts what a connection did when it closes.
    world.api.close().await;
    world.worker.close().await;
    let looks = "select coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)::bigint from pg_stat_user_tables where relname = 'tenant_key'";
    let looks =
        testkit::eventually("the looks to be counted", std::time::Duration::from_secs(30), || async {
            Some(world.database.number(looks).await.unwrap()).filter(|looks| *looks > 0)
        })
        .await;
    let bound = OWN + 2 * (1 + began.elapsed().as_secs() as i64 / 10);
    assert!(looks <= bound, "{looks} looks at {ROUNDS} jobs, and {bound} would do");
}

#[tokio::test]
async fn arguments_that_are_sealed_are_looked_into_as_others_are() {
    let world = World::encrypted().await;
    let id = world.enqueue(secret()).await;
    assert_eq!(world.shown("job").await, 0);
    let look = async |text: &str| {
        let held = Held::new("echo", text);
        looking_into::list(&world.api, world.tenant, &Filter::default(), &held, 10).await.unwrap().jobs
    };
    let found = look(SECRET).await;
    assert_eq!((found.len(), found[0].id()), (1, id));
    assert!(look("other").await.is_empty());
}
