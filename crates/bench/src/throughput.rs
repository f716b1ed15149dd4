//! How many no-op jobs two worker processes do in a second.
//!
//! The jobs are enqueued before anybody works. Counted is from the first that ended to the last whose end was on disk.

use std::time::Duration;

use crate::{
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
    wal_bytes: f64,
    cpu_us: f64,
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
    figures.push(Figure::of(
        "row writes of working a no-op job",
        middle(|round| round.row_writes),
        "rows/job",
    ));
    figures.push(Figure::of("WAL of working a no-op job", middle(|round| round.wal_bytes), "bytes/job"));
    figures.push(Figure::of("worker CPU of a no-op job", middle(|round| round.cpu_us), "µs/job"));
    Ok(figures)
}

async fn ours(stage: &Stage) -> anyhow::Result<Round> {
    let jobs = stage.pace.jobs;
    let crewline = Crewline::open(stage).await?;
    crewline.fill(jobs, 0).await?;
    crewline.settle().await?;
    let written = row_writes(&crewline).await?;
    let logged = stage.servers.wal_bytes().await?;
    let workers = crewline.start_workers(PROCESSES, "warn")?;
    crewline.ended(&workers, jobs, ROUND_MAX).await?;
    crewline.quiet(ROUND_MAX).await?;
    let logged = stage.servers.wal_bytes().await? - logged;
    let cpu_us: f64 = workers.iter().map(|worker| cpu_us(worker.process.id())).sum();
    let seen = crewline
        .sql
        .numbers(
            "select count(*), extract(epoch from max(finished_at) - min(finished_at)) from attempt
             where final_state = 'completed'",
        )
        .await?;
    anyhow::ensure!(seen[0] >= jobs as f64, "{} of {jobs} jobs have an end in the ledger", seen[0]);
    // What a session of Postgres counted it tells when it ends.
    for worker in workers {
        worker.process.end().await?;
    }
    let written = row_writes(&crewline).await? - written;
    crewline.close().await?;
    Ok(Round {
        per_s: seen[0] / seen[1],
        row_writes: written / seen[0],
        wal_bytes: logged / seen[0],
        cpu_us: cpu_us / seen[0],
    })
}

/// Rows inserted, changed and deleted so far.
async fn row_writes(crewline: &Crewline<'_>) -> anyhow::Result<f64> {
    crewline
        .sql
        .number("select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) from pg_stat_user_tables")
        .await
}

/// Processor time a process has used, by `/proc/PID/stat`, which counts in hundredths of a second.
fn cpu_us(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
    let ticks =
        |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) * 10_000.0
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
