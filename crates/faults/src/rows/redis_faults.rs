//! F7: Redis gone, wiped, slow, read-only and full.

use std::time::{Duration, Instant};

use testkit::RedisServer;

use super::Ended;
use crate::{
    figure::{Figure, percentile},
    ledger,
    load::{Book, Load, working},
    stage::{Stage, until},
    worker::Worker,
    world::{Scene, World},
};

const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=32"];
/// After Redis is back, workers have to have noticed by then.
const RECOVERED_MAX: Duration = Duration::from_secs(5);
/// Work goes on meanwhile: nearly everything is picked up by then.
const PICK_UP_MAX: Duration = Duration::from_secs(5);
/// How long one `DEBUG SLEEP` makes everybody wait, and how often.
const STALL: Duration = Duration::from_secs(2);
const STALL_EVERY: Duration = Duration::from_secs(5);

/// What is done to Redis.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Restart,
    Flushed,
    Outage,
    Stalls,
    ReadOnly,
    Full,
}

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let mut figures = play(stage, "restart with AOF", true, &[Fault::Restart]).await?;
    let others = [Fault::Restart, Fault::Flushed, Fault::Outage, Fault::Stalls, Fault::ReadOnly, Fault::Full];
    figures.extend(play(stage, "the rest", false, &others).await?);
    Ok(Ended::Seen(figures))
}

/// One world, and what is done to its Redis one after the other.
async fn play(stage: &Stage, part: &str, keeps: bool, faults: &[Fault]) -> anyhow::Result<Vec<Figure>> {
    let redis = if keeps { RedisServer::start_keeping()? } else { RedisServer::start()? };
    let mut world = World::set(stage, Scene { redis, ..Scene::of(stage)? }).await?;
    let client = world.tenant("acme").await?;
    let workers = world.workers(2, &SLOTS).await?;
    let book = Book::default();
    let mut figures = Vec::new();
    for fault in faults {
        let name = if keeps { part } else { name(*fault) };
        stage.say(name);
        let (again, from) = (book.asked_again(), book.accepted());
        let began = chrono::Utc::now();
        let load = Load { per_s: 100.0, body: |_| working(20) }.begin_into(&client, book.clone());
        tokio::time::sleep(Duration::from_secs(1)).await;
        suffer(stage, &mut world, *fault).await?;
        let recovered = recovers(&workers).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        load.end().await;
        world.quiet(Duration::from_mins(1)).await?;
        let since = format!("a.created_at >= to_timestamp({})", began.timestamp_millis() as f64 / 1e3);
        let mut waits = ledger::waits(&world.database, &since).await?;
        figures.extend([
            Figure::tell("accepted", book.accepted() - from).of(name),
            Figure::none("requests refused", book.asked_again() - again).of(name),
            Figure::within("workers well again after", recovered, RECOVERED_MAX).of(name),
            Figure::within("pick-up p99", percentile(&mut waits, 0.99), PICK_UP_MAX).of(name),
        ]);
    }
    let mut all: Vec<Figure> = world.audit(&book, Duration::from_mins(1)).await?;
    all.push(Figure::none("refused for good", book.refused()));
    let mut all: Vec<Figure> = all.into_iter().map(|figure| figure.of(part)).collect();
    all.extend(figures);
    Ok(all)
}

const fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Restart => "restart without data",
        Fault::Flushed => "FLUSHALL",
        Fault::Outage => "outage",
        Fault::Stalls => "stalls of 2 s each 5 s",
        Fault::ReadOnly => "read-only replica",
        Fault::Full => "full, noeviction",
    }
}

async fn suffer(stage: &Stage, world: &mut World, fault: Fault) -> anyhow::Result<()> {
    let lasts = stage.pace.seconds(2, 15, 60);
    match fault {
        Fault::Restart => {
            for _ in 0..stage.pace.pick(1, 3, 20) {
                world.redis.kill();
                world.redis.begin()?;
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
        Fault::Flushed => {
            for _ in 0..stage.pace.pick(2, 15, 60) {
                world.redis.tell("FLUSHALL")?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Fault::Outage => {
            world.redis.kill();
            tokio::time::sleep(stage.pace.seconds(2, 30, 60)).await;
            world.redis.begin()?;
        }
        Fault::Stalls => {
            let end = Instant::now() + lasts * 2;
            while Instant::now() < end {
                let (port, began) = (world.redis.port(), Instant::now());
                // It answers when it has slept.
                tokio::task::spawn_blocking(move || {
                    RedisServer::tell_at(port, &format!("DEBUG SLEEP {}", STALL.as_secs()))
                })
                .await??;
                tokio::time::sleep(STALL_EVERY.saturating_sub(began.elapsed())).await;
            }
        }
        Fault::ReadOnly => {
            // Of a master that is not there: everything can be read and nothing written.
            world.redis.tell("REPLICAOF 127.0.0.1 1")?;
            tokio::time::sleep(lasts).await;
            world.redis.tell("REPLICAOF NO ONE")?;
        }
        Fault::Full => {
            world.redis.tell("CONFIG SET maxmemory 1")?;
            tokio::time::sleep(lasts).await;
            world.redis.tell("CONFIG SET maxmemory 0")?;
        }
    }
    Ok(())
}

/// How long it takes until every worker says that it is well.
async fn recovers(workers: &[Worker]) -> anyhow::Result<Duration> {
    let began = Instant::now();
    for worker in workers {
        until("a worker to be well", Duration::from_mins(1), || async {
            worker.is_ready().await.then_some(())
        })
        .await?;
    }
    Ok(began.elapsed())
}
