//! A worker process is killed in the middle of its jobs: how long until they run again, and whether all of them end.

use std::time::{Duration, Instant};

use testkit::until;

use crate::{
    crewline::{Crewline, PROCESSES},
    figure::Figure,
    goals,
    stage::Stage,
};

/// Jobs, and how long each works: enough for both workers to be busy when one dies.
const JOBS: u64 = 20_000;
const WORK_MS: u32 = 50;
/// A lease, a sweep, and twice as much again.
const PATIENCE: Duration = Duration::from_mins(1);

/// With the settings that programs have by themselves.
pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let crewline = Crewline::open(stage).await?;
    crewline.fill(JOBS, WORK_MS).await?;
    let mut workers = crewline.workers(PROCESSES, "warn").await?;
    let victim = workers[0].name.clone();
    let busy = format!("select count(*) from attempt where worker = '{victim}' and final_state is not null");
    until("the victim to be busy", PATIENCE, Duration::from_millis(5), || async {
        crewline.sql.number(&busy).await.is_ok_and(|ended| ended > 100.0).then_some(())
    })
    .await?;
    let killed_at = crewline.sql.text("select clock_timestamp()").await?;
    workers[0].process.kill();
    let killed = Instant::now();
    let held = format!("select coalesce(sum(cardinality(job_ids)), 0) from lease where worker = '{victim}'");
    let held = crewline.sql.number(&held).await?;
    anyhow::ensure!(held > 0.0, "the victim held nothing");
    crewline.quiet(PATIENCE).await?;
    stage.say(&format!("recovery: everything ended {:.1} s after the kill", killed.elapsed().as_secs_f64()));
    let seen = crewline
        .sql
        .numbers(&format!(
            "select count(*), coalesce(max(extract(epoch from again.at - '{killed_at}')), 0)
             from attempt lost cross join lateral (
                 select min(next.started_at) as at from attempt next
                 where next.tenant_id = lost.tenant_id and next.job_id = lost.job_id and next.fence > lost.fence) again
             where lost.worker = '{victim}' and lost.outcome = 'crashed'"
        ))
        .await?;
    let ended = crewline
        .sql
        .number("select count(distinct job_id) from attempt where final_state = 'completed'")
        .await?;
    crewline.close().await?;
    Ok(vec![
        Figure::of("kill -9 of a worker to the last of its jobs begun again", seen[1], "s")
            .towards(goals::RECOVERY_S),
        Figure::of("jobs it held that ran again", seen[0], "jobs"),
        Figure::of("jobs lost by the kill", JOBS as f64 - ended, "jobs").towards(goals::LOST),
    ])
}
