//! F26: a mountain of jobs that were given up is retried at once, by workers that are killed at it, beside other work.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use super::Ended;
use crate::{
    client::Client,
    figure::{Figure, percentile},
    history, ledger,
    load::{Book, Load, working},
    pace::Pace,
    stage::{Stage, until},
    world::World,
};

const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=64"];
/// Runs none of these jobs: it walks.
const IDLE: [&str; 2] = ["--queues", "media_bulk"];
const SOON: Duration = Duration::from_mins(1);
/// How much longer than alone other work may wait, and what a busy machine adds to so few milliseconds.
const RATIO_MAX: f64 = 1.2;
const NOISE: Duration = Duration::from_millis(5);
const ASK_EVERY: Duration = Duration::from_millis(250);
const MARKED: &str = "metadata ? 'mark'";

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let mountain = stage.pace.pick(6_000, 30_000, 1_000_000);
    let world = World::open(stage).await?;
    let (client, operator) = (world.tenant("acme").await?, world.tenant("mountain").await?);
    stage.say(&format!("{mountain} jobs that were given up"));
    world.database.execute(&ledger::given_up("mountain", mountain)).await?;
    let mut walkers = world.workers(2, &IDLE).await?;
    let _workers = world.workers(1, &SLOTS).await?;
    let book = Book::default();
    let load = Load { per_s: 50.0, body: |_| working(5) }.begin_into(&client, book.clone());
    stage.say("other work, alone");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let alone = Span::watch(&book, stage.pace.seconds(5, 20, 60)).await;

    // What is begun again waits: this is about the walk. To run so many jobs beside others is F21.
    let everything = json!({ "reason": "to look at the walk" });
    let pause = operator.change(Method::POST, "/v1/pauses", &everything).await?;
    let retry =
        json!({ "action": "retry", "priority": 4, "filter": { "states": ["discarded"], "tag": "dead" } });
    let (path, from) = (begin(&operator, "retry", &retry).await?, Span::open(&book));
    let mut beside = None;
    for quarter in 1..=3 {
        until("the walk to go on", SOON * 5, || async {
            (processed(&operator, &path).await? >= mountain * quarter / 4).then_some(())
        })
        .await?;
        // What other work felt is measured up to the first death: programs that start are no part of a walk.
        beside.get_or_insert_with(|| from.close(&book));
        // Both, one after the other: whoever walks at this moment is one of them.
        stage.say(&format!("both that walk are killed, {quarter} of 4 quarters"));
        for _ in 0..walkers.len() {
            let victim = walkers.remove(0);
            world.kill(victim);
            walkers.push(world.worker(&IDLE)?);
        }
    }
    let ended = over(&operator, &path).await?;
    stage.say("another operation is stopped half-way");
    let stopped = stop_half_way(&operator, mountain).await?;
    let moved = "select count(*) from job j join lane l on l.id = j.lane_id where 'dead' = any (j.tags) and l.priority = 1";
    let moved = world.number(moved).await?;

    stage.say("all of them run");
    operator
        .change(
            Method::DELETE,
            &format!("/v1/pauses/{}", pause["id"].as_str().unwrap_or_default()),
            &json!({}),
        )
        .await?;
    load.end().await;
    let bound = stage.pace.seconds(90, 400, 7_200);
    let mut figures = world.audit_of(&book, bound, MARKED).await?;
    let once_more = "select count(*) from (select from attempt where 'dead' = any (tags) group by job_id
                     having array_agg(outcome order by finished_at) = array['discarded', 'completed']) t";
    figures.extend(history::figures(&world.database, mountain).await?);
    figures.extend([
        Figure::be("jobs the walk changed", ended["changed"].as_u64().unwrap_or_default() as usize, mountain),
        Figure::be("of them run exactly once more", world.number(once_more).await?, mountain),
        Figure::be("changed by the stopped operation, and so counted", moved, stopped),
        Figure::at_least("left alone by it", mountain - stopped, 1),
    ]);
    if let Some(beside) = beside {
        figures.extend(compared(stage.pace, &world, &book, &alone, &beside).await?);
    }
    Ok(Ended::Seen(figures))
}

/// A part of the load, from one moment to another.
struct Span {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    first: usize,
    last: usize,
}

impl Span {
    fn open(book: &Book) -> Self {
        let (now, answered) = (Utc::now(), book.took_from(0).len());
        Self { from: now, to: now, first: answered, last: answered }
    }

    fn close(&self, book: &Book) -> Self {
        Self { to: Utc::now(), last: book.took_from(0).len(), ..*self }
    }

    async fn watch(book: &Book, lasts: Duration) -> Self {
        let span = Self::open(book);
        tokio::time::sleep(lasts).await;
        span.close(book)
    }
}

/// What the other work felt of it.
async fn compared(
    pace: Pace,
    world: &World,
    book: &Book,
    alone: &Span,
    beside: &Span,
) -> anyhow::Result<Vec<Figure>> {
    let waits = async |span: &Span| {
        let within = format!(
            "a.tags is null and a.created_at between to_timestamp({}) and to_timestamp({})",
            span.from.timestamp_millis() as f64 / 1e3,
            span.to.timestamp_millis() as f64 / 1e3
        );
        ledger::waits(&world.database, &within).await
    };
    let answers = |span: &Span| {
        let mut answers = book.took_from(span.first);
        answers.truncate(span.last - span.first);
        answers
    };
    let mut figures = Vec::new();
    for (what, mut before, mut during) in
        [("pick-up", waits(alone).await?, waits(beside).await?), ("intake", answers(alone), answers(beside))]
    {
        let most = percentile(&mut before, 0.5).mul_f64(RATIO_MAX) + NOISE;
        let median = percentile(&mut during, 0.5);
        let name = format!("{what} p50 beside it");
        figures.extend([
            // A walk of a second says nothing about milliseconds.
            match pace {
                Pace::Quick => Figure::tell_time(name, median),
                _ => Figure::within(name, median, most),
            },
            Figure::tell_time(format!("{what} p50 alone"), percentile(&mut before, 0.5)),
            Figure::tell_time(format!("{what} p95 beside it"), percentile(&mut during, 0.95)),
            Figure::tell_time(format!("{what} p95 alone"), percentile(&mut before, 0.95)),
        ]);
    }
    Ok(figures)
}

async fn begin(client: &Client, key: &str, body: &Value) -> anyhow::Result<String> {
    let told = client.submit("/v1/bulk-operations", key, body, SOON).await;
    match &told.answer {
        Some((status, body)) if status.is_success() => {
            Ok(format!("/v1/bulk-operations/{}", body["id"].as_str().unwrap_or_default()))
        }
        _ => anyhow::bail!("the operation {key} was not begun: {told:?}"),
    }
}

/// How far the walk is. Not asked so often that the asking is what others feel.
async fn processed(client: &Client, path: &str) -> Option<usize> {
    tokio::time::sleep(ASK_EVERY).await;
    client.get(path).await.ok()?["processed"].as_u64().map(|processed| processed as usize)
}

/// Waits until an operation is over.
async fn over(client: &Client, path: &str) -> anyhow::Result<Value> {
    until("the operation to end", SOON * 10, || async {
        client.get(path).await.ok().filter(|shown| shown["state"] != "running")
    })
    .await
}

/// Moves the mountain to the head of the line, and stops on the way; answers how many jobs it says it moved.
async fn stop_half_way(client: &Client, mountain: usize) -> anyhow::Result<usize> {
    let filter = json!({ "states": ["available"], "tag": "dead" });
    let body = json!({ "action": "reprioritise", "priority": 1, "filter": filter });
    let path = begin(client, "reprioritise", &body).await?;
    until("it to get going", SOON * 5, || async {
        (processed(client, &path).await? >= mountain / 4).then_some(())
    })
    .await?;
    client.change(Method::POST, &format!("{path}/cancel"), &json!({})).await?;
    let ended = over(client, &path).await?;
    Ok(ended["changed"].as_u64().unwrap_or_default() as usize)
}
