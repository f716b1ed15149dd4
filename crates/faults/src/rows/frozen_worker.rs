//! F3: a worker that stands still until its jobs are somebody else's, and then goes on.

use std::time::Duration;

use super::Ended;
use crate::{
    figure::Figure,
    load::{self, Load, working},
    picture,
    stage::Stage,
    world::World,
};

const SLOTS: [&str; 4] = ["--queues", "default,media", "--concurrency", "default=16,media=1"];

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let rounds = stage.pace.pick(1, 2, 20);
    let frozen_for = stage.pace.seconds(4, 35, 60);
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let mut workers = world.workers(3, &SLOTS).await?;
    let load = Load { per_s: 50.0, body: |_| working(300) }.begin(&client);
    let (mut held, mut late_words) = (0, 0);
    for round in 1..=rounds {
        // One picture per worker, so that the one that freezes is likely to be making one.
        for _ in 0..workers.len() {
            let asset = picture::asset(&client, picture::plain_png(3_000)?).await?;
            load::submit(&client, &load.book, picture::job(&asset)).await;
        }
        let victim = &workers[0];
        let name = victim.process.name.clone();
        let holds =
            format!("select coalesce(sum(cardinality(job_ids)), 0) from lease where worker = '{name}'");
        world.reaches("the worker to hold jobs", &holds, 2, Duration::from_secs(30)).await?;
        victim.freeze();
        let holding = world.number(&holds).await?;
        held += holding;
        stage.say(&format!(
            "round {round}: {name} stands still with {holding} jobs for {} s",
            frozen_for.as_secs()
        ));
        let frozen_at = now(&world).await?;
        tokio::time::sleep(frozen_for).await;
        let thawed_at = now(&world).await?;
        victim.thaw();
        victim.ready().await?;
        // Time for what it has to say about jobs that are not its own any more.
        tokio::time::sleep(world.lease()).await;
        late_words += world
            .number(&format!(
                "select count(*) from attempt where worker = '{name}' and outcome <> 'crashed'
                 and started_at < to_timestamp({frozen_at}) and finished_at > to_timestamp({thawed_at})"
            ))
            .await?;
        workers.rotate_left(1);
    }
    let book = load.end().await;
    let is_told = ["came too late and was refused", "because its lease was lost"];
    let refused =
        workers.iter().filter(|worker| is_told.iter().any(|words| worker.process.said(words))).count();
    let mut figures = world.audit(&book, world.rerun_max() * 3 + Duration::from_mins(1)).await?;
    let pictures = picture::verify(&world, &client).await?;
    figures.extend([
        Figure::at_least("jobs held while frozen", held, rounds * 2),
        Figure::at_least(
            "runs taken back",
            world.number("select count(*) from attempt where outcome = 'crashed'").await?,
            rounds,
        ),
        Figure::none("late verdicts accepted", late_words),
        Figure::at_least("workers that noticed", refused, 1),
        Figure::tell("pictures fetched", pictures.pictures),
        Figure::none("pictures missing or damaged", pictures.wrong + pictures.empty),
        Figure::none("picture rows twice", world.number(picture::TWICE).await?),
    ]);
    Ok(Ended::Seen(figures))
}

/// The database's clock, in seconds.
async fn now(world: &World) -> anyhow::Result<f64> {
    let now = world.database.json("select to_json(extract(epoch from clock_timestamp()))").await?;
    now.as_f64().ok_or_else(|| anyhow::anyhow!("the clock says {now}"))
}
