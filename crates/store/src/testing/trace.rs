//! The history of every job of a database, as lines that a model of the ledger can be held against.

use sqlx::{Connection, PgConnection};

use super::TestDatabase;
use crate::error::{OrFailed, StoreError};

/// One object per event, by the ledger's clock; one statement, so that it sees one moment.
///
/// History has a row per run that ended, a row per job that was removed while it waited, and nothing else: that a job
/// was enqueued or began again is told from the rows around it. A lease is gone when its jobs are done, but whoever held it
/// and when it was written tell it from every other. What one job met at one moment is ordered by fence, then by `step`.
const TRACE: &str = "with run as (
     select a.job_id, a.fence, a.attempt, a.max_attempts, a.created_at, a.started_at, a.finished_at, a.outcome,
            a.final_state, a.worker, a.error ->> 'code' as code
     from attempt a
     union all
     -- What runs or waits now: a row that has no end.
     select j.id, j.fence, (j.attempt + 1)::smallint, j.max_attempts, j.created_at, held.claimed_at, null, null, null,
            held.worker, null
     from job j
     left join lateral (
         select l.claimed_at, l.worker from lease l
         cross join lateral unnest(l.tenant_ids, l.job_ids, l.fences) as h (tenant_id, id, fence)
         where h.tenant_id = j.tenant_id and h.id = j.id and h.fence = j.fence) held on true
 ),
 told as (
     select run.*, worker || '@' || extract(epoch from started_at) as lease,
            lag(run.fence) over life as fence_before, lag(run.finished_at) over life as finished_before,
            lag(run.final_state) over life as final_before, lag(run.attempt) over life as attempt_before,
            min(least(run.created_at, run.started_at, run.finished_at)) over (partition by run.job_id) as first_at
     from run window life as (partition by run.job_id order by run.fence, run.finished_at nulls last)
 ),
 line as (
     select first_at as at, job_id, fence, 0 as step,
            jsonb_build_object('event', 'enqueued', 'max_attempts', max_attempts) as event
     from told where fence_before is null
     union all
     select finished_before, job_id, fence, 0,
            jsonb_build_object('event', 'revived', 'fence', fence, 'attempt', attempt_before, 'max_attempts', max_attempts)
     from told where final_before is not null and fence = fence_before + 1
     union all
     select started_at, job_id, fence, 1,
            jsonb_build_object('event', 'claimed', 'lease', lease, 'worker', worker, 'fence', fence, 'attempt', attempt)
     from told where started_at is not null
     union all
     select finished_at, job_id, fence, 2,
            case when started_at is null
                then jsonb_build_object('event', 'removed', 'outcome', outcome, 'fence', fence, 'attempt', attempt)
                else jsonb_build_object(
                    'event', case when code = 'worker_lost' then 'rescued' else 'settled' end, 'outcome', outcome,
                    'lease', lease, 'worker', worker, 'fence', fence, 'attempt', attempt)
            end
     from told where finished_at is not null
 )
 select (jsonb_build_object('at', at, 'job', job_id) || event)::text from line order by at, fence, step, job_id";

impl TestDatabase {
    /// What happened to every job, oldest first: JSON lines, each with `at`, `job` and `event`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn trace(&self) -> Result<String, StoreError> {
        let mut admin = PgConnection::connect(&self.url()).await.or_failed("reach the test database")?;
        let lines: Vec<String> =
            sqlx::query_scalar(TRACE).fetch_all(&mut admin).await.or_failed("read what happened to jobs")?;
        admin.close().await.or_failed("leave the test database")?;
        Ok(lines.join("\n"))
    }
}
