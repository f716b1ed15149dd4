//! F6: jobs that take their worker down with them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Ended;
use crate::{
    figure::{Figure, percentile},
    ledger,
    load::{self, Load, working},
    stage::Stage,
    world::World,
};

const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=16"];
/// The longest that anybody else may have to wait.
const DELAY_MAX: Duration = Duration::from_secs(30);
const CRASHES_MAX: usize = jobs::limits::CRASHES_MAX as usize;

fn poison() -> Value {
    let endings = vec!["abort"; 50];
    json!({ "kind": "probe.work", "args": { "work_ms": 100, "endings": endings }, "max_attempts": 20, "tags": ["poison"] })
}

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let jobs = stage.pace.pick(1, 5, 50);
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let mut workers = world.workers(2, &SLOTS).await?;
    let load = Load { per_s: 50.0, body: |_| working(100) }.begin(&client);
    let mut deaths = 0;
    for round in 1..=jobs {
        stage.say(&format!("poison {round} of {jobs}"));
        let told = load::submit(&client, &load.book, poison()).await;
        anyhow::ensure!(told.job().is_some(), "the poison was not accepted: {told:?}");
        let ended = "select count(*) from attempt where final_state = 'discarded'";
        let give_up = Instant::now() + world.rerun_max() * 4 + Duration::from_secs(30);
        while world.number(ended).await? < round {
            deaths += world.tend(&mut workers, &SLOTS)?;
            anyhow::ensure!(Instant::now() < give_up, "the poison goes on: {deaths} workers died");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let book = load.end().await;
    let mut figures = world.audit(&book, world.rerun_max() * 3 + Duration::from_mins(1)).await?;
    let healthy = "not exists (select from attempt p where p.job_id = a.job_id and p.tags is not null)";
    let mut waits = ledger::waits(&world.database, healthy).await?;
    let mut pauses = ledger::times(
        &world.database,
        "select extract(epoch from at - lag(at) over (order by at)) * 1000
         from (select finished_at as at from attempt where outcome = 'completed') done",
    )
    .await?;
    let crashes =
        "select count(*) from attempt where job_id in (select job_id from attempt where tags is not null)
                   and outcome in ('crashed', 'discarded')";
    let others = "select count(*) from attempt where final_state = 'discarded' and tags is null";
    figures.extend([
        Figure::be(
            "poison jobs discarded",
            world
                .number("select count(*) from attempt where final_state = 'discarded' and tags is not null")
                .await?,
            jobs,
        ),
        Figure::be("runs of them", world.number(crashes).await?, jobs * CRASHES_MAX),
        Figure::at_least("workers that died", deaths, jobs),
        Figure::none("others discarded", world.number(others).await?),
        Figure::within("others waited at most", percentile(&mut waits, 1.0), DELAY_MAX),
        Figure::within("longest time nothing was completed", percentile(&mut pauses, 1.0), DELAY_MAX),
    ]);
    Ok(Ended::Seen(figures))
}
