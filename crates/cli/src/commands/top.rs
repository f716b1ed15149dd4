//! `crewline top`: what ended in the last minute and what runs now, as it goes on.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use client::{Client, Event, ListJobsQuery, types};
use console::Term;
use futures::StreamExt;
use serde::Serialize;
use serde_json::json;

use super::{bench::percentile_ms, jobs::COLUMNS};
use crate::output::{Output, line, plain, table};

/// How far back is looked.
const WINDOW: TimeDelta = TimeDelta::minutes(1);
/// The most attempts that are kept for it.
const KEPT_MAX: usize = 100_000;
/// The most running jobs that are shown.
const RUNNING_MAX: i64 = 20;

/// `crewline top`.
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Seconds from one picture to the next
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    every: u64,
    /// End after so many pictures; never unless given
    #[arg(long, value_name = "COUNT")]
    rounds: Option<u64>,
}

/// An attempt that ended.
struct Ended {
    at: DateTime<Utc>,
    kind: String,
    took: Option<Duration>,
    outcome: String,
}

/// A kind in the last minute.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Row {
    kind: String,
    ended: usize,
    completed: usize,
    failed: usize,
    p50_ms: f64,
    p95_ms: f64,
}

pub(crate) async fn run(client: &Client, args: &TopArgs, output: Output) -> anyhow::Result<()> {
    let mut events = client.follow_all();
    let mut ended = VecDeque::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(args.every));
    let mut rounds = 0;
    // The first tick comes at once: nothing has been heard yet.
    ticks.tick().await;
    loop {
        tokio::select! {
            event = events.next() => {
                let Some(event) = event else { anyhow::bail!("the stream of events is over") };
                hear(&mut ended, event?)?;
            }
            _ = ticks.tick() => {
                rounds += 1;
                show(client, &mut ended, output).await?;
                if args.rounds.is_some_and(|most| rounds >= most) {
                    return Ok(());
                }
            }
        }
    }
}

fn hear(ended: &mut VecDeque<Ended>, event: Event) -> anyhow::Result<()> {
    let attempt: types::AttemptEvent = serde_json::from_value(event.data)?;
    let at = attempt.finished_at;
    let took = attempt.started_at.and_then(|began| (at - began).to_std().ok());
    if ended.len() == KEPT_MAX {
        ended.pop_front();
    }
    ended.push_back(Ended { at, kind: attempt.kind, took, outcome: attempt.outcome });
    Ok(())
}

async fn show(client: &Client, ended: &mut VecDeque<Ended>, output: Output) -> anyhow::Result<()> {
    let since = Utc::now() - WINDOW;
    ended.retain(|one| one.at >= since);
    let rows = rows(ended);
    let running = ListJobsQuery {
        state: Some("running".to_owned()),
        limit: Some(RUNNING_MAX),
        ..ListJobsQuery::default()
    };
    let running = client.list_jobs(&running).await?.jobs;
    if output.json {
        return output.one(&json!({ "last_minute": rows, "running": running }));
    }
    let terminal = Term::stdout();
    if terminal.is_term() {
        terminal.clear_screen()?;
    }
    line(&format!("{}   ended in the last minute: {}", Utc::now().format("%H:%M:%S"), ended.len()))?;
    line("")?;
    picture(&rows).iter().try_for_each(|row| line(row))?;
    line("")?;
    output.many(&COLUMNS, &running)
}

/// The last minute by kind, those first of which most ended.
fn rows(ended: &VecDeque<Ended>) -> Vec<Row> {
    let mut kinds: BTreeMap<&str, Vec<&Ended>> = BTreeMap::new();
    for one in ended {
        kinds.entry(&one.kind).or_default().push(one);
    }
    let mut rows: Vec<Row> = kinds.into_iter().map(|(kind, all)| row(kind, &all)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.ended));
    rows
}

fn row(kind: &str, all: &[&Ended]) -> Row {
    let with = |outcomes: &[&str]| all.iter().filter(|one| outcomes.contains(&one.outcome.as_str())).count();
    let mut took: Vec<Duration> = all.iter().filter_map(|one| one.took).collect();
    took.sort_unstable();
    Row {
        kind: kind.to_owned(),
        ended: all.len(),
        completed: with(&["completed"]),
        failed: with(&["retried", "crashed", "discarded"]),
        p50_ms: percentile_ms(&took, 0.5),
        p95_ms: percentile_ms(&took, 0.95),
    }
}

fn picture(rows: &[Row]) -> Vec<String> {
    let heading = ["KIND", "ENDED", "COMPLETED", "FAILED", "P50 MS", "P95 MS"].map(str::to_owned).to_vec();
    let cells = |row: &Row| {
        let counts = [row.ended, row.completed, row.failed].map(|count| count.to_string());
        let times = [row.p50_ms, row.p95_ms].map(|ms| format!("{ms:.0}"));
        std::iter::once(plain(&row.kind)).chain(counts).chain(times).collect()
    };
    table(&std::iter::once(heading).chain(rows.iter().map(cells)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(kind: &str, outcome: &str, ms: u64) -> Ended {
        Ended {
            at: Utc::now(),
            kind: kind.to_owned(),
            took: Some(Duration::from_millis(ms)),
            outcome: outcome.to_owned(),
        }
    }

    #[test]
    fn the_busiest_kind_comes_first_with_its_failures() {
        let all = VecDeque::from([
            ended("b", "completed", 10),
            ended("a", "completed", 5),
            ended("b", "retried", 30),
        ]);
        let rows = rows(&all);
        let wanted = ["b 2 1 1", "a 1 1 0"];
        let found =
            rows.iter().map(|row| format!("{} {} {} {}", row.kind, row.ended, row.completed, row.failed));
        assert_eq!(found.collect::<Vec<_>>(), wanted);
        assert!((rows[0].p95_ms - 30.0).abs() < f64::EPSILON);
        assert_eq!(picture(&rows)[1], "b     2      1          1       10      30");
    }
}
