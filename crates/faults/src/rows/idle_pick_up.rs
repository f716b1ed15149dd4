//! F5: how long a single job waits when there is nothing to do.

use std::time::Duration;

use super::Ended;
use crate::{
    figure::{Figure, percentile},
    ledger,
    load::{Book, submit, working},
    stage::Stage,
    world::World,
};

const P50_MAX: Duration = Duration::from_millis(20);
const P99_MAX: Duration = Duration::from_millis(100);
const MAX: Duration = Duration::from_secs(1);
/// Long enough for a job without work to be done and stored, so that every push meets an idle crew.
const PAUSE: Duration = Duration::from_millis(15);

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let pushes = stage.pace.pick(40, 10_000, 10_000);
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let _workers = world.workers(2, &["--queues", "default"]).await?;
    stage.say(&format!("{pushes} single jobs, one after the other"));
    let book = Book::default();
    for _ in 0..pushes {
        submit(&client, &book, working(0)).await;
        tokio::time::sleep(PAUSE).await;
    }
    let mut figures = world.audit(&book, Duration::from_secs(30)).await?;
    let mut waits = ledger::waits(&world.database, "true").await?;
    figures.extend([
        Figure::within("pick-up p50", percentile(&mut waits, 0.5), P50_MAX),
        Figure::within("pick-up p99", percentile(&mut waits, 0.99), P99_MAX),
        Figure::within("pick-up slowest", percentile(&mut waits, 1.0), MAX),
    ]);
    Ok(Ended::Seen(figures))
}
