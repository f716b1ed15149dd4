//! F13: whoever fires schedules is killed around every second; and nobody was there for hours.

use std::time::{Duration, Instant};

use chrono::{DateTime, Timelike, Utc};
use rand::Rng;
use serde_json::{Value, json};

use super::Ended;
use crate::{client::Client, figure::Figure, load::Book, slots, stage::Stage, world::World};

const WORKERS: usize = 3;
const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=16"];
/// Kills come this long before a slot to this long after it, in turn.
const AROUND_MS: i64 = 150;
const STEP_MS: i64 = 25;
const SOON: Duration = Duration::from_secs(30);
/// Slots of each schedule for which nobody was there, by the hour, and how many of them "all" makes up for.
const MISSED: usize = 10;
const CAUGHT_UP_MAX: usize = 5;

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let lasts = stage.pace.seconds(6, 60, 7_200);
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let mut workers = world.workers(WORKERS, &SLOTS).await?;
    let pulse = slots::schedule(&client, "pulse", &json!({ "cron": "* * * * * *" })).await?;
    stage.say("a slot a second; each of three processes may fire it, and one of them dies");
    let (began, mut kills, mut phase_ms) = (Instant::now(), 0, -AROUND_MS);
    while began.elapsed() < lasts {
        tokio::time::sleep(until_slot(phase_ms)).await;
        world.kill(workers.swap_remove(rand::rng().random_range(0..workers.len())));
        workers.push(world.worker(&SLOTS)?);
        kills += 1;
        phase_ms = if phase_ms >= AROUND_MS { -AROUND_MS } else { phase_ms + STEP_MS };
    }
    slots::pause(&client, &pulse).await?;
    world.quiet(SOON * 4).await?;
    let mut figures = vec![Figure::tell("kills", kills)];
    let missed = "select count(*) from schedule_fire where outcome <> 'enqueued'";
    figures.push(Figure::none("slots that were missed", world.number(missed).await?));
    figures.extend(slots::figures(&world, "pulse").await?);
    drop(workers);
    figures.extend(caught_up(stage, &world, &client).await?);
    let mut all = world.audit(&Book::default(), SOON * 4).await?;
    all.extend(figures);
    Ok(Ended::Seen(all))
}

/// How long until so many milliseconds after the next second but one begins, so that it is never too late.
fn until_slot(phase_ms: i64) -> Duration {
    let into_ms = i64::from(Utc::now().timestamp_subsec_millis());
    let wait_ms = 1_000 - into_ms + phase_ms;
    Duration::from_millis(
        u64::try_from(if wait_ms < 100 { wait_ms + 1_000 } else { wait_ms }).unwrap_or_default(),
    )
}

/// Three schedules for which nobody was there for hours: they are set back by hand while no worker runs.
async fn caught_up(stage: &Stage, world: &World, client: &Client) -> anyhow::Result<Vec<Figure>> {
    stage.say("slots that were missed, with each rule");
    // Half an hour from now: no slot of theirs comes meanwhile.
    let minute = (Utc::now().minute() + 30) % 60;
    let rule = |catch_up: &str| json!({ "cron": format!("{minute} * * * *"), "catch_up": catch_up, "catch_up_max": CAUGHT_UP_MAX, "catch_up_age_s": 86_400 });
    for catch_up in ["none", "one", "all"] {
        slots::schedule(client, catch_up, &rule(catch_up)).await?;
    }
    let back = format!(
        "update schedule set next_fire_at = next_fire_at - interval '{MISSED} hours' where name in ('none', 'one', 'all')"
    );
    world.database.execute(&back).await?;
    let _workers = world.workers(WORKERS, &SLOTS).await?;
    let decided =
        "select count(*) from schedule where name in ('none', 'one', 'all') and next_fire_at > now()";
    world.reaches("the slots to be decided about", decided, 3, SOON).await?;
    world.quiet(SOON).await?;
    let mut figures = Vec::new();
    for (catch_up, wanted) in [("none", 0), ("one", 1), ("all", CAUGHT_UP_MAX)] {
        let newest = newest(world, catch_up).await?;
        figures.push(Figure::be(format!("made up for by \"{catch_up}\", newest first"), newest, wanted));
    }
    Ok(figures)
}

/// How many of the newest slots got a job, up to the first that did not; a job for an older one is one too many.
async fn newest(world: &World, name: &str) -> anyhow::Result<usize> {
    let fires = world
        .database
        .json(&format!(
            "select coalesce(json_agg((extract(epoch from slot))::bigint order by slot desc), '[]') from schedule_fire f
             join schedule s on s.id = f.schedule_id where s.name = '{name}' and f.job_id is not null"
        ))
        .await?;
    let slots: Vec<i64> = fires.as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    let is_newest = slots
        .first()
        .and_then(|slot| DateTime::from_timestamp(*slot, 0))
        .is_none_or(|slot| Utc::now() - slot < chrono::TimeDelta::hours(1));
    let follow = slots.windows(2).all(|pair| pair[0] - pair[1] == 3_600);
    anyhow::ensure!(is_newest && follow, "\"{name}\" made up for others than the newest: {slots:?}");
    Ok(slots.len())
}
