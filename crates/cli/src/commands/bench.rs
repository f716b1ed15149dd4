//! `crewline bench`: how soon jobs end, as a client sees it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use clap::Args;
use client::{Client, types};
use futures::future::try_join_all;
use serde::Serialize;
use serde_json::json;

use super::submit::read_args;
use crate::{
    follow,
    output::{Output, line},
};

/// The longest a submission waits for its job.
const WAIT: Duration = Duration::from_secs(30);

/// `crewline bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Jobs to submit
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    jobs: u32,
    /// Submissions at once, each waiting for its job to end
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    at_once: u32,
    /// What to submit
    #[arg(long, default_value = "probe.work")]
    kind: String,
    /// Its arguments as JSON; @FILE reads them from a file, - from the standard input
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    jobs: usize,
    /// Jobs that did not complete, or not within half a minute.
    not_completed: usize,
    seconds: f64,
    per_second: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
}

pub(crate) async fn run(client: &Client, args: &BenchArgs, output: Output) -> anyhow::Result<()> {
    let new = types::NewJob {
        kind: args.kind.clone(),
        args: Some(read_args(args.args.as_deref())?.into()),
        tags: Some(vec!["bench".to_owned()]),
        ..types::NewJob::default()
    };
    let (client, left) = (client.waiting(WAIT), AtomicUsize::new(args.jobs as usize));
    let bar = follow::bar(args.jobs.into(), "{pos}/{len} {bar:30} {per_sec}");
    let began = Instant::now();
    let hands = (0..args.at_once).map(|_| hand(&client, &new, &left, || bar.inc(1)));
    let took = try_join_all(hands).await?.concat();
    bar.finish_and_clear();
    let measured = measure(took, began.elapsed());
    if output.json {
        return output.one(&json!(measured));
    }
    let Measured { jobs, not_completed, seconds, per_second, p50_ms, p95_ms, p99_ms } = measured;
    line(&format!("{jobs} jobs in {seconds:.1} s: {per_second:.0} a second, {not_completed} not completed"))?;
    line(&format!("from request to result: p50 {p50_ms:.1} ms, p95 {p95_ms:.1} ms, p99 {p99_ms:.1} ms"))
}

/// Submits one job after the other while there are some; how long each took, none for one that did not complete.
async fn hand(
    client: &Client,
    new: &types::NewJob,
    left: &AtomicUsize,
    done: impl Fn(),
) -> anyhow::Result<Vec<Option<Duration>>> {
    let mut took = Vec::new();
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let began = Instant::now();
        let job = client.submit_job(new).await?;
        took.push((job.state == "completed").then(|| began.elapsed()));
        done();
    }
    Ok(took)
}

fn measure(took: Vec<Option<Duration>>, whole: Duration) -> Measured {
    let jobs = took.len();
    let mut took: Vec<Duration> = took.into_iter().flatten().collect();
    took.sort_unstable();
    let at = |share: f64| percentile_ms(&took, share);
    Measured {
        jobs,
        not_completed: jobs - took.len(),
        seconds: whole.as_secs_f64(),
        per_second: took.len() as f64 / whole.as_secs_f64(),
        p50_ms: at(0.5),
        p95_ms: at(0.95),
        p99_ms: at(0.99),
    }
}

/// What so large a share of `sorted` does not exceed, in milliseconds; 0 when there is nothing.
pub(crate) fn percentile_ms(sorted: &[Duration], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_completed() {
        let took = (1..=100).rev().map(|ms| Some(Duration::from_millis(ms))).chain([None]).collect();
        let measured = measure(took, Duration::from_secs(2));
        assert_eq!((measured.jobs, measured.not_completed), (101, 1));
        let found = [measured.per_second, measured.p50_ms, measured.p95_ms, measured.p99_ms];
        assert!(
            found.iter().zip([50.0, 50.0, 95.0, 99.0]).all(|(found, wanted)| (found - wanted).abs() < 1e-6)
        );
        assert!(percentile_ms(&[], 0.5).abs() < f64::EPSILON);
    }
}
