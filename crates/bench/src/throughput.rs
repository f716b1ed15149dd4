//! How many no-op jobs two worker processes do in a second.
//!
//! The jobs are enqueued before anybody works. Counted is from the first that ended to the last whose end was on disk.

use std::time::Duration;

use crate::{
    cpu,
    crewline::{Crewline, PROCESSES},
    figure::{Figure, median, median_ratio},
    goals,
    peers::{Peer, Rival},
    stage::Stage,
};

/// Longest that a round may take.
const ROUND_MAX: Duration = Duration::from_mins(5);

/// What one round of ours showed.
struct Round {
    per_s: f64,
    row_writes: f64,
    wal_enqueue: f64,
    wal_work: f64,
    postgres_us: f64,
    worker_us: f64,
}

/// Rounds of ours and of every peer, in turn.
pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let mut rounds = Vec::new();
    let mut theirs: Vec<Vec<f64>> = vec![Vec::new(); stage.peers.list.len()];
    for number in 1..=stage.pace.rounds {
        let round = ours(stage).await?;
        stage.say(&format!("throughput, round {number}: {:.0} jobs/s", round.per_s));
        rounds.push(round);
        for (peer, rates) in stage.peers.list.iter().zip(&mut theirs) {
            let rate = drain(stage, peer).await?;
            stage.say(&format!("throughput, round {number}: {} {rate:.0} jobs/s", peer.name()));
            rates.push(rate);
        }
    }
    let middle = |pick: fn(&Round) -> f64| median(&rounds.iter().map(pick).collect::<Vec<_>>());
    let per_s: Vec<f64> = rounds.iter().map(|round| round.per_s).collect();
    let what = "no-op jobs, 2 worker processes, durable, every attempt kept";
    let mut figures = Vec::new();
    for (peer, rates) in stage.peers.list.iter().zip(&theirs) {
        let figure = Figure::of(what, median(&per_s), "jobs/s").beside(
            peer.name(),
            median(rates),
            median_ratio(&per_s, rates),
        );
        figures.push(match peer.rival {
            Rival::GraphileRs => figure.towards(goals::THROUGHPUT_GRAPHILE),
            Rival::BullMq => figure.towards(goals::THROUGHPUT_BULLMQ),
            _ => figure,
        });
    }
    if figures.is_empty() {
        figures.push(Figure::of(what, median(&per_s), "jobs/s"));
    }
    let cost = |what, unit, pick: fn(&Round) -> f64| Figure::of(what, middle(pick), unit);
    figures.extend([
        cost("row writes of a no-op job, from enqueue to end", "rows/job", |round| round.row_writes),
        cost("WAL of enqueueing it in a batch", "bytes/job", |round| round.wal_enqueue),
        cost("WAL of working it", "bytes/job", |round| round.wal_work),
        cost("Postgres CPU of working it", "µs/job", |round| round.postgres_us),
        cost("worker CPU of working it", "µs/job", |round| round.worker_us),
    ]);
    Ok(figures)
}

async fn ours(stage: &Stage) -> anyhow::Result<Round> {
    let jobs = stage.pace.jobs;
    let mut crewline = Crewline::open(stage).await?;
    let mut logged = vec![stage.servers.wal_bytes().await?];
    crewline.fill(jobs, 0).await?;
    logged.push(stage.servers.wal_bytes().await?);
    crewline.settle().await?;
    logged.push(stage.servers.wal_bytes().await?);
    let used = stage.servers.postgres_cpu_us().await?;
    let workers = crewline.start_workers(PROCESSES, "warn")?;
    crewline.ended(&workers, jobs, ROUND_MAX).await?;
    crewline.quiet(ROUND_MAX).await?;
    logged.push(stage.servers.wal_bytes().await?);
    let postgres_us = stage.servers.postgres_cpu_us().await? - used;
    let worker_us: f64 = workers.iter().map(|worker| cpu::of_process(worker.process.id())).sum();
    let seen = crewline
        .sql
        .numbers(
            "select count(*), extract(epoch from max(finished_at) - min(finished_at)) from attempt
             where final_state = 'completed'",
        )
        .await?;
    anyhow::ensure!(seen[0] >= jobs as f64, "{} of {jobs} jobs have an end in the ledger", seen[0]);
    for worker in workers {
        worker.process.end().await?;
    }
    let row_writes = crewline.row_writes().await?;
    crewline.close().await?;
    Ok(Round {
        per_s: seen[0] / seen[1],
        row_writes: row_writes / seen[0],
        wal_enqueue: (logged[1] - logged[0]) / seen[0],
        wal_work: (logged[3] - logged[2]) / seen[0],
        postgres_us: postgres_us / seen[0],
        worker_us: worker_us / seen[0],
    })
}

async fn drain(stage: &Stage, peer: &Peer) -> anyhow::Result<f64> {
    let jobs = if peer.is_slow() { stage.pace.jobs_of_slow } else { stage.pace.jobs };
    let bout = peer.begin(stage).await?;
    bout.enqueue(jobs, 1_000, 4).await?;
    bout.settle().await?;
    let rate = bout.work(PROCESSES, jobs, ROUND_MAX).await?;
    bout.end().await?;
    Ok(rate)
}
