//! How many jobs a second go in over HTTP: one a request, and a thousand a request. Each was on disk when it was
//! answered. Nobody works meanwhile, here as with the peers; the clients take their share of the same two cores.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::try_join_all;

use crate::{
    crewline::{BATCH, Crewline, batch_of, job_of},
    figure::{Figure, median, median_ratio, percentile},
    goals,
    http::is_success,
    peers::Rival,
    stage::Stage,
    yardsticks,
};

/// Connections that submit one job a request.
const CONNECTIONS: usize = 64;
/// Connections that submit batches, and calls at once of a peer.
const BATCH_CONNECTIONS: usize = 4;
/// Clients of the yardstick.
const PGBENCH_CLIENTS: u32 = 16;
/// Not counted: connections open, caches fill.
const WARM_UP: Duration = Duration::from_millis(500);

/// What clients saw.
struct Seen {
    jobs_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    api_us: f64,
    postgres_us: f64,
}

/// One job a request, beside a bare insert.
pub(crate) async fn one_by_one(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let (mut all, mut theirs) = (Vec::new(), Vec::new());
    for number in 1..=stage.pace.rounds {
        let body = Bytes::from(job_of(0).to_string());
        let seen = onto_nothing(stage, "/v1/jobs", body, 1, CONNECTIONS).await?;
        let bare = yardsticks::pgbench_inserts(stage, PGBENCH_CLIENTS).await?;
        let rate = seen.jobs_per_s;
        stage.say(&format!("intake, round {number}: {rate:.0} jobs/s; pgbench {bare:.0} inserts/s"));
        all.push(seen);
        theirs.push(bare);
    }
    let of = |pick: fn(&Seen) -> f64| all.iter().map(pick).collect::<Vec<_>>();
    let told = |what, unit, pick: fn(&Seen) -> f64| Figure::of(what, median(&of(pick)), unit);
    let ours = of(|seen| seen.jobs_per_s);
    Ok(vec![
        Figure::of("one job a request over HTTP, 64 connections, durable", median(&ours), "jobs/s")
            .beside("pgbench, one-row insert, 16 clients", median(&theirs), median_ratio(&ours, &theirs))
            .towards(goals::INTAKE_PGBENCH),
        told("answer to one of them, p50", "ms", |seen| seen.p50_ms),
        told("answer to one of them, p99", "ms", |seen| seen.p99_ms),
        told("API CPU of one of them", "µs/job", |seen| seen.api_us),
        told("Postgres CPU of one of them", "µs/job", |seen| seen.postgres_us),
    ])
}

/// A thousand jobs a request, beside BullMQ's `addBulk`.
pub(crate) async fn by_the_thousand(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let rival = stage.peers.of(Rival::BullMq);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 1..=stage.pace.rounds {
        let body = batch_of(BATCH, 0);
        let seen = onto_nothing(stage, "/v1/jobs/batch", body, BATCH, BATCH_CONNECTIONS).await?;
        stage.say(&format!("batches, round {number}: {:.0} jobs/s", seen.jobs_per_s));
        ours.push(seen.jobs_per_s);
        if let Some(peer) = rival {
            let bout = peer.begin(stage).await?;
            let rate = bout.enqueue(stage.pace.jobs_of_slow, BATCH, BATCH_CONNECTIONS as u64).await?;
            bout.end().await?;
            stage.say(&format!("batches, round {number}: {} {rate:.0} jobs/s", peer.name()));
            theirs.push(rate);
        }
    }
    let figure = Figure::of("1,000 jobs a request over HTTP, durable", median(&ours), "jobs/s");
    Ok(vec![match rival {
        Some(peer) => figure
            .beside(
                &format!("{}, addBulk, not durable", peer.name()),
                median(&theirs),
                median_ratio(&ours, &theirs),
            )
            .towards(goals::BATCH_BULLMQ),
        None => figure,
    }])
}

/// Both of it onto a backlog that is there, beside the same yardsticks; `over` names it.
pub(crate) async fn onto(stage: &Stage, deep: &Crewline<'_>, over: &str) -> anyhow::Result<Vec<Figure>> {
    let seen = submit(stage, deep, "/v1/jobs", Bytes::from(job_of(0).to_string()), 1, CONNECTIONS).await?;
    let bare = yardsticks::pgbench_inserts(stage, PGBENCH_CLIENTS).await?;
    let rate = seen.jobs_per_s;
    stage.say(&format!("depth: {rate:.0} jobs/s one by one; pgbench {bare:.0} inserts/s"));
    let mut figures = vec![
        Figure::of(format!("one job a request over HTTP with {over} waiting"), rate, "jobs/s")
            .beside("pgbench, one-row insert, 16 clients", bare, rate / bare)
            .towards(goals::INTAKE_PGBENCH),
    ];
    let body = batch_of(BATCH, 0);
    let rate = submit(stage, deep, "/v1/jobs/batch", body, BATCH, BATCH_CONNECTIONS).await?.jobs_per_s;
    let figure = Figure::of(format!("1,000 jobs a request over HTTP with {over} waiting"), rate, "jobs/s");
    figures.push(match stage.peers.of(Rival::BullMq) {
        Some(peer) => {
            let bout = peer.begin(stage).await?;
            let theirs = bout.enqueue(stage.pace.jobs_of_slow, BATCH, BATCH_CONNECTIONS as u64).await?;
            bout.end().await?;
            stage.say(&format!("depth: {rate:.0} jobs/s by batches; {} {theirs:.0} jobs/s", peer.name()));
            let peer = format!("{}, addBulk, not durable, nothing waiting", peer.name());
            figure.beside(&peer, theirs, rate / theirs).towards(goals::BATCH_BULLMQ)
        }
        None => figure,
    });
    Ok(figures)
}

async fn onto_nothing(
    stage: &Stage,
    path: &str,
    body: Bytes,
    jobs: u64,
    connections: usize,
) -> anyhow::Result<Seen> {
    let crewline = Crewline::open(stage).await?;
    let seen = submit(stage, &crewline, path, body, jobs, connections).await?;
    crewline.close().await?;
    Ok(seen)
}

async fn submit(
    stage: &Stage,
    crewline: &Crewline<'_>,
    path: &str,
    body: Bytes,
    jobs: u64,
    connections: usize,
) -> anyhow::Result<Seen> {
    crewline.settle().await?;
    let before = crewline.sql.number("select count(*) from job").await?;
    let used = stage.servers.postgres_cpu_us().await?;
    let api_used = crewline.api_cpu_us();
    let begin = Instant::now() + WARM_UP;
    let end = begin + stage.pace.intake;
    let clients = (0..connections).map(|client| {
        let body = body.clone();
        async move {
            let mut connection = crewline.connect().await?;
            let mut took_ms = Vec::new();
            for number in 0_u64.. {
                let asked = Instant::now();
                if asked >= end {
                    break;
                }
                let key = format!("intake-{path}-{client}-{number}");
                let (status, answer) = connection.post(path, &key, &body).await?;
                anyhow::ensure!(
                    is_success(status),
                    "POST {path} answered {status}: {}",
                    String::from_utf8_lossy(&answer[..answer.len().min(400)])
                );
                let answered = Instant::now();
                if answered >= begin && answered < end {
                    took_ms.push((answered - asked).as_secs_f64() * 1e3);
                }
            }
            anyhow::Ok(took_ms)
        }
    });
    let took_ms: Vec<f64> = try_join_all(clients).await?.concat();
    let held = crewline.sql.number("select count(*) from job").await? - before;
    anyhow::ensure!(
        held >= took_ms.len() as f64 * jobs as f64,
        "{} requests were answered and {held} jobs are there",
        took_ms.len()
    );
    let (postgres_us, api_us) =
        ((stage.servers.postgres_cpu_us().await? - used) / held, (crewline.api_cpu_us() - api_used) / held);
    Ok(Seen {
        api_us,
        postgres_us,
        jobs_per_s: took_ms.len() as f64 * jobs as f64 / stage.pace.intake.as_secs_f64(),
        p50_ms: percentile(&took_ms, 0.5),
        p99_ms: percentile(&took_ms, 0.99),
    })
}
