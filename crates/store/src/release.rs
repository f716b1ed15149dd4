//! What may run now: promoting what has come due, and counting what waits.

use std::time::Duration;

use jobs::Queue;
use sqlx::FromRow;

use crate::{
    claim::Pick,
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// Jobs promoted in one pass.
const PROMOTE_MAX: i64 = 1_000;
/// Positions that are "lately": what is taken in within a second or so.
const LATELY_POSITIONS: i64 = 20_000;
/// Waiting jobs counted before the count says "at least so many".
const COUNT_MAX: i32 = 512;

/// Gives a position to jobs whose time has come; answers how many.
pub async fn promote_due(db: &Db) -> Result<u64, StoreError> {
    let promoted = sqlx::query(
        "with due as materialized (
             select tenant_id, id, fence, lane_id from job where pos is null and scheduled_at <= clock_timestamp()
             order by scheduled_at limit $1 for update skip locked
         ),
         -- What came due first goes first, whatever order the update below takes.
         numbered as materialized (select due.*, nextval('job_pos') as next_pos from due),
         woken as (
             update lane set asleep_since = null where asleep_since is not null and id in (select lane_id from due)
         )
         update job set pos = numbered.next_pos from numbered
         where job.tenant_id = numbered.tenant_id and job.id = numbered.id and job.fence = numbered.fence
           and job.pos is null",
    )
    .bind(PROMOTE_MAX)
    .execute(db.pool())
    .await
    .or_failed("promote jobs that have come due")?;
    Ok(promoted.rows_affected())
}

/// How long until the next job comes due; none when nothing is scheduled.
pub async fn next_due(db: &Db) -> Result<Option<Duration>, StoreError> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "select extract(epoch from scheduled_at - clock_timestamp())::float8 from job
         where pos is null and scheduled_at < 'infinity' order by scheduled_at limit 1",
    )
    .fetch_optional(db.pool())
    .await
    .or_failed("look when the next job comes due")?;
    Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}

/// How far back to look for jobs that a cursor passed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// A little way: for every moment.
    Lately,
    /// All the way: for once in a while.
    Ever,
}

/// Moves jobs that a cursor passed before they were committed to the end of their lane; answers how many.
///
/// Two transactions may take positions in one order and commit in the other. Lease and cursor move together, so one
/// snapshot tells a job that was passed by from a job that is running. [`Passed::Lately`] looks only a little way back from
/// the cursor, where nearly all of them are: further back lie the remains of jobs that are done. Does nothing while another
/// process is at it.
pub async fn unstrand(db: &Db, passed: Passed) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let mine: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock(7, 0)")
        .fetch_one(&mut *tx)
        .await
        .or_failed("move jobs that a cursor passed by")?;
    if !mine {
        return Ok(0);
    }
    let moved = sqlx::query(
        "with held as materialized (
             select h.id, h.fence from lease cross join lateral unnest(lease.job_ids, lease.fences) as h (id, fence)
         ),
         passed as (
             select j.tenant_id, j.id, j.fence, j.pos from lane
             join job j on j.lane_id = lane.id and j.pos <= lane.cursor and j.pos > lane.cursor - $2
             where lane.asleep_since is null and not exists (select from held where held.id = j.id and held.fence = j.fence)
             limit $1
         )
         update job set pos = nextval('job_pos') from passed
         where job.tenant_id = passed.tenant_id and job.id = passed.id and job.fence = passed.fence
           and job.pos = passed.pos",
    )
    .bind(PROMOTE_MAX)
    .bind(match passed {
        Passed::Lately => LATELY_POSITIONS,
        Passed::Ever => i64::MAX,
    })
    .execute(&mut *tx)
    .await
    .or_failed("move jobs that a cursor passed by")?;
    commit(tx, "move jobs that a cursor passed by").await?;
    Ok(moved.rows_affected())
}

/// How much may run in a queue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waiting {
    /// The queue.
    pub queue: Queue,
    /// Which of the queue's jobs.
    pub pick: Pick,
    /// Jobs that nothing holds back; counted up to 512.
    pub jobs: u32,
    /// When a rate may let the next one go; none when no rate holds any back.
    pub ready_in: Option<Duration>,
}

#[derive(FromRow)]
struct WaitingRow {
    queue: String,
    quarantine: i16,
    jobs: i64,
    ready_in_s: Option<f64>,
}

/// What may run in each queue that has something waiting, as the next claims would see it.
pub async fn waiting(db: &Db) -> Result<Vec<Waiting>, StoreError> {
    let rows: Vec<WaitingRow> = sqlx::query_as(
        "select q.queue, q.quarantine, coalesce(sum(plan.allowed), 0)::bigint as jobs,
                extract(epoch from min(plan.ready_at) - clock_timestamp())::float8 as ready_in_s
         from (select distinct queue, quarantine from lane where asleep_since is null) q
         cross join lateral plan_claim(q.queue, q.quarantine, $1) plan
         group by 1, 2",
    )
    .bind(COUNT_MAX)
    .fetch_all(db.pool())
    .await
    .or_failed("count waiting jobs")?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let (queue, pick) = (row.queue.parse().ok()?, Pick::of_level(row.quarantine)?);
            let ready_in = row.ready_in_s.map(|seconds| Duration::from_secs_f64(seconds.max(0.0)));
            Some(Waiting { queue, pick, jobs: row.jobs.try_into().unwrap_or(u32::MAX), ready_in })
        })
        .collect())
}
