//! F22: one at a time for each key, and so many a second, while workers are killed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rand::Rng;
use reqwest::Method;
use serde_json::json;

use super::Ended;
use crate::{
    figure::Figure,
    load::{self, Load, working},
    stage::Stage,
    world::World,
};

const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=16"];
const KEYS: u64 = 8;
const RATE_PER_S: usize = 10;
/// After the last kill a slot of a dead worker has to be free by then.
const FREED_MAX: Duration = Duration::from_mins(1);

/// Jobs of one key that run at once by the ledger.
const KEY_TWICE: &str = "select count(*) from (
    select started_at, lag(finished_at) over (partition by key order by started_at, finished_at) as before
    from attempt where started_at is not null and key like 'one/%') runs
    where started_at < before";
/// The most jobs that began in one second of the clock under the rate in windows.
const WINDOW_PEAK: &str = "select coalesce(max(n), 0)::bigint from (
    select count(*) as n from attempt where started_at is not null and key = 'window'
    group by date_trunc('second', started_at)) seconds";
/// By how much the token bucket was overdrawn at the worst: more jobs began between any two beginnings than the bucket
/// held and got meanwhile.
const BUCKET_OVERDRAWN: &str = "with begun as (
        select started_at as at, row_number() over (order by started_at) as n from attempt
        where started_at is not null and key = 'bucket')
    select greatest(coalesce(max(ceil(b.n - a.n + 1 - 10 - 10 * extract(epoch from b.at - a.at) - 0.5)), 0), 0)::bigint
    from begun a join begun b on b.n between a.n and a.n + 400";

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let kills = stage.pace.pick(4, 15, 10_000);
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let rate = |algorithm| json!({ "count": RATE_PER_S, "period_s": 1, "algorithm": algorithm });
    for (name, limit) in [
        ("one", json!({ "key": "one/*", "concurrency": 1 })),
        ("bucket", json!({ "key": "bucket", "rate": rate("bucket") })),
        ("window", json!({ "key": "window", "rate": rate("window") })),
    ] {
        client.change(Method::PUT, &format!("/v1/limits/{name}"), &limit).await?;
    }
    let mut workers = world.workers(3, &SLOTS).await?;
    let load = Load { per_s: 30.0, body }.begin(&client);
    let sampler = Sampler::begin(&world);
    for kill in 1..=kills {
        tokio::time::sleep(stage.pace.seconds(2, 3, 3)).await;
        let victim = workers.swap_remove(rand::rng().random_range(0..workers.len()));
        stage.say(&format!("kill {kill} of {kills}: {}", victim.process.name));
        world.kill(victim);
        workers.push(world.worker(&SLOTS)?);
    }
    let book = load.end().await;
    let ended = Instant::now();
    // A fresh job of each key runs as soon as what is before it is done: no slot is left to the dead.
    let held = "select count(*) from lease where until < clock_timestamp()";
    world.quiet(FREED_MAX + world.rerun_max() * 3 + Duration::from_mins(2)).await?;
    let backlog = ended.elapsed();
    let probed = Instant::now();
    for key in 0..KEYS {
        let mut job = working(0);
        job["concurrency_key"] = json!(format!("one/{key}"));
        load::submit(&client, &book, job).await;
    }
    world.quiet(FREED_MAX).await?;
    let freed = probed.elapsed();
    let (looks, peak) = sampler.end();
    let mut figures = world.audit(&book, Duration::from_mins(1)).await?;
    figures.extend([
        Figure::tell("kills", kills),
        Figure::at_least(
            "runs lost with their worker",
            world.number("select count(*) from attempt where outcome = 'crashed'").await?,
            1,
        ),
        Figure::none("runs of a key at once, by history", world.number(KEY_TWICE).await?),
        Figure::tell("looks at the leases", looks),
        Figure::be("most of a key at once, by leases", peak, 1),
        Figure::at_most(
            "most begun in a second, windows",
            world.number(WINDOW_PEAK).await? as f64,
            "",
            RATE_PER_S as f64,
        ),
        Figure::none("bucket overdrawn by", world.number(BUCKET_OVERDRAWN).await?),
        Figure::tell_time("backlog worked off after", backlog),
        Figure::within("every key free after", freed, FREED_MAX),
        Figure::none("leases of the dead", world.number(held).await?),
    ]);
    Ok(Ended::Seen(figures))
}

/// Two in three for the keys that run one at a time, the others for the two rates, just above what those let through.
fn body(number: u64) -> serde_json::Value {
    let mut job = working(60);
    job["concurrency_key"] = match number % 3 {
        0 => json!(if number.is_multiple_of(2) { "bucket" } else { "window" }),
        _ => json!(format!("one/{}", number % KEYS)),
    };
    job
}

/// Looks at how many jobs of a key are under a standing lease.
struct Sampler {
    looking: tokio::task::JoinHandle<()>,
    looks: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
}

impl Sampler {
    fn begin(world: &World) -> Self {
        let (looks, peak) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (database, seen, most) = (world.database.clone(), looks.clone(), peak.clone());
        let looking = tokio::spawn(async move {
            let running = "select coalesce(max(n), 0)::bigint from (
                select count(*) as n from lease cross join lateral unnest(job_ids, fences) as held (id, fence)
                join job on job.id = held.id and job.fence = held.fence join lane on lane.id = job.lane_id
                where lane.key like 'one/%' and until > clock_timestamp() group by lane.key) keys";
            loop {
                if let Ok(found) = crate::ledger::number(&database, running).await {
                    seen.fetch_add(1, Ordering::Relaxed);
                    most.fetch_max(found, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Self { looking, looks, peak }
    }

    fn end(&self) -> (usize, usize) {
        (self.looks.load(Ordering::Relaxed), self.peak.load(Ordering::Relaxed))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.looking.abort();
    }
}
