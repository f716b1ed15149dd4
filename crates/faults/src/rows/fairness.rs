//! F21: one tenant with a mountain of work, and twenty-five with a handful.

use std::time::{Duration, Instant};

use super::Ended;
use crate::{
    client::Client,
    figure::{Figure, percentile},
    ledger,
    load::{Book, submit_many, working},
    stage::Stage,
    world::World,
};

const SLOTS: usize = 16;
const SMALL_TENANTS: usize = 25;
const JOBS_EACH: usize = 10;
const WORK_MS: u32 = 200;
/// How much longer than alone the small ones may wait.
const RATIO_MAX: f64 = 2.0;
const BUSY_MIN_PERCENT: f64 = 95.0;

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let mountain = stage.pace.pick(1_000, 10_000, 1_000_000);
    let world = World::open(stage).await?;
    let big = world.tenant("mountain").await?;
    let mut small = Vec::new();
    for number in 0..SMALL_TENANTS {
        small.push(world.tenant(&format!("small-{number}")).await?);
    }
    let slots = format!("default={SLOTS}");
    let _workers = world.workers(1, &["--queues", "default", "--concurrency", &slots]).await?;
    let book = Book::default();

    stage.say("25 tenants with 10 jobs each, alone");
    let alone = wait_of_small(&world, &small, &book).await?;
    world.quiet(Duration::from_mins(2)).await?;

    stage.say(&format!("a tenant with {mountain} jobs"));
    submit_many(&big, &book, vec![working(WORK_MS); mountain]).await?;
    world.reaches("the mountain to be worked on", RUNNING, SLOTS, Duration::from_mins(1)).await?;
    stage.say("25 tenants with 10 jobs each, beside it");
    let beside = wait_of_small(&world, &small, &book).await?;

    stage.say("the mountain alone");
    let busy = busy_percent(&world, stage.pace.seconds(3, 20, 300)).await?;
    stage.say("many more slots for the rest");
    let _more = world.workers(1, &["--queues", "default", "--concurrency", "default=1000"]).await?;
    let mut figures = world.audit(&book, stage.pace.seconds(120, 300, 7_200)).await?;
    figures.extend([
        Figure::tell_time("wait p95 alone", alone),
        Figure::within("wait p95 beside the mountain", beside, alone.mul_f64(RATIO_MAX)),
        Figure::percent_at_least("slots the mountain keeps busy", busy, BUSY_MIN_PERCENT),
    ]);
    Ok(Ended::Seen(figures))
}

const RUNNING: &str = "select coalesce(sum(cardinality(job_ids)), 0)::bigint from lease";

/// Gives the small tenants their jobs, and answers how long the 95th of a hundred waited.
async fn wait_of_small(world: &World, small: &[Client], book: &Book) -> anyhow::Result<Duration> {
    let since = chrono::Utc::now();
    let gives = small.iter().map(|client| submit_many(client, book, vec![working(WORK_MS); JOBS_EACH]));
    futures::future::try_join_all(gives).await?;
    let which = format!(
        "a.created_at >= to_timestamp({}) and a.tenant_id in (select id from tenant where slug like 'small%')",
        since.timestamp_millis() as f64 / 1e3
    );
    let ended = format!("select count(*) from attempt a where a.final_state is not null and {which}");
    world
        .reaches("the small tenants' jobs to end", &ended, SMALL_TENANTS * JOBS_EACH, Duration::from_mins(5))
        .await?;
    Ok(percentile(&mut ledger::waits(&world.database, &which).await?, 0.95))
}

/// The share of slots that have a job, looked at all the time.
async fn busy_percent(world: &World, lasts: Duration) -> anyhow::Result<f64> {
    let (mut busy, mut looks, began) = (0, 0, Instant::now());
    while began.elapsed() < lasts {
        // A job whose verdict is on its way to the ledger is still under its lease, and its slot has the next one.
        busy += world.number(RUNNING).await?.min(SLOTS);
        looks += SLOTS;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(busy as f64 / looks as f64 * 100.0)
}
