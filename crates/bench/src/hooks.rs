//! How soon a webhook is answered, at a steady pace: signed, believed, and kept on disk with the job that looks at it. Two
//! workers do meanwhile what comes of them.

use std::time::{Duration, Instant};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future::try_join_all;
use ring::hmac;
use serde_json::json;

use crate::{
    crewline::{Crewline, PROCESSES},
    figure::{Figure, median, median_ratio, percentile},
    goals::{self, Goal},
    http::Connection,
    stage::Stage,
    yardsticks,
};

/// As many as one source may send unless somebody raises it: 12,000 a minute.
const PER_S: u32 = 200;
/// Connections of the sender, and clients of the yardstick.
const CONNECTIONS: u32 = 8;
/// Not counted: connections open, caches fill.
const WARM_UP: Duration = Duration::from_millis(500);
/// Kept, and new.
const ACCEPTED: u16 = 202;
/// What the sender signs with.
const SECRET: &str = "correct horse";
/// How long what comes of them may take once the last was sent.
const REST_MAX: Duration = Duration::from_mins(1);

/// Rounds of ours and of the yardstick, in turn.
pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 1..=stage.pace.rounds {
        ours.push(pushes(stage).await?);
        theirs.push(yardsticks::pgbench_waits(stage, CONNECTIONS, PER_S, WARM_UP).await?);
        for (who, rounds) in [("ours", &ours), ("pgbench", &theirs)] {
            let [p50, p99] = [0.5, 0.99].map(|share| percentile(&rounds[rounds.len() - 1], share));
            stage.say(&format!("webhooks, round {number}: {who} p50 {p50:.2} ms, p99 {p99:.2} ms"));
        }
    }
    let told = |word: &str, share: f64, goal: Goal| {
        let of = |rounds: &[Vec<f64>]| -> Vec<f64> {
            rounds.iter().map(|waits| percentile(waits, share)).collect()
        };
        let (ours, theirs) = (of(&ours), of(&theirs));
        let what = format!("signed webhooks, {PER_S} a second, {CONNECTIONS} connections: answer, {word}");
        let yardstick = format!("pgbench, one-row insert, {PER_S} a second, {CONNECTIONS} clients");
        Figure::of(what, median(&ours), "ms")
            .beside(&yardstick, median(&theirs), median_ratio(&ours, &theirs))
            .towards(goal)
    };
    Ok(vec![told("p50", 0.5, goals::HOOKS_P50_MS), told("p99", 0.99, goals::HOOKS_P99_MS)])
}

/// How long each push of a round waited for its answer, in milliseconds. All of them became jobs that were done.
async fn pushes(stage: &Stage) -> anyhow::Result<Vec<f64>> {
    let crewline = Crewline::open(stage).await?;
    let path = make_source(&crewline).await?;
    let _workers = crewline.workers(PROCESSES, "warn").await?;
    crewline.settle().await?;
    let pushes = ((WARM_UP + stage.pace.intake).as_secs_f64() * f64::from(PER_S)) as u32;
    let begin = Instant::now();
    let senders = (0..CONNECTIONS).map(|first| {
        let (crewline, path) = (&crewline, path.as_str());
        async move {
            let mut connection = Connection::open(crewline.address, "").await?;
            let mut waits = Vec::new();
            for number in (first..pushes).step_by(CONNECTIONS as usize) {
                let due = begin + Duration::from_secs(1) * number / PER_S;
                let wait = push(&mut connection, path, number, due).await?;
                if due >= begin + WARM_UP {
                    waits.push(wait.as_secs_f64() * 1e3);
                }
            }
            anyhow::Ok(waits)
        }
    });
    let waits = try_join_all(senders).await?.concat();
    crewline.quiet(REST_MAX).await?;
    let ended = "select count(*) from attempt where kind = 'probe.work' and final_state = 'completed'";
    let done = crewline.sql.number(ended).await?;
    anyhow::ensure!(
        (done - f64::from(pushes)).abs() < 0.5,
        "{pushes} webhooks were answered, and {done} jobs came of them"
    );
    crewline.close().await?;
    Ok(waits)
}

/// A source whose sender signs with an HMAC, and whose every event becomes a job; answers where it is sent to.
async fn make_source(crewline: &Crewline<'_>) -> anyhow::Result<String> {
    let mut client = crewline.connect().await?;
    let source = json!({"name": "bench", "secret": SECRET, "scheme": {
        "type": "generic", "header": "X-Signature", "algorithm": "sha256", "encoding": "base64",
        "id_pointer": "/id", "type_pointer": "/type",
    }});
    let made = client.submit("/v1/webhook-sources", "source", source.to_string().as_bytes()).await?;
    let id = made["id"].as_str().context("a source without an id")?;
    let rule = json!({"event_type": "bench.*", "kind": "probe.work", "args": {"work_ms": {"constant": 0}}});
    client.submit(&format!("/v1/webhook-sources/{id}/rules"), "rule", rule.to_string().as_bytes()).await?;
    Ok(format!("/v1/hooks/{id}"))
}

/// Sends one when it is due; how long the answer took. One that has to let the one before it pass waits from when it was due.
async fn push(
    connection: &mut Connection,
    path: &str,
    number: u32,
    due: Instant,
) -> anyhow::Result<Duration> {
    let body = json!({"id": format!("evt_{number}"), "type": "bench.pushed"}).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let header = format!("X-Signature: {}", STANDARD.encode(hmac::sign(&key, body.as_bytes())));
    let asked = if Instant::now() < due {
        tokio::time::sleep_until(due.into()).await;
        Instant::now()
    } else {
        due
    };
    let (status, answer) = connection.post_with(path, &header, body.as_bytes()).await?;
    anyhow::ensure!(
        status == ACCEPTED,
        "a webhook was answered {status}: {}",
        String::from_utf8_lossy(&answer[..answer.len().min(400)])
    );
    Ok(asked.elapsed())
}
