//! graphile_worker in Rust, tuned: 24 jobs at once in each process, 500 fetched at a time, completions of a millisecond
//! in one statement. What drivers say stands in `src/peers.rs` of `bench`.

use std::{
    error::Error,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, Worker, WorkerContext, WorkerOptions,
};
use serde::{Deserialize, Serialize};

const NAME: &str = "graphile_worker 0.14.1 (Rust)";
const SLOTS: usize = 24;
const FETCHED: usize = 500;
const COMPLETED_EVERY: Duration = Duration::from_millis(1);
const CONNECTIONS: u32 = 16;

static COUNT: AtomicU64 = AtomicU64::new(0);
static FIRST_US: AtomicU64 = AtomicU64::new(0);
static LAST_US: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Default, Serialize, Deserialize)]
struct Noop {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<u64>,
}

impl TaskHandler for Noop {
    const IDENTIFIER: &'static str = "noop";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        let now = now_us();
        if COUNT.fetch_add(1, Ordering::Relaxed) == 0 {
            FIRST_US.store(now, Ordering::Relaxed);
        }
        LAST_US.fetch_max(now, Ordering::Relaxed);
        if let Some(sent) = self.sent {
            println!("late {}", now.saturating_sub(sent));
        }
        Ok::<(), String>(())
    }
}

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

async fn worker() -> Result<Worker, Box<dyn Error>> {
    let local_queue = LocalQueueConfig::default().with_size(FETCHED);
    Ok(WorkerOptions::default()
        .database_url(&std::env::var("DATABASE_URL")?)
        .max_pg_conn(CONNECTIONS)
        .concurrency(SLOTS)
        .local_queue(local_queue)
        .complete_job_batch_delay(COMPLETED_EVERY)
        .define_job::<Noop>()
        .init()
        .await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = words.iter().skip(1).filter_map(|word| word.parse().ok()).collect();
    match (words.first().map(String::as_str), &numbers[..]) {
        (Some("name"), _) => println!("{NAME}"),
        (Some("prepare"), _) => worker().await.map(drop)?,
        (Some("enqueue"), &[jobs, a_call, at_once]) => enqueue(jobs, a_call, at_once).await?,
        (Some("send"), &[jobs, pause_ms]) => send(jobs, Duration::from_millis(pause_ms as u64)).await?,
        (Some("work"), _) => work().await?,
        _ => return Err("name, prepare, enqueue JOBS A_CALL AT_ONCE, send JOBS PAUSE_MS, or work".into()),
    }
    if words[0] != "name" {
        println!("done");
    }
    Ok(())
}

async fn enqueue(jobs: usize, a_call: usize, at_once: usize) -> Result<(), Box<dyn Error>> {
    let worker = worker().await?;
    let began = Instant::now();
    let calls = jobs.div_ceil(a_call);
    let callers: Vec<_> = (0..at_once)
        .map(|caller| {
            let utils = worker.create_utils();
            tokio::spawn(async move {
                let spec = JobSpec::default();
                for call in (caller..calls).step_by(at_once) {
                    let size = a_call.min(jobs - call * a_call);
                    let batch: Vec<_> = (0..size).map(|_| (Noop::default(), &spec)).collect();
                    utils.add_jobs::<Noop>(&batch).await.map_err(|error| error.to_string())?;
                }
                Ok::<(), String>(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    println!("seconds {}", began.elapsed().as_secs_f64());
    Ok(())
}

async fn send(jobs: usize, pause: Duration) -> Result<(), Box<dyn Error>> {
    let worker = worker().await?;
    let utils = worker.create_utils();
    for _ in 0..jobs {
        utils.add_job(Noop { sent: Some(now_us()) }, JobSpec::default()).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

async fn work() -> Result<(), Box<dyn Error>> {
    let worker = worker().await?;
    tokio::spawn(async {
        let mut told = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let count = COUNT.load(Ordering::Relaxed);
            if count != told {
                told = count;
                println!("ran {count} {} {}", FIRST_US.load(Ordering::Relaxed), LAST_US.load(Ordering::Relaxed));
            }
        }
    });
    println!("ready");
    worker.run().await?;
    Ok(())
}
