//! F4: a mountain of jobs, half of them due at one moment, while nobody works.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::Ended;
use crate::{
    figure::Figure,
    load::{Book, Load, submit_many, working},
    stage::Stage,
    world::World,
};

/// How long a single request may take meanwhile.
const INTAKE_MAX: Duration = Duration::from_millis(150);

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let half = stage.pace.pick(1_000, 100_000, 100_000);
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let book = Book::default();
    let singles = Load { per_s: 20.0, body: |_| working(0) }.begin_into(&client, book.clone());
    stage.say(&format!("{half} jobs at once and {half} due together, nobody works"));
    let began = Instant::now();
    // Within what is left of the minutes this takes, so that the moment comes while all of them wait.
    let due = Utc::now() + TimeDelta::seconds(stage.pace.pick(5, 60, 180));
    submit_many(&client, &book, vec![working(0); half]).await?;
    submit_many(&client, &book, vec![due_at(due); half]).await?;
    let taken_in = began.elapsed();
    tokio::time::sleep((due - Utc::now()).to_std().unwrap_or_default()).await;
    stage.say(&format!("taken in after {} s; two workers start", taken_in.as_secs()));
    let began = Instant::now();
    let _workers = world.workers(2, &["--queues", "default", "--concurrency", "default=256"]).await?;
    singles.end().await;
    world.quiet(stage.pace.seconds(60, 300, 900)).await?;
    let done_after = began.elapsed();
    let early = world.number("select count(*) from attempt where started_at < scheduled_at").await?;
    let mut figures: Vec<Figure> = world.audit(&book, Duration::from_secs(10)).await?;
    figures.extend([
        Figure::none("begun before they were due", early),
        Figure::within("intake p99 during the burst", book.took(0.99), INTAKE_MAX),
        Figure::tell_time("intake p50 during the burst", book.took(0.5)),
        Figure::tell_time("all done after", done_after),
        Figure::none("refused", book.refused()),
    ]);
    Ok(Ended::Seen(figures))
}

fn due_at(due: chrono::DateTime<Utc>) -> Value {
    let mut job = working(0);
    job["scheduled_at"] = json!(due);
    job
}
