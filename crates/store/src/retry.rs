//! Running a job again because somebody asked for it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use jobs::{JobId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, LaneKey, Tx, commit},
    dead_letters,
    enqueue::ring,
    error::{OrFailed, StoreError},
};

/// What became of the wish to run a job again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It may run now, with at least one attempt left.
    Available,
    /// It is running; nothing was changed.
    Running,
    /// The same work is waiting or running already, under this id.
    Duplicate(JobId),
    /// It belongs to a step of a workflow that is over: what follows from it has begun.
    StepOver,
    /// This tenant has no such job, or its history has been pruned.
    NotFound,
}

#[derive(FromRow)]
struct Ended {
    fence: i32,
    finished_at: DateTime<Utc>,
    kind: String,
    queue: String,
    key: String,
    promise_s: i32,
    priority: i16,
    unique_key: Option<String>,
    final_state: String,
    workflow_id: Option<Uuid>,
    step: Option<i16>,
}

/// Makes `job` of `tenant` available at once: a waiting job skips its wait, an ended one begins again under the same id.
pub async fn retry(db: &Db, tenant: TenantId, job: JobId) -> Result<Retried, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let live: Option<bool> = sqlx::query_scalar(
        "select exists (select from running_jobs($2) r where r.job_id = job.id and r.fence = job.fence)
         from job where tenant_id = $1 and id = $2 for update",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("find the job to retry")?;
    let outcome = match live {
        Some(true) => Retried::Running,
        Some(false) => {
            hurry(&mut tx, tenant, &[job]).await?;
            Retried::Available
        }
        None => revive(db, &mut tx, tenant, job).await?,
    };
    if outcome == Retried::Available {
        ring(&mut tx, jobs::Queue::ALL.into_iter()).await?;
        sqlx::query("select pg_notify('crewline_moved', $1)")
            .bind(job.to_string())
            .execute(&mut *tx)
            .await
            .or_failed("announce a retried job")?;
        // Whatever else came of it must leave nothing behind.
        commit(tx, "retry a job").await?;
    }
    Ok(outcome)
}

/// Lets those of `jobs` that wait for their time run now; answers how many did.
pub(crate) async fn hurry(tx: &mut Tx, tenant: TenantId, jobs: &[JobId]) -> Result<usize, StoreError> {
    let hurried = sqlx::query(
        "with hurried as (
             update job set pos = nextval('job_pos'), scheduled_at = clock_timestamp()
             where tenant_id = $1 and id = any ($2) and pos is null returning id, lane_id
         ),
         woken as (
             update lane set asleep_since = null where asleep_since is not null and id in (select lane_id from hurried)
         )
         select id from hurried",
    )
    .bind(tenant.as_uuid())
    .bind(jobs.iter().map(JobId::as_uuid).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .or_failed("make waiting jobs available")?;
    Ok(hurried.rows_affected() as usize)
}

/// The end of a job, and the lane that it is to begin again in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Again {
    pub(crate) job: JobId,
    pub(crate) fence: i32,
    pub(crate) finished_at: DateTime<Utc>,
    pub(crate) lane: i32,
    /// It waits for the time that it waited for, where that is still to come.
    pub(crate) waits: bool,
}

/// Begins ended jobs again under their ids, in order; answers which did. Of the others some are there already, and some
/// are the same work as one that is.
pub(crate) async fn begin_again(
    tx: &mut Tx,
    tenant: TenantId,
    ended: &[Again],
) -> Result<HashSet<JobId>, StoreError> {
    let begun: Vec<Uuid> = sqlx::query_scalar(
        "with woken as (
             update lane set asleep_since = null where id = any ($5) and asleep_since is not null
         )
         insert into job (tenant_id, id, pos, created_at, scheduled_at, lane_id, fence, kind_version, attempt, max_attempts,
             kind, args, unique_key, traceparent, tags, metadata, workflow_id, step)
         select a.tenant_id, a.job_id,
             case when not x.waits or a.scheduled_at <= clock_timestamp() then nextval('job_pos') end, a.created_at,
             case when x.waits then greatest(a.scheduled_at, clock_timestamp()) else clock_timestamp() end, x.lane_id,
             a.fence + 1,
             a.kind_version, a.attempt, greatest(a.max_attempts, a.attempt + 1), a.kind, a.args, a.unique_key,
             a.traceparent, a.tags, a.metadata, a.workflow_id, a.step
         from unnest($2::uuid[], $3::int[], $4::timestamptz[], $5::int[], $6::bool[]) with ordinality
              as x (id, fence, finished_at, lane_id, waits, place)
         join attempt a on a.tenant_id = $1 and a.job_id = x.id and a.fence = x.fence and a.finished_at = x.finished_at
         order by x.place
         on conflict do nothing returning id",
    )
    .bind(tenant.as_uuid())
    .bind(ended.iter().map(|again| again.job.as_uuid()).collect::<Vec<_>>())
    .bind(ended.iter().map(|again| again.fence).collect::<Vec<_>>())
    .bind(ended.iter().map(|again| again.finished_at).collect::<Vec<_>>())
    .bind(ended.iter().map(|again| again.lane).collect::<Vec<_>>())
    .bind(ended.iter().map(|again| again.waits).collect::<Vec<_>>())
    .fetch_all(&mut **tx)
    .await
    .or_failed("begin jobs again")?;
    dead_letters::take_out(tx, tenant, &begun).await?;
    Ok(begun.into_iter().map(JobId::from_uuid).collect())
}

async fn revive(db: &Db, tx: &mut Tx, tenant: TenantId, job: JobId) -> Result<Retried, StoreError> {
    let ended: Option<Ended> = sqlx::query_as(
        "select fence, finished_at, kind, queue, key, promise_s, priority, unique_key, final_state, workflow_id,
                step from attempt
         where tenant_id = $1 and job_id = $2 and final_state is not null order by finished_at desc limit 1",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .fetch_optional(&mut **tx)
    .await
    .or_failed("find the job to retry")?;
    let Some(ended) = ended else { return Ok(Retried::NotFound) };
    if !uncount(tx, &ended).await? {
        return Ok(Retried::StepOver);
    }
    let unreadable = |found: String| StoreError::Unreadable { table: "attempt", found };
    let queue = ended.queue.parse().map_err(|_| unreadable(ended.queue.clone()))?;
    let priority = u8::try_from(ended.priority).ok().and_then(jobs::Priority::new);
    let lane = db
        .lane(LaneKey {
            tenant,
            queue,
            priority: priority.ok_or_else(|| unreadable(ended.priority.to_string()))?,
            kind: ended.kind.clone(),
            key: Some(ended.key).filter(|key| !key.is_empty()),
            promise_s: ended.promise_s as u32,
        })
        .await?;
    let again = Again { job, fence: ended.fence, finished_at: ended.finished_at, lane, waits: false };
    if !begin_again(tx, tenant, &[again]).await?.is_empty() {
        return Ok(Retried::Available);
    }
    let holder: Option<Uuid> = sqlx::query_scalar(
        "select id from job where tenant_id = $1 and (id = $2 or (kind = $3 and unique_key = $4))",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .bind(ended.kind)
    .bind(ended.unique_key)
    .fetch_optional(&mut **tx)
    .await
    .or_failed("find the job that is the same work")?;
    Ok(holder.map_or(Retried::NotFound, |holder| Retried::Duplicate(JobId::from_uuid(holder))))
}

/// Takes the job out of the counts of its step; false when the step is over.
async fn uncount(tx: &mut Tx, ended: &Ended) -> Result<bool, StoreError> {
    let (Some(workflow), Some(step)) = (ended.workflow_id, ended.step) else { return Ok(true) };
    let uncounted = sqlx::query(
        "update workflow_step set completed = completed - ($3 = 'completed')::int,
             discarded = discarded - ($3 = 'discarded')::int, cancelled = cancelled - ($3 = 'cancelled')::int
         where workflow_id = $1 and ordinal = $2 and state = 'running' and completed + discarded + cancelled < jobs_total",
    )
    .bind(workflow)
    .bind(step)
    .bind(&ended.final_state)
    .execute(&mut **tx)
    .await
    .or_failed("take a job out of the counts of its step")?;
    Ok(uncounted.rows_affected() == 1)
}
