//! F16: old history goes while jobs of that time still wait, and everything stays quick and small.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Ended;
use crate::{
    client::Client,
    figure::{Figure, percentile},
    ledger,
    load::{self, Book, Load, working},
    stage::{Stage, until},
    world::World,
};

const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=64"];
/// History is kept for a shorter time than this.
const AGE_DAYS: u32 = 40;
const HOUR_S: u32 = 3_600;
/// Housekeeping comes by every minute.
const CLEANED_MAX: Duration = Duration::from_secs(90);
const LIST_MAX: Duration = Duration::from_millis(200);
const LISTS: [&str; 5] = ["", "&state=discarded", "&state=completed", "&tag=dead", "&kind=probe.work"];
/// What Redis may have more of after all the work than before.
const REDIS_GROWTH_MAX: f64 = 1_048_576.0;

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let (old, waiting) = (stage.pace.pick(500, 10_000, 100_000), stage.pace.pick(50, 1_000, 10_000));
    let world = World::open(stage).await?;
    let (client, former) = (world.tenant("acme").await?, world.tenant("former").await?);
    let workers = world.workers(1, &SLOTS).await?;
    let redis_before = redis_bytes(&world)?;
    stage.say(&format!("{old} jobs that ended, {waiting} that failed once or are not due"));
    let of_old = Book::default();
    load::submit_many(&former, &of_old, vec![working(0); old]).await?;
    let book = Book::default();
    load::submit_many(&client, &book, (0..waiting).map(not_yet).collect()).await?;
    let still = format!(
        "select (count(*) = {waiting})::int::bigint from job where pos is null and (attempt = 1 or tags[1] like '%later')"
    );
    world.reaches("the others to wait", &still, 1, Duration::from_mins(2)).await?;
    let mut figures: Vec<Figure> =
        world_of_old(&world, &of_old).await?.into_iter().map(|figure| figure.of("the old")).collect();

    stage.say(&format!("all of it is {AGE_DAYS} days old; history goes, under load"));
    world.database.execute(&aged()).await?;
    let aged = world.number(OLD).await?;
    drop(workers);
    let load = Load { per_s: 50.0, body: |_| working(10) }.begin_into(&client, book.clone());
    // It cleans when it starts, and every minute.
    let _workers = world.workers(2, &SLOTS).await?;
    let began = Instant::now();
    until("old history to go", CLEANED_MAX, || async { (world.number(OLD).await.ok()? == 0).then_some(()) })
        .await?;
    figures.push(Figure::within("old history gone after", began.elapsed(), CLEANED_MAX));
    let live = world.number("select count(*) from job where tags is not null").await?;
    stage.say("their time has come");
    world.database.execute("update job set scheduled_at = now() where pos is null").await?;
    world.reaches("those that waited to end", WELL, waiting, Duration::from_mins(2)).await.ok();
    load.end().await;
    let redis_after = redis_bytes(&world)?;
    // Earlier attempts are gone: their numbers cannot be held against each other, nor walked through the model.
    let mut all = world.audit_of(&book, Duration::from_mins(1), "true").await?;
    all.extend(figures);
    all.extend([
        Figure::at_least("rows of history that went", aged, old),
        Figure::be("live jobs left alone", live, waiting),
        Figure::be("ended with their own payload", world.number(WELL).await?, waiting),
        Figure::at_most(
            "Redis grew by",
            (redis_after - redis_before) / 1_024.0,
            " KiB",
            REDIS_GROWTH_MAX / 1_024.0,
        ),
    ]);
    all.extend(lists(stage, &world, &client).await?);
    Ok(Ended::Seen(all))
}

/// A job with a payload of its own that fails and waits for an hour, or is due in one.
fn not_yet(number: usize) -> Value {
    let due = chrono::Utc::now() + chrono::TimeDelta::seconds(i64::from(HOUR_S));
    let is_later = number % 2 == 1;
    let tag = format!("payload {number}{}", if is_later { " later" } else { "" });
    let endings = if is_later { json!([]) } else { json!([{ "retry_after": HOUR_S }]) };
    let mut job = json!({
        "kind": "probe.work", "args": { "echo": tag, "endings": endings }, "max_attempts": 5, "tags": [tag],
    });
    if is_later {
        job["scheduled_at"] = json!(due);
    }
    job
}

async fn world_of_old(world: &World, book: &Book) -> anyhow::Result<Vec<Figure>> {
    let ended = "select count(*) from attempt where final_state = 'completed'";
    world.reaches("the old ones to end", ended, book.accepted(), Duration::from_mins(2)).await?;
    Ok(vec![Figure::be("completed", world.number(ended).await?, book.accepted())])
}

/// Everything there is becomes old. Half of it lies in the partition of its day, half where days without one lie.
fn aged() -> String {
    let day = chrono::Utc::now().date_naive() - chrono::Days::new(u64::from(AGE_DAYS));
    let (from, to) = (day.format("%Y%m%d"), day.succ_opt().unwrap_or(day));
    let of = |table: &str, time: &str| {
        format!(
            "create table {table}_{from} partition of {table} for values from ('{day} UTC') to ('{to} UTC');
             update {table} set {time} = {time} - (interval '1 day' * ({AGE_DAYS} + (hashtext(job_id::text) & 1)));"
        )
    };
    let (attempts, logs) = (of("attempt", "finished_at"), of("job_log", "logged_at"));
    format!("{attempts} {logs} update job set created_at = created_at - interval '{AGE_DAYS} days'")
}

/// Whatever is as old as that.
const OLD: &str = "select (select count(*) from attempt where finished_at < now() - interval '35 days')
    + (select count(*) from job_log where logged_at < now() - interval '35 days')";

/// Those that waited, and ended with what they were given.
const WELL: &str = "select count(*) from attempt where outcome = 'completed' and tags is not null and result ->> 'echo' = tags[1]";

fn redis_bytes(world: &World) -> anyhow::Result<f64> {
    let script = "return tonumber(string.match(redis.call('INFO', 'memory'), 'used_memory:(%d+)'))";
    let told = world.redis.tell(&format!("EVAL \"{script}\" 0"))?;
    Ok(told.trim_start_matches(':').parse()?)
}

/// How long lists take beside a mountain.
async fn lists(stage: &Stage, world: &World, client: &Client) -> anyhow::Result<Vec<Figure>> {
    let mountain = stage.pace.pick(20_000, 500_000, 10_000_000);
    stage.say(&format!("{mountain} jobs in history, lists"));
    world.database.execute(&ledger::mixed_history("acme", mountain)).await?;
    world.database.execute("analyze attempt").await?;
    let list = async |query: &str| {
        let began = Instant::now();
        client.get(&format!("/v1/jobs?limit=50{query}")).await?;
        anyhow::Ok(began.elapsed())
    };
    let mut took = Vec::new();
    for number in 0..stage.pace.pick(50, 500, 2_000) {
        took.push(list(LISTS[number % LISTS.len()]).await?);
    }
    // It has to look at all of them, so it grows with history; a bound on it would be a promise that nobody made.
    let of_nothing = list("&tag=nobody-has-it").await?;
    Ok(vec![
        Figure::tell("jobs in history", mountain),
        Figure::within("lists p95", percentile(&mut took, 0.95), LIST_MAX),
        Figure::tell_time("lists slowest", percentile(&mut took, 1.0)),
        Figure::tell_time("a list that finds nothing", of_nothing),
    ])
}
