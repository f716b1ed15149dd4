//! Taking back what dead workers held.

use jobs::{JobId, TenantId, limits::CRASHES_MAX};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    outbox,
    progress::{self, Ended},
};

/// Leases taken back in one sweep.
const LEASES_PER_SWEEP: i64 = 64;

/// A job whose worker stopped renewing its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescued {
    /// Which it is.
    pub job: JobId,
    /// The worker that held it.
    pub worker: String,
    /// `crashed` when it waits again, `discarded` or `cancelled` when it ended.
    pub outcome: String,
}

#[derive(FromRow)]
struct Row {
    tenant_id: Uuid,
    worker: String,
    outcome: String,
    #[sqlx(flatten)]
    ended: Ended,
}

/// Whose leases to take back.
#[derive(Debug, Clone, Copy)]
pub enum From<'a> {
    /// Of every worker, those that ran out.
    Anyone,
    /// Of one worker that is known to be dead, whatever time they have left.
    Dead(&'a str),
}

/// The lanes that the jobs under lost leases may go back to.
const QUARANTINES: &str = "select lane_for(l.tenant_id, l.queue, l.priority, l.level, l.kind, l.key, l.promise_s) from (
     select distinct lane.tenant_id, lane.queue, lane.priority, least(job.crashes + 1, 2)::smallint as level, lane.kind,
         lane.key, lane.promise_s
     from lease cross join lateral unnest(lease.tenant_ids, lease.job_ids) as held (tenant_id, id)
     join job on job.tenant_id = held.tenant_id and job.id = held.id
     join lane on lane.id = job.lane_id
     where lease.id = any ($1)) l";

/// Leases out; their jobs back to waiting or into history, each only if the lease's fence is still theirs.
const RESCUE: &str = "with lost as (
     delete from lease where id = any ($1) returning *
 ),
 x as materialized (
     select lost.worker, lost.claimed_at, held.tenant_id, held.id, held.fence
     from lost cross join lateral unnest(lost.tenant_ids, lost.job_ids, lost.fences) as held (tenant_id, id, fence)
 ),
 gone as (
     delete from job j using x
     where j.tenant_id = x.tenant_id and j.id = x.id and j.fence = x.fence
       and (j.attempt + 1 >= j.max_attempts or j.crashes + 1 >= $2 or j.cancel_requested_at is not null)
     returning j.*, x.worker, x.claimed_at,
         case when j.cancel_requested_at is not null then 'cancelled' else 'discarded' end as outcome
 ),
 back as (
     update job j set attempt = j.attempt + 1, crashes = j.crashes + 1, fence = j.fence + 1,
         pos = nextval('job_pos'), lane_id = quarantine.id, progress_percent = null, progress_message = null,
         last_error = $3
     from x, lane, lane quarantine
     where j.tenant_id = x.tenant_id and j.id = x.id and j.fence = x.fence
       and not (j.attempt + 1 >= j.max_attempts or j.crashes + 1 >= $2 or j.cancel_requested_at is not null)
       and lane.id = j.lane_id
       and quarantine.tenant_id = lane.tenant_id and quarantine.queue = lane.queue
       and quarantine.priority = lane.priority and quarantine.quarantine = least(j.crashes + 1, 2)
       and quarantine.kind = lane.kind and quarantine.key = lane.key and quarantine.promise_s = lane.promise_s
     returning j.*, x.worker, x.claimed_at
 )
 insert into attempt (tenant_id, job_id, fence, attempt, kind_version, max_attempts, priority, created_at,
     scheduled_at, started_at, outcome, final_state, kind, queue, key, promise_s, due_at, worker, args, error, unique_key, traceparent,
     tags, metadata, workflow_id, step)
 select gone.tenant_id, gone.id, gone.fence, gone.attempt + 1, gone.kind_version, gone.max_attempts, lane.priority,
     gone.created_at, gone.scheduled_at, gone.claimed_at, gone.outcome, gone.outcome, gone.kind, lane.queue,
     lane.key, lane.promise_s, gone.due_at, gone.worker, gone.args, $3, gone.unique_key, gone.traceparent, gone.tags, gone.metadata,
     gone.workflow_id, gone.step
 from gone join lane on lane.id = gone.lane_id
 union all
 select back.tenant_id, back.id, back.fence - 1, back.attempt, back.kind_version, back.max_attempts, lane.priority,
     back.created_at, back.scheduled_at, back.claimed_at, 'crashed', null, back.kind, lane.queue,
     lane.key, lane.promise_s, back.due_at, back.worker, null, $3, null, null, null, null, null, null
 from back join lane on lane.id = back.lane_id
 returning tenant_id, job_id, worker, outcome, workflow_id, step, final_state";

/// Takes back up to 64 leases. A crash uses up an attempt.
///
/// Which of the jobs was to blame, if any, nobody knows: most workers die of something else. So the jobs wait again in
/// quarantine, first all together but apart from regular jobs; those that are there when a worker dies a second time
/// run alone. Out of attempts, or after [`CRASHES_MAX`] crashes, a job is discarded.
pub async fn rescue(db: &Db, from: From<'_>) -> Result<Vec<Rescued>, StoreError> {
    let dead = match from {
        From::Anyone => None,
        From::Dead(worker) => Some(worker),
    };
    let crash = serde_json::json!({
        "code": "worker_lost",
        "message": "the worker that ran this attempt died or stopped answering",
    });
    let mut tx = db.begin().await?;
    let lost: Vec<Uuid> = sqlx::query_scalar(
        "select id from lease where case when $1::text is null then until < clock_timestamp() else worker = $1 end
         order by id limit $2 for update skip locked",
    )
    .bind(dead)
    .bind(LEASES_PER_SWEEP)
    .fetch_all(&mut *tx)
    .await
    .or_failed("find lost leases")?;
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(QUARANTINES).bind(&lost).execute(&mut *tx).await.or_failed("make quarantines")?;
    let rows: Vec<Row> = sqlx::query_as(RESCUE)
        .bind(&lost)
        .bind(CRASHES_MAX as i16)
        .bind(Json(crash))
        .fetch_all(&mut *tx)
        .await
        .or_failed("rescue jobs")?;
    progress::count(&mut tx, rows.iter().filter_map(|row| row.ended.member())).await?;
    let ended = rows.iter().filter(|row| row.outcome != "crashed");
    let ended: Vec<_> = ended.map(|row| (TenantId::from_uuid(row.tenant_id), row.ended.job())).collect();
    outbox::tell_ended(&mut tx, &ended).await?;
    if !rows.is_empty() {
        sqlx::query("select pg_notify('crewline_jobs', ''), pg_notify('crewline_moved', '')")
            .execute(&mut *tx)
            .await
            .or_failed("rescue jobs")?;
    }
    commit(tx, "rescue jobs").await?;
    Ok(rows
        .into_iter()
        .map(|row| Rescued { job: row.ended.job(), worker: row.worker, outcome: row.outcome })
        .collect())
}
