//! Stopping a job: at once while it waits, through its worker while it runs.

use jobs::{JobId, State, TenantId, failure::Problem};
use sqlx::{AssertSqlSafe, FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
    film_parts, outbox,
    progress::{self, Ended},
};

/// What became of the wish to stop a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It was waiting and is cancelled now.
    AtOnce,
    /// It is running; its worker was told.
    Requested,
    /// It had ended before, in this state.
    TooLate(State),
    /// This tenant has no such job.
    NotFound,
}

/// Cancels `job` of `tenant`.
pub async fn cancel(
    db: &Db,
    tenant: TenantId,
    job: JobId,
    problem: &Problem,
) -> Result<Cancelled, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let queue: Option<String> = sqlx::query_scalar(
        "select lane.queue from job join lane on lane.id = job.lane_id where job.tenant_id = $1 and job.id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("find the job to cancel")?;
    let Some(queue) = queue else { return ended(&mut tx, tenant, job).await };

    stop_claiming(&mut tx, &queue).await?;
    let running: bool = sqlx::query_scalar(
        "select exists (select from running_jobs($2) r join job on job.id = r.job_id and job.fence = r.fence
                        where job.tenant_id = $1)",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .fetch_one(&mut *tx)
    .await
    .or_failed("see whether the job is running")?;
    // Before the job's own row is locked: whoever moves a workflow comes to it from the other end.
    film_parts::abandon_in(&mut tx, tenant, job).await?;
    let outcome = if running {
        request(&mut tx, tenant, job).await?
    } else {
        remove(&mut tx, tenant, job, problem).await?
    };
    commit(tx, "cancel a job").await?;
    Ok(outcome)
}

async fn request(tx: &mut Tx, tenant: TenantId, job: JobId) -> Result<Cancelled, StoreError> {
    // Settled in this very moment: its end is in the history now.
    if request_all(tx, tenant, &[job]).await? == 0 {
        return ended(tx, tenant, job).await;
    }
    Ok(Cancelled::Requested)
}

/// Asks for live jobs to stop, wherever they are; answers how many there were. Their workers are told; one that went back
/// to waiting is cancelled by the next sweep.
pub(crate) async fn request_all(tx: &mut Tx, tenant: TenantId, jobs: &[JobId]) -> Result<usize, StoreError> {
    let told = sqlx::query(
        "with told as (
             update job set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
             from unnest($2::uuid[], $3::text[]) as x (id, name)
             where job.tenant_id = $1 and job.id = x.id returning x.name)
         select pg_notify('crewline_cancel', name) from told",
    )
    .bind(tenant.as_uuid())
    .bind(jobs.iter().map(JobId::as_uuid).collect::<Vec<_>>())
    .bind(jobs.iter().map(ToString::to_string).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .or_failed("ask workers to stop jobs")?;
    Ok(told.rows_affected() as usize)
}

async fn remove(
    tx: &mut Tx,
    tenant: TenantId,
    job: JobId,
    problem: &Problem,
) -> Result<Cancelled, StoreError> {
    if end_waiting(tx, tenant, &[job], State::Cancelled, problem).await?.is_empty() {
        return ended(tx, tenant, job).await;
    }
    Ok(Cancelled::AtOnce)
}

/// Ends jobs that nobody runs and nobody can claim, in the final state `end`; answers which.
pub(crate) async fn end_waiting(
    tx: &mut Tx,
    tenant: TenantId,
    jobs: &[JobId],
    end: State,
    problem: &Problem,
) -> Result<Vec<JobId>, StoreError> {
    let removed: Vec<Ended> = sqlx::query_as(
        "with gone as (delete from job where tenant_id = $1 and id = any ($2) returning *)
         insert into attempt (tenant_id, job_id, fence, attempt, kind_version, max_attempts, priority, created_at,
             scheduled_at, outcome, final_state, kind, queue, key, promise_s, due_at, args, error, unique_key, traceparent,
             tags, metadata, workflow_id, step)
         select gone.tenant_id, gone.id, gone.fence, gone.attempt, gone.kind_version, gone.max_attempts, lane.priority,
             gone.created_at, gone.scheduled_at, $4, $4, gone.kind, lane.queue, lane.key,
             lane.promise_s, gone.due_at, gone.args, $3, gone.unique_key, gone.traceparent, gone.tags, gone.metadata,
             gone.workflow_id, gone.step
         from gone join lane on lane.id = gone.lane_id
         returning job_id, workflow_id, step, final_state",
    )
    .bind(tenant.as_uuid())
    .bind(jobs.iter().map(JobId::as_uuid).collect::<Vec<_>>())
    .bind(Json(problem))
    .bind(end.name())
    .fetch_all(&mut **tx)
    .await
    .or_failed("end waiting jobs")?;
    progress::count(tx, removed.iter().filter_map(Ended::member)).await?;
    let ended: Vec<(TenantId, JobId)> = removed.iter().map(|ended| (tenant, ended.job())).collect();
    outbox::tell_ended(tx, &ended).await?;
    if let [one] = removed.as_slice() {
        announce(tx, &one.job().to_string()).await?;
    } else if !removed.is_empty() {
        announce(tx, "").await?;
    }
    Ok(removed.iter().map(Ended::job).collect())
}

async fn announce(tx: &mut Tx, moved: &str) -> Result<(), StoreError> {
    sqlx::query("select pg_notify('crewline_moved', $1)")
        .bind(moved)
        .execute(&mut **tx)
        .await
        .or_failed("announce jobs that ended")?;
    Ok(())
}

/// Cancels live jobs of `tenant`: those that wait at once, those that run through their workers. False when there were
/// none. For workers.
pub(crate) async fn cancel_many(
    db: &Db,
    tenant: TenantId,
    jobs: &[JobId],
    problem: &Problem,
) -> Result<bool, StoreError> {
    let ids: Vec<Uuid> = jobs.iter().map(JobId::as_uuid).collect();
    let queues: Vec<String> = sqlx::query_scalar(
        "select distinct lane.queue from job join lane on lane.id = job.lane_id
         where job.tenant_id = $1 and job.id = any ($2)",
    )
    .bind(tenant.as_uuid())
    .bind(&ids)
    .fetch_all(db.pool())
    .await
    .or_failed("find the jobs to cancel")?;
    for queue in &queues {
        let mut tx = db.begin().await?;
        stop_claiming(&mut tx, queue).await?;
        let waiting: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(format!(
            "select j.id from job j join lane on lane.id = j.lane_id
             where j.tenant_id = $1 and j.id = any ($2) and lane.queue = $3 and not exists ({HELD})"
        )))
        .bind(tenant.as_uuid())
        .bind(&ids)
        .bind(queue)
        .fetch_all(&mut *tx)
        .await
        .or_failed("see which jobs wait")?;
        let waiting: Vec<JobId> = waiting.into_iter().map(JobId::from_uuid).collect();
        end_waiting(&mut tx, tenant, &waiting, State::Cancelled, problem).await?;
        sqlx::query(
            "with told as (
                 update job j set cancel_requested_at = coalesce(j.cancel_requested_at, clock_timestamp())
                 from lane where lane.id = j.lane_id and lane.queue = $3 and j.tenant_id = $1 and j.id = any ($2)
                 returning j.id)
             select pg_notify('crewline_cancel', 'job_' || replace(id::text, '-', '')) from told",
        )
        .bind(tenant.as_uuid())
        .bind(&ids)
        .bind(queue)
        .execute(&mut *tx)
        .await
        .or_failed("ask workers to stop jobs")?;
        commit(tx, "cancel jobs").await?;
    }
    Ok(!queues.is_empty())
}

async fn ended(tx: &mut Tx, tenant: TenantId, job: JobId) -> Result<Cancelled, StoreError> {
    let state: Option<String> = sqlx::query_scalar(
        "select final_state from attempt where tenant_id = $1 and job_id = $2 and final_state is not null
         order by finished_at desc limit 1",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .fetch_optional(&mut **tx)
    .await
    .or_failed("see how the job ended")?;
    Ok(state.and_then(|state| state.parse().ok()).map_or(Cancelled::NotFound, Cancelled::TooLate))
}

/// Which of `running` somebody wants stopped. For a worker that may have missed the notice.
pub async fn requested(db: &Db, running: &[(TenantId, JobId)]) -> Result<Vec<JobId>, StoreError> {
    let (tenants, ids): (Vec<Uuid>, Vec<Uuid>) =
        running.iter().map(|(t, j)| (t.as_uuid(), j.as_uuid())).unzip();
    let wanted: Vec<Uuid> = sqlx::query_scalar(
        "select job.id from job join unnest($1::uuid[], $2::uuid[]) as x (tenant_id, id)
             on job.tenant_id = x.tenant_id and job.id = x.id
         where job.cancel_requested_at is not null",
    )
    .bind(tenants)
    .bind(ids)
    .fetch_all(db.pool())
    .await
    .or_failed("see which running jobs should stop")?;
    Ok(wanted.into_iter().map(JobId::from_uuid).collect())
}

#[derive(FromRow)]
struct Orphan {
    tenant_id: Uuid,
    id: Uuid,
    queue: String,
}

/// Whether a lease names the job under its present fence. An older fence may still stand in a lease whose other jobs
/// take longer.
const HELD: &str =
    "select from lease cross join lateral unnest(lease.job_ids, lease.fences) as held (id, fence)
    where lease.job_ids @> array[j.id] and held.id = j.id and held.fence = j.fence";

/// Cancels jobs that went back to waiting although somebody had asked for them to stop; answers how many.
pub async fn finish_requested(db: &Db) -> Result<usize, StoreError> {
    let orphans: Vec<Orphan> = sqlx::query_as(AssertSqlSafe(format!(
        "select j.tenant_id, j.id, lane.queue from job j join lane on lane.id = j.lane_id
         where j.cancel_requested_at is not null and not exists ({HELD}) limit 100"
    )))
    .fetch_all(db.pool())
    .await
    .or_failed("look for jobs that should have stopped")?;
    let mut finished = 0;
    for orphan in orphans {
        if finish(db, &orphan).await? {
            finished += 1;
        }
    }
    Ok(finished)
}

async fn finish(db: &Db, orphan: &Orphan) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let (tenant, job) = (TenantId::from_uuid(orphan.tenant_id), JobId::from_uuid(orphan.id));
    if !keep_waiting(&mut tx, tenant, job, &orphan.queue).await? {
        return Ok(false);
    }
    let outcome = remove(&mut tx, tenant, job, &Problem::new("cancelled", "cancelled on request")).await?;
    commit(tx, "cancel a job").await?;
    Ok(outcome == Cancelled::AtOnce)
}

/// Cancels `job`, which stands in `queue`, in a transaction of a worker's: because other work takes its place.
pub(crate) async fn supersede(
    tx: &mut Tx,
    tenant: TenantId,
    job: JobId,
    queue: &str,
    problem: &Problem,
) -> Result<Cancelled, StoreError> {
    if keep_waiting(tx, tenant, job, queue).await? {
        remove(tx, tenant, job, problem).await
    } else {
        request(tx, tenant, job).await
    }
}

/// Whether `job` waits; then it will not be claimed before the transaction ends. For workers, who may read leases.
async fn keep_waiting(tx: &mut Tx, tenant: TenantId, job: JobId, queue: &str) -> Result<bool, StoreError> {
    stop_claiming(tx, queue).await?;
    sqlx::query_scalar(AssertSqlSafe(format!(
        "select exists (select from job j where j.tenant_id = $1 and j.id = $2 and not exists ({HELD}))"
    )))
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .fetch_one(&mut **tx)
    .await
    .or_failed("see whether the job is running")
}

/// Claiming takes the same lock: from here on a job of the queue is either running already or will not be claimed.
pub(crate) async fn stop_claiming(tx: &mut Tx, queue: &str) -> Result<(), StoreError> {
    sqlx::query("select pg_advisory_xact_lock(1, hashtext($1))")
        .bind(queue)
        .execute(&mut **tx)
        .await
        .or_failed("stop claiming while a job is cancelled")?;
    Ok(())
}
