//! F28: mixed work and a fault of any sort every so often, for as long as there is time; does anything grow?

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use rand::Rng;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::Ended;
use crate::{
    client::Client,
    figure::{Figure, percentile},
    ledger,
    load::{self, Book, Load, working},
    pace::Pace,
    picture, slots,
    stage::Stage,
    worker::Worker,
    world::{World, answers},
};

const SLOTS: [&str; 4] = ["--queues", "default,media", "--concurrency", "default=64,media=1"];
/// Workers that may be killed. One more never is, and one of two processes of the API: their memory is watched.
const MORTALS: usize = 2;
const PICTURE_EVERY: Duration = Duration::from_secs(5);
const SIDE_PX: u32 = 300;
/// The p99 of a minute, with or without a fault in it, and how many minutes have to keep it.
const PICK_UP_MAX: Duration = Duration::from_secs(5);
const MINUTES_WELL_PERCENT: f64 = 99.9;
/// From the second quarter to the last; what a minute's noise is on top of it.
const GROWTH_MAX_PERCENT: f64 = 10.0;
const GROWTH_NOISE_KIB: f64 = 4_096.0;

/// A fault, in the world.
#[derive(Clone, Copy)]
enum Fault {
    KillWorker,
    FreezeWorker,
    KillApi,
    RestartPostgres,
    KillRedis,
    FlushRedis,
}

const FAULTS: [(Fault, &str); 6] = [
    (Fault::KillWorker, "a worker is killed"),
    (Fault::FreezeWorker, "a worker is frozen past its leases"),
    (Fault::KillApi, "the API is killed"),
    (Fault::RestartPostgres, "Postgres restarts"),
    (Fault::KillRedis, "Redis is killed, and comes back with nothing"),
    (Fault::FlushRedis, "Redis is flushed"),
];

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let (lasts, every) = (stage.pace.seconds(14, 120, 86_400), stage.pace.seconds(2, 15, 300));
    let per_s = stage.pace.pick(60.0, 120.0, 300.0);
    let mut world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let steady = world.workers(1, &SLOTS).await?;
    let mut mortals = world.workers(MORTALS, &SLOTS).await?;
    let address = testkit::free_address()?;
    let steady_api = world.another_api(address)?;
    answers(address, "/readyz").await?;
    let other_api = client.at(&format!("http://{address}"));
    let pulse = slots::schedule(&client, "pulse", &json!({ "cron": "* * * * * *" })).await?;
    let book = Book::default();
    let mixed = |client: &Client| Load { per_s: per_s / 2.0, body }.begin_into(client, book.clone());
    let (by_one, by_other) = (mixed(&client), mixed(&other_api));
    let pictures = Pictures::begin(&other_api, &book);
    let (began, mut suffered, mut memory) = (Instant::now(), 0, Memory::default());
    let mut next_fault = every;
    // Some faults take longer than the time between two, and all of them have to come.
    while began.elapsed() < lasts || suffered < FAULTS.len() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        memory.look(steady[0].process.id(), steady_api.id());
        if began.elapsed() >= next_fault {
            // In turn at first, so that even a short soak has all of them; then at random.
            let which =
                if suffered < FAULTS.len() { suffered } else { rand::rng().random_range(0..FAULTS.len()) };
            let (fault, what) = FAULTS[which];
            stage.say(&format!("{what}; {} accepted", book.accepted()));
            suffer(fault, &mut world, &mut mortals).await?;
            suffered += 1;
            next_fault += every;
        }
    }
    drop(pictures);
    slots::pause(&other_api, &pulse).await?;
    by_one.end().await;
    by_other.end().await;
    let mut figures = world.audit(&book, world.rerun_max() * 3 + Duration::from_mins(2)).await?;
    let verified = picture::verify(&world, &client).await?;
    let given_up = "select count(*) from attempt where final_state <> 'completed'";
    figures.extend([
        Figure::at_least("faults", suffered, FAULTS.len()),
        Figure::none("refused for good", book.refused()),
        Figure::none("jobs given up", world.number(given_up).await?),
        Figure::at_least("pictures fetched", verified.pictures, 1),
        Figure::none("pictures missing or damaged", verified.wrong + verified.empty),
    ]);
    figures.extend(slots::figures(&world, "pulse").await?.into_iter().map(|figure| figure.of("cron")));
    figures.extend(pick_up(stage, &world).await?);
    figures.extend(memory.figures(stage.pace));
    Ok(Ended::Seen(figures))
}

/// Some of everything.
fn body(number: u64) -> Value {
    let mut job = working(20);
    match number % 10 {
        0 => job["args"]["endings"] = json!(["retry"]),
        1 => job["args"]["follow_ups"] = json!(2),
        2 => job["scheduled_at"] = json!(Utc::now() + TimeDelta::seconds(2)),
        3 => job["args"]["endings"] = json!([{ "retry_after": 1 }]),
        4 => job["args"]["work_ms"] = json!(500),
        5 => job["concurrency_key"] = json!(format!("key/{}", number % 70)),
        _ => {}
    }
    job
}

async fn suffer(fault: Fault, world: &mut World, mortals: &mut Vec<Worker>) -> anyhow::Result<()> {
    match fault {
        Fault::KillWorker => {
            world.kill(mortals.remove(0));
            mortals.push(world.worker(&SLOTS)?);
        }
        Fault::FreezeWorker => {
            mortals[0].freeze();
            tokio::time::sleep(world.lease() + world.sweep()).await;
            mortals[0].thaw();
        }
        Fault::KillApi => {
            world.kill_api();
            world.start_api().await?;
        }
        Fault::RestartPostgres => {
            tokio::task::block_in_place(|| world.postgres.stop().and_then(|()| world.postgres.begin()))?;
        }
        Fault::KillRedis => {
            world.redis.kill();
            tokio::time::sleep(Duration::from_secs(1)).await;
            world.redis.begin()?;
        }
        Fault::FlushRedis => {
            world.redis.tell("FLUSHALL")?;
        }
    }
    Ok(())
}

/// A picture every so often, until the value ends.
struct Pictures(JoinHandle<()>);

impl Pictures {
    fn begin(client: &Client, book: &Book) -> Self {
        let (client, book) = (client.clone(), book.clone());
        Self(tokio::spawn(async move {
            loop {
                // One that a fault came across is left: whoever uploads would begin anew.
                if let Ok(png) = picture::png(SIDE_PX)
                    && let Ok(asset) = picture::asset(&client, png).await
                {
                    load::submit(&client, &book, picture::job(&asset)).await;
                }
                tokio::time::sleep(PICTURE_EVERY).await;
            }
        }))
    }
}

impl Drop for Pictures {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The p99 of every minute, or of less where there are only some.
async fn pick_up(stage: &Stage, world: &World) -> anyhow::Result<Vec<Figure>> {
    let minute_s = stage.pace.pick(4, 20, 60);
    let mut p99s = ledger::times(
        &world.database,
        &format!(
            "select percentile_cont(0.99) within group (order by extract(epoch from began - due)) * 1000 from (
                 select min(started_at) as began, min(scheduled_at) as due from attempt
                 where started_at is not null and kind = 'probe.work' and key = '' group by job_id) first
             group by floor(extract(epoch from due) / {minute_s}) order by min(due)"
        ),
    )
    .await?;
    let told: Vec<String> = p99s.iter().map(|p99| format!("{:.1}", p99.as_secs_f64())).collect();
    stage.say(&format!("pick-up p99 of every {minute_s} s, in seconds: {}", told.join(" ")));
    let well = p99s.iter().filter(|p99| **p99 <= PICK_UP_MAX).count();
    let percent = well as f64 / p99s.len().max(1) as f64 * 100.0;
    Ok(vec![
        Figure::tell(format!("spans of {minute_s} s"), p99s.len()),
        Figure::percent_at_least("of them with a pick-up p99 of 5 s or less", percent, MINUTES_WELL_PERCENT),
        Figure::tell_time("the worst p99", percentile(&mut p99s, 1.0)),
        Figure::tell_time("the usual p99", percentile(&mut p99s, 0.5)),
    ])
}

/// What two processes use that are never killed.
#[derive(Default)]
struct Memory {
    worker_kib: Vec<f64>,
    api_kib: Vec<f64>,
}

impl Memory {
    fn look(&mut self, worker: u32, api: u32) {
        self.worker_kib.extend(resident_kib(worker));
        self.api_kib.extend(resident_kib(api));
    }

    fn figures(&self, pace: Pace) -> Vec<Figure> {
        let mut figures = Vec::new();
        for (what, seen) in [("worker", &self.worker_kib), ("api", &self.api_kib)] {
            let quarter = seen.len() / 4;
            let (early, late) = (median(&seen[quarter..quarter * 2]), median(&seen[quarter * 3..]));
            let growth = late - early;
            figures.push(Figure::tell(format!("{what} uses KiB"), late as usize));
            // Seconds say nothing about growth.
            figures.push(match pace {
                Pace::Quick => Figure::tell(format!("{what} grew by KiB"), growth.max(0.0) as usize),
                _ => Figure::at_most(
                    format!("{what} grew by"),
                    growth,
                    " KiB",
                    early * GROWTH_MAX_PERCENT / 100.0 + GROWTH_NOISE_KIB,
                ),
            });
        }
        figures
    }
}

fn resident_kib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB").parse().ok()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
