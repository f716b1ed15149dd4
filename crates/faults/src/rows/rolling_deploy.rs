//! F18: workers of two versions take turns, one by one, while jobs of both versions arrive.

use std::time::{Duration, Instant};

use jobs::{Job, kinds::probe_work::ProbeWork};
use serde_json::json;
use store::{
    Db, Role,
    enqueue::{self, NewJob},
};

use super::Ended;
use crate::{
    client::Client,
    figure::{Figure, percentile},
    load::{self, Book},
    stage::Stage,
    world::World,
};

const GRACE: Duration = Duration::from_secs(2);
/// On top of the grace: the last verdicts, and a busy machine.
const DRAIN_MAX: Duration = Duration::from_secs(5);
const TODAY: [&str; 6] = ["--queues", "default", "--concurrency", "default=8", "--grace-s", "2"];
/// Knows `probe.work` in its first version only.
const YESTERDAY: [&str; 8] =
    ["--queues", "default", "--concurrency", "default=8", "--grace-s", "2", "--pretend", "probe.work=1"];
/// Longer than the grace: these are handed back.
const LONG_MS: u32 = 3_500;
const JOBS_A_TURN: usize = 20;

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let (deploys, crew) = (stage.pace.pick(1, 3, 51), stage.pace.pick(3, 10, 10));
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let intake = world.database.db(Role::Api)?;
    let mut workers = world.workers(crew, &YESTERDAY).await?;
    let (book, mut drained, mut badly) = (Book::default(), Vec::new(), 0);
    for deploy in 1..=deploys {
        // Forward, back, forward: the last of an odd number is forward.
        let next: &[&str] = if deploy % 2 == 1 { &TODAY } else { &YESTERDAY };
        stage.say(&format!("deploy {deploy} of {deploys}, {} accepted", book.accepted()));
        for _ in 0..crew {
            of_today(&client, &book).await?;
            of_yesterday(&world, &intake, &book).await?;
            let heir = world.worker(next)?;
            heir.ready().await?;
            let mut old = workers.remove(0);
            workers.push(heir);
            let began = Instant::now();
            badly += usize::from(!old.drain(GRACE + DRAIN_MAX * 2).await?);
            drained.push(began.elapsed());
        }
    }
    intake.close().await;
    let mut figures = world.audit(&book, Duration::from_mins(2)).await?;
    let outcome =
        async |which: &str| world.number(&format!("select count(*) from attempt where {which}")).await;
    figures.extend([
        Figure::tell("workers replaced", drained.len()),
        Figure::at_least("parked by workers of yesterday", outcome("outcome = 'parked'").await?, 1),
        Figure::at_least("handed back", outcome("outcome = 'returned'").await?, 1),
        Figure::within("drained within, slowest", percentile(&mut drained, 1.0), GRACE + DRAIN_MAX),
        Figure::none("workers that ended badly", badly),
        Figure::none("undecodable", outcome("error ->> 'code' = 'undecodable_args'").await?),
        Figure::none("failed or crashed", outcome("outcome in ('retried', 'crashed', 'discarded')").await?),
    ]);
    Ok(Ended::Seen(figures))
}

/// Over HTTP, of the version that the API has.
async fn of_today(client: &Client, book: &Book) -> anyhow::Result<()> {
    let job = |work_ms| json!({ "kind": "probe.work", "args": { "work_ms": work_ms }, "max_attempts": 20 });
    let mut jobs = vec![job(50); JOBS_A_TURN - 1];
    jobs.push(job(LONG_MS));
    load::submit_many(client, book, jobs).await
}

/// As the API of yesterday put them into the ledger: this one brings older arguments up to date.
async fn of_yesterday(world: &World, intake: &Db, book: &Book) -> anyhow::Result<()> {
    let tenant = world.tenant_id("acme").await?;
    let mut jobs = Vec::with_capacity(JOBS_A_TURN);
    for number in 0..JOBS_A_TURN {
        let work_ms = if number == 0 { LONG_MS } else { 50 };
        let mark = book.mark();
        let new = NewJob::of(&ProbeWork::default())?;
        jobs.push(NewJob {
            kind_version: ProbeWork::OLDEST_VERSION,
            args: json!({ "work_ms": work_ms, "endings": [], "echo": "", "follow_ups": 0 }).into(),
            max_attempts: 20,
            metadata: Some(json!({ "mark": mark })),
            ..new
        });
    }
    let mut tx = intake.tenant(tenant).await?;
    enqueue::insert(intake, &mut tx, tenant, &jobs).await?;
    tx.commit().await?;
    for job in jobs {
        let mark = job.metadata.as_ref().and_then(|metadata| metadata["mark"].as_str());
        book.promise(mark.unwrap_or_default(), job.id);
    }
    Ok(())
}
