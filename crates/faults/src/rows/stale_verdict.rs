//! F17: one stale verdict among a hundred that are stored together.

use std::time::Duration;

use jobs::{JobId, LeaseId, TenantId};
use serde_json::Value;
use store::{
    Db, Role, settle,
    verdict::{Settle, Verdict},
};

use super::Ended;
use crate::{
    figure::Figure,
    load::{self, Book, working},
    stage::Stage,
    world::{Scene, World},
};

const BATCH: usize = 100;
const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=100"];
const WORK_MS: u32 = 1_000;
/// Longer than the jobs work, so that all of them have ended when the worker goes on.
const FROZEN: Duration = Duration::from_millis(1_500);
const HELD: &str =
    "from lease l cross join lateral unnest(l.tenant_ids, l.job_ids, l.fences) as held (tenant, id, fence)";

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let rounds = stage.pace.pick(1, 8, 200);
    // Longer than the worker is frozen: it is one verdict that comes too late, not all of them.
    let scene = Scene { lease: Duration::from_secs(15), ..Scene::of(stage)? };
    let world = World::set(stage, scene).await?;
    let client = world.tenant("acme").await?;
    let workers = world.workers(1, &SLOTS).await?;
    let (book, db) = (Book::default(), world.database.db(Role::Worker)?);
    for round in 1..=rounds {
        stage.say(&format!("{BATCH} jobs, round {round} of {rounds}"));
        load::submit_many(&client, &book, vec![working(WORK_MS); BATCH]).await?;
        let running = format!("select count(*) {HELD}");
        world.reaches("all of them to run", &running, BATCH, Duration::from_secs(30)).await?;
        workers[0].freeze();
        hand_one_back(&world, &db).await?;
        tokio::time::sleep(FROZEN).await;
        workers[0].thaw();
        world.quiet(Duration::from_secs(30)).await?;
    }
    db.close().await;
    let mut figures = world.audit(&book, Duration::from_secs(30)).await?;
    let of = async |condition: &str| {
        world
            .number(&format!("select count(*) from attempt where outcome = 'completed' and {condition}"))
            .await
    };
    let together =
        "select coalesce(max(n), 0) from (select count(*) as n from attempt group by xmin::text) t";
    figures.extend([
        Figure::at_least("verdicts stored in one transaction", world.number(together).await?, BATCH / 2),
        Figure::be("stale verdicts among them", rounds, rounds),
        Figure::be("others accepted", of("fence = 0").await?, rounds * (BATCH - 1)),
        Figure::be("run again in their place", of("fence = 1").await?, rounds),
        Figure::at_least(
            "told that they came too late",
            usize::from(workers[0].process.said("A verdict came too late and was refused")),
            1,
        ),
    ]);
    Ok(Ended::Seen(figures))
}

/// Puts one of the running jobs back into line, as if its worker had done so and forgotten.
async fn hand_one_back(world: &World, db: &Db) -> anyhow::Result<()> {
    let one = format!("select json_build_array(l.id, held.tenant, held.id, held.fence) {HELD} limit 1");
    let held = world.database.json(&one).await?;
    let id = |at: usize, prefix: &str| {
        format!("{prefix}_{}", held[at].as_str().unwrap_or_default().replace('-', ""))
    };
    let forged = Settle {
        lease: id(0, LeaseId::PREFIX).parse::<LeaseId>()?,
        tenant: id(1, TenantId::PREFIX).parse::<TenantId>()?,
        job: id(2, JobId::PREFIX).parse::<JobId>()?,
        fence: held.get(3).and_then(Value::as_i64).unwrap_or_default() as i32,
        verdict: Verdict::Returned,
    };
    let accepted = settle::settle(db, &[forged], &[]).await?;
    anyhow::ensure!(accepted.len() == 1, "the forged verdict was refused");
    Ok(())
}
