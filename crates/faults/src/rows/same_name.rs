//! F19: a worker is killed, and started again under its name.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Ended;
use crate::{
    figure::{Figure, percentile},
    load::{Load, working},
    stage::Stage,
    worker::How,
    world::World,
};

const NAME: &str = "once-more";
const FETCHING_MAX: Duration = Duration::from_secs(2);

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let rounds = stage.pace.pick(2, 10, 100);
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let how = How {
        name: Some(NAME),
        arguments: &["--queues", "default", "--concurrency", "default=16"],
        ..How::default()
    };
    let mut worker = world.worker_as(&how)?;
    worker.ready().await?;
    let load = Load { per_s: 50.0, body: |_| working(100) }.begin(&client);
    let mut fetching = Vec::new();
    for round in 1..=rounds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.say(&format!("kill {NAME}, {round} of {rounds}"));
        world.kill(worker);
        let again = Utc::now();
        worker = world.worker_as(&how)?;
        fetching.push(first_claim(&world, again).await?);
    }
    let book = load.end().await;
    let mut figures = world.audit(&book, world.rerun_max() * 3 + Duration::from_mins(1)).await?;
    let lost = world.number("select count(*) from attempt where outcome = 'crashed'").await?;
    let others =
        format!("select count(*) from attempt where started_at is not null and worker not like '{NAME}%'");
    figures.extend([
        Figure::at_least("runs lost with their worker", lost, 1),
        Figure::within("claims again after, p50", percentile(&mut fetching, 0.5), FETCHING_MAX),
        Figure::within("claims again after, slowest", percentile(&mut fetching, 1.0), FETCHING_MAX),
        Figure::none("runs under another name", world.number(&others).await?),
        Figure::none("refused", book.refused()),
    ]);
    Ok(Ended::Seen(figures))
}

/// How long after `since` the name has claimed something, by the ledger's clock, which is this machine's.
async fn first_claim(world: &World, since: DateTime<Utc>) -> anyhow::Result<Duration> {
    let since_s = since.timestamp_micros() as f64 / 1e6;
    let claims = format!("from attempt where worker = '{NAME}' and started_at > to_timestamp({since_s})");
    world.reaches("a claim", &format!("select count(*) {claims}"), 1, Duration::from_secs(30)).await?;
    let after = format!("select (extract(epoch from min(started_at)) * 1000000)::bigint {claims}");
    let at = DateTime::from_timestamp_micros(world.database.number(&after).await?).unwrap_or_default();
    Ok((at - since).max(TimeDelta::zero()).to_std()?)
}
