//! F11: a worker with a bad network: loss, latency, and directions in which nothing arrives.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use testkit::{Proxy, Weather};
use tokio::task::JoinHandle;

use super::Ended;
use crate::{
    figure::Figure,
    ledger,
    load::{self, Load, working},
    stage::{Stage, until},
    world::{Route, World},
};

const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=16"];
/// Jobs that take long enough to be cut off from.
const LONG_JOBS: usize = 8;
const RECOVERED_MAX: Duration = Duration::from_secs(15);
/// Past its lease's end a worker may say so late for as long as it takes to look.
const NOTICED: Duration = Duration::from_secs(1);

/// What is wrong, and with which way.
struct Trouble {
    name: &'static str,
    with_postgres: Option<Weather>,
    with_redis: Option<Weather>,
    /// Whether leases cannot be renewed, so that everything has to be stopped.
    loses_leases: bool,
}

fn troubles() -> Vec<Trouble> {
    let fair = Weather::default();
    let lossy = Weather { loss: 0.3, ..fair };
    let slow = Weather { latency: Duration::from_millis(500), ..fair };
    let deaf = Weather { holds_requests: true, ..fair };
    let mute = Weather { holds_answers: true, ..fair };
    let both = |name, weather| Trouble {
        name,
        with_postgres: Some(weather),
        with_redis: Some(weather),
        loses_leases: false,
    };
    let postgres =
        |name, weather| Trouble { name, with_postgres: Some(weather), with_redis: None, loses_leases: true };
    vec![
        both("30 % loss", lossy),
        both("500 ms latency", slow),
        Trouble {
            name: "nothing reaches Redis",
            with_postgres: None,
            with_redis: Some(deaf),
            loses_leases: false,
        },
        postgres("nothing reaches Postgres", deaf),
        postgres("nothing comes from Postgres", mute),
    ]
}

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let mut figures = Vec::new();
    // The two ways of losing Postgres look alike to a worker; the time of a smoke run is short.
    let parts = stage.pace.pick(4, 5, 5);
    for trouble in troubles().into_iter().take(parts) {
        stage.say(trouble.name);
        figures.extend(play(stage, &trouble).await?.into_iter().map(|figure| figure.of(trouble.name)));
    }
    Ok(Ended::Seen(figures))
}

async fn play(stage: &Stage, trouble: &Trouble) -> anyhow::Result<Vec<Figure>> {
    let mut world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let to_postgres = Proxy::before(local(world.postgres.port())).await?;
    let to_redis = Proxy::before(local(world.redis.port())).await?;
    let direct = world.route.clone();
    world.route = Route {
        database: by(&direct.database, world.postgres.port(), &to_postgres),
        redis: by(&direct.redis, world.redis.port(), &to_redis),
        ..direct.clone()
    };
    let cut_off = world.workers(1, &SLOTS).await?;
    world.route = direct;
    // As long as the lease holds, this one must not touch them; as soon as it does not, it has to run them again.
    let load = Load { per_s: 30.0, body: |_| working(50) }.begin(&client);
    let long = working(u32::try_from((world.lease() * 2).as_millis())?);
    for _ in 0..LONG_JOBS {
        load::submit(&client, &load.book, long.clone()).await;
    }
    let holds = format!(
        "select coalesce(sum(cardinality(job_ids)), 0) from lease where worker = '{}'",
        cut_off[0].process.name
    );
    world.reaches("the long jobs to run", &holds, LONG_JOBS, Duration::from_secs(30)).await?;
    let _other = world.workers(1, &SLOTS).await?;
    let watch = Watch::begin(&world);
    if let Some(weather) = trouble.with_postgres {
        to_postgres.set(weather);
    }
    if let Some(weather) = trouble.with_redis {
        to_redis.set(weather);
    }
    let began = Instant::now();
    let mut figures = Vec::new();
    if trouble.loses_leases {
        // Its own words: its metrics would tell when the slots are free again, which waits for what was said last.
        let stopped = || async { cut_off[0].process.said("stopping every job").then_some(()) };
        until("the worker that is cut off to stop its jobs", world.lease() * 4, stopped).await?;
        figures.push(Figure::within("handlers stopped after", began.elapsed(), world.lease() + NOTICED));
    }
    tokio::time::sleep((world.lease() * 2).saturating_sub(began.elapsed())).await;
    to_postgres.set(Weather::default());
    to_redis.set(Weather::default());
    let lifted = Instant::now();
    cut_off[0].ready().await?;
    figures.push(Figure::within("well again after", lifted.elapsed(), RECOVERED_MAX));
    let book = load.end().await;
    figures.extend(world.audit(&book, world.rerun_max() * 3 + Duration::from_mins(1)).await?);
    let (looks, twice) = watch.end();
    figures.extend([
        Figure::at_least("looks at the leases", looks, 10),
        Figure::none("jobs under two standing leases", twice),
        Figure::none("refused", book.refused()),
    ]);
    Ok(figures)
}

/// The address, with the port of the proxy in place of the server's.
fn by(address: &str, port: u16, proxy: &Proxy) -> String {
    address.replace(&format!(":{port}"), &format!(":{}", proxy.address().port()))
}

/// Looks at the leases all the time.
struct Watch {
    looking: JoinHandle<()>,
    looks: Arc<AtomicUsize>,
    twice: Arc<AtomicUsize>,
}

impl Watch {
    fn begin(world: &World) -> Self {
        let (looks, twice) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (database, seen, found_twice) = (world.database.clone(), looks.clone(), twice.clone());
        let looking = tokio::spawn(async move {
            loop {
                if let Ok(found) = ledger::number(&database, ledger::HELD_TWICE).await {
                    seen.fetch_add(1, Ordering::Relaxed);
                    found_twice.fetch_add(found, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { looking, looks, twice }
    }

    fn end(&self) -> (usize, usize) {
        (self.looks.load(Ordering::Relaxed), self.twice.load(Ordering::Relaxed))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.looking.abort();
    }
}
