//! F1: `kill -9`, again and again, under load.

use std::time::{Duration, Instant};

use rand::Rng;

use super::Ended;
use crate::{
    figure::{Figure, percentile},
    load::{Load, working},
    stage::Stage,
    world::World,
};

const WORKERS: usize = 4;
const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=16"];

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let (lasts, every) = (stage.pace.seconds(8, 90, 1_800), stage.pace.seconds(3, 10, 10));
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let mut workers = world.workers(WORKERS, &SLOTS).await?;
    stage.say("200 jobs/s, four workers");
    let load = Load { per_s: 200.0, body: |_| working(100) }.begin(&client);
    let (began, mut kills) = (Instant::now(), 0);
    while began.elapsed() < lasts {
        tokio::time::sleep(every).await;
        let victim = workers.swap_remove(rand::rng().random_range(0..workers.len()));
        stage.say(&format!("kill {}, {} accepted", victim.process.name, load.book.accepted()));
        world.kill(victim);
        workers.push(world.worker(&SLOTS)?);
        kills += 1;
    }
    let book = load.end().await;
    let mut figures = world.audit(&book, world.rerun_max() * 3 + Duration::from_mins(1)).await?;
    let mut reruns = world.reruns().await?;
    let crashed = world.number("select count(*) from attempt where outcome = 'crashed'").await?;
    figures.extend([
        Figure::tell("kills", kills),
        Figure::at_least("runs lost with their worker", crashed, 1),
        Figure::within("rerun p99", percentile(&mut reruns, 0.99), world.rerun_max()),
        Figure::within("rerun slowest", percentile(&mut reruns, 1.0), world.rerun_max()),
        Figure::none(
            "jobs given up",
            world.number("select count(*) from attempt where final_state <> 'completed'").await?,
        ),
        Figure::none("refused", book.refused()),
    ]);
    Ok(Ended::Seen(figures))
}
