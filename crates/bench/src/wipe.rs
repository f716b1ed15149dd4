//! Redis is emptied while 10,000 jobs wait: how long nothing begins, and whether all of them end.

use std::time::{Duration, Instant};

use testkit::until;

use crate::{
    crewline::{Crewline, PROCESSES},
    figure::Figure,
    goals,
    stage::Stage,
};

/// Jobs that wait when it happens.
const WAITING: u64 = 10_000;
/// Jobs that are done by then, so that everybody is at work.
const AHEAD: u64 = 2_000;
/// Long enough for none to be over before all have begun.
const WORK_MS: u32 = 50;
/// Longest that the rest may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Every key is gone, and the connections with it, as after a crash without a disk.
pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let crewline = Crewline::open(stage).await?;
    let slots = PROCESSES as u64 * u64::from(stage.pace.slots);
    let jobs = WAITING + AHEAD + 2 * slots;
    crewline.fill(jobs, WORK_MS).await?;
    let jobs = crewline.sql.number("select count(*) from job").await?;
    let workers = crewline.workers(PROCESSES, "warn").await?;
    crewline.ended(&workers, AHEAD, PATIENCE).await?;
    let waiting = crewline.sql.number("select count(*) from job").await?;
    let wiped_at = crewline.sql.text("select clock_timestamp()").await?;
    stage.servers.empty_redis()?;
    stage.servers.redis.tell("CLIENT KILL TYPE normal SKIPME yes")?;
    let wiped = Instant::now();
    let again = format!("select count(*) from lease where claimed_at > '{wiped_at}'");
    until("a claim after the wipe", PATIENCE, Duration::from_millis(2), || async {
        crewline.sql.number(&again).await.is_ok_and(|claims| claims > 0.0).then_some(())
    })
    .await?;
    let first = wiped.elapsed().as_secs_f64();
    crewline.quiet(PATIENCE).await?;
    // A few tickets may have been heard before the wipe; the longest silence shows what was really lost.
    let silence = crewline
        .sql
        .number(&format!(
            "select coalesce(extract(epoch from max(gap)), 0) from (
                 select started_at - lag(started_at) over (order by started_at) as gap
                 from attempt where started_at > timestamptz '{wiped_at}' - interval '1 s') gaps"
        ))
        .await?;
    let ended = crewline
        .sql
        .number("select count(distinct job_id) from attempt where final_state = 'completed'")
        .await?;
    stage.say(&format!("wipe: first claim after {first:.3} s, longest silence {silence:.3} s"));
    crewline.close().await?;
    Ok(vec![
        Figure::of("Redis wiped: longest time in which no job began", silence, "s").towards(goals::WIPE_S),
        Figure::of("jobs that were waiting then", waiting, "jobs"),
        Figure::of("jobs lost by the wipe", jobs - ended, "jobs").towards(goals::LOST),
    ])
}
