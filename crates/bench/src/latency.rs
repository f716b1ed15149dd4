//! From the request that is sent to the handler that begins, on an idle system, client and worker in processes apart.
//!
//! The handler of a no-op job ends as it begins; the worker then logs the job's id with the time, before it settles.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;
use testkit::until;

use crate::{
    crewline::{Crewline, PROCESSES, Worker, job_of},
    figure::{Figure, median, median_ratio, percentile},
    goals::{self, Goal},
    peers::{Probes, now_us},
    stage::Stage,
};

/// Between two jobs: long enough for everybody to fall asleep.
const PAUSE: Duration = Duration::from_millis(20);
/// Jobs before those that count.
const WARM_UP: usize = 20;
/// What a worker has to write down.
const LOG: &str = "warn,workers::execute=debug";

/// What became of the jobs of a round, in milliseconds from when each was sent.
#[derive(Default)]
struct Idle {
    answered: Vec<f64>,
    claimed: Vec<f64>,
    began: Vec<f64>,
}

/// Rounds of ours and of every peer, in turn.
pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let (mut ours, mut answered, mut claimed) = (Vec::new(), Vec::new(), Vec::new());
    let mut theirs: Vec<Vec<Vec<f64>>> = vec![Vec::new(); stage.peers.list.len()];
    let told = |who: &str, number, late: &[f64]| {
        let (p50, p99) = (percentile(late, 0.5), percentile(late, 0.99));
        stage.say(&format!("latency, round {number}: {who} p50 {p50:.2} ms, p99 {p99:.2} ms"));
    };
    for number in 1..=stage.pace.rounds {
        let idle = idle(stage).await?;
        told("ours", number, &idle.began);
        ours.push(idle.began);
        answered.push(idle.answered);
        claimed.push(idle.claimed);
        for (peer, rounds) in stage.peers.list.iter().zip(&mut theirs) {
            let bout = peer.begin(stage).await?;
            let probes = Probes { count: stage.pace.probes, warm_up: WARM_UP / PROCESSES, pause: PAUSE };
            let late = bout.latencies(probes, PROCESSES).await?;
            bout.end().await?;
            told(peer.name(), number, &late);
            rounds.push(late);
        }
    }
    let mut figures = Vec::new();
    let all: [(&str, f64, Goal); 2] =
        [("p50", 0.5, goals::LATENCY_P50_MS), ("p99", 0.99, goals::LATENCY_P99_MS)];
    for (word, share, goal) in all {
        let of =
            |rounds: &[Vec<f64>]| -> Vec<f64> { rounds.iter().map(|late| percentile(late, share)).collect() };
        let part = |what: &str, rounds: &[Vec<f64>]| {
            Figure::of(format!("{what}, {word}"), median(&of(rounds)), "ms")
        };
        let what = format!("idle: HTTP request sent to handler begun, {word}");
        let ours = of(&ours);
        figures.push(Figure::of(&what, median(&ours), "ms").towards(goal));
        figures.push(part("of it until the answer", &answered));
        figures.push(part("of it until it was claimed", &claimed));
        for (peer, rounds) in stage.peers.list.iter().zip(&theirs) {
            let theirs = of(rounds);
            let who = format!("{}, without HTTP", peer.name());
            figures.push(Figure::of(&what, median(&ours), "ms").beside(
                &who,
                median(&theirs),
                median_ratio(&ours, &theirs),
            ));
        }
    }
    Ok(figures)
}

async fn idle(stage: &Stage) -> anyhow::Result<Idle> {
    let crewline = Crewline::open(stage).await?;
    let workers = crewline.workers(PROCESSES, LOG).await?;
    let mut client = crewline.connect().await?;
    let body = Bytes::from(job_of(0).to_string());
    let mut sent = Vec::new();
    for number in 0..WARM_UP + stage.pace.probes {
        let (asked, at_us) = (Instant::now(), now_us());
        let answer = client.submit("/v1/jobs", &format!("probe-{number}"), &body).await?;
        let id = answer["id"].as_str().context("an answer without an id")?.to_owned();
        sent.push((id, at_us, asked.elapsed().as_secs_f64() * 1e3));
        tokio::time::sleep_until((asked + PAUSE).into()).await;
    }
    let began = until("every job to run", Duration::from_mins(1), Duration::from_millis(50), || async {
        let began = beginnings(&workers);
        sent.iter().all(|(id, ..)| began.contains_key(id)).then_some(began)
    });
    let began = began.await?;
    crewline.quiet(Duration::from_mins(1)).await?;
    let claimed = claims(&crewline).await?;
    crewline.close().await?;
    let mut idle = Idle::default();
    for (id, at_us, answered) in sent.iter().skip(WARM_UP) {
        let ms = |moments: &HashMap<String, u64>| {
            moments.get(id).map(|moment| moment.saturating_sub(*at_us) as f64 / 1e3)
        };
        idle.answered.push(*answered);
        idle.claimed.extend(ms(&claimed));
        idle.began.extend(ms(&began));
    }
    Ok(idle)
}

/// When each job was claimed, in microseconds since 1970, by the clock of Postgres, which is that of the machine.
async fn claims(crewline: &Crewline<'_>) -> anyhow::Result<HashMap<String, u64>> {
    let rows = crewline
        .sql
        .rows(
            "select 'job_' || replace(job_id::text, '-', ''), (extract(epoch from started_at) * 1000000)::bigint
             from attempt where started_at is not null",
        )
        .await?;
    let read = |row: &String| {
        let (id, at) = row.split_once('|')?;
        Some((id.to_owned(), at.parse().ok()?))
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// When each job ran, in microseconds since 1970, by what the workers wrote down.
fn beginnings(workers: &[Worker]) -> HashMap<String, u64> {
    let mut all = HashMap::new();
    for worker in workers {
        for words in worker.process.said().lines() {
            let Ok(line) = serde_json::from_str::<Value>(words) else { continue };
            let id = line["message"].as_str().and_then(|message| message.strip_prefix("Completed "));
            let at = line["timestamp"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
            if let (Some(id), Some(at)) = (id, at) {
                all.insert(id.to_owned(), at.timestamp_micros() as u64);
            }
        }
    }
    all
}
