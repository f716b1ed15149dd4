//! Which jobs came before another, and which come after it: in its workflow, and because one ended with the other.

use chrono::NaiveDate;
use jobs::{JobId, TenantId, WorkflowId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    enqueue::{self, Enqueued, NewJob},
    error::{OrFailed, StoreError},
    reads::not_before,
};

/// Rows forgotten at once.
const PRUNE_MAX: i64 = 5_000;

/// A job that led to another, or that followed from it.
#[derive(Debug, Clone, FromRow)]
pub struct Relative {
    id: Uuid,
    /// Whether it led to the other.
    pub is_parent: bool,
    /// What it does.
    pub kind: String,
    /// Where in its life it is.
    pub state: String,
}

impl Relative {
    /// Which job.
    pub fn id(&self) -> JobId {
        JobId::from_uuid(self.id)
    }
}

/// Enqueues what follows from `parent`, and notes that it does; answers as [`enqueue::insert`].
pub(crate) async fn bring(
    db: &Db,
    tx: &mut Tx,
    (tenant, parent): (TenantId, JobId),
    new: &[NewJob],
) -> Result<Vec<Enqueued>, StoreError> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let enqueued = enqueue::insert(db, tx, tenant, new).await?;
    let standing = new.iter().zip(&enqueued).map(|(new, enqueued)| match enqueued {
        Enqueued::Inserted => new.id.as_uuid(),
        Enqueued::Existing(id) => id.as_uuid(),
    });
    sqlx::query(
        "insert into follow_up (tenant_id, parent_id, child_id) select $1, $2, unnest($3::uuid[])
         on conflict do nothing",
    )
    .bind(tenant.as_uuid())
    .bind(parent.as_uuid())
    .bind(standing.collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .or_failed("note what follows from a job")?;
    Ok(enqueued)
}

/// Up to `most` jobs that led to `job`, and as many that followed from it, as far as they are kept.
///
/// # Errors
/// When the database fails.
pub async fn of_job(db: &Db, tenant: TenantId, job: JobId, most: i64) -> Result<Vec<Relative>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "with near as (
             (select parent_id as id, true as is_parent from follow_up
              where tenant_id = $1 and child_id = $2 order by parent_id limit $3)
             union all
             (select child_id, false from follow_up
              where tenant_id = $1 and parent_id = $2 order by child_id limit $3)
         )
         select near.id, near.is_parent, found.kind, found.state from near cross join lateral (
             select j.kind, case when r.job_id is not null then 'running' when j.pos is not null then 'available'
                        when j.attempt > 0 then 'retryable' else 'scheduled' end as state
             from job j left join running_jobs(near.id) r on r.job_id = j.id and r.fence = j.fence
             where j.tenant_id = $1 and j.id = near.id
             union all
             (select a.kind, a.final_state from attempt a
              where a.tenant_id = $1 and a.job_id = near.id and a.final_state is not null and a.finished_at >= $4
              order by a.finished_at desc limit 1)
             limit 1) found
         order by near.is_parent desc, near.id",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .bind(most)
    .bind(not_before(job))
    .fetch_all(&mut *tx)
    .await
    .or_failed("find what led to a job and what followed")
}

/// Forgets what was noted before `keep_from`; answers how many rows. For workers.
///
/// # Errors
/// When the database fails.
pub async fn prune(db: &Db, keep_from: NaiveDate) -> Result<u64, StoreError> {
    let gone = sqlx::query(
        "delete from follow_up where ctid = any (array(
             select ctid from follow_up where created_at < $1 order by created_at limit $2))",
    )
    .bind(keep_from)
    .bind(PRUNE_MAX)
    .execute(db.pool())
    .await
    .or_failed("forget what followed from jobs")?;
    Ok(gone.rows_affected())
}

/// Up to `most` jobs of each of these steps, live or ended, with the step's ordinal. Steps that have not begun have none.
///
/// # Errors
/// When the database fails.
pub async fn of_steps(
    db: &Db,
    tenant: TenantId,
    workflow: WorkflowId,
    steps: &[i16],
    most: i64,
) -> Result<Vec<(i16, JobId)>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let found: Vec<(i16, Uuid)> = sqlx::query_as(
        "select s.step, x.job from unnest($3::smallint[]) as s (step) cross join lateral (
             (select j.id as job from job j where j.tenant_id = $1 and j.workflow_id = $2 and j.step = s.step limit $4)
             union
             (select a.job_id from attempt a where a.tenant_id = $1 and a.workflow_id = $2 and a.step = s.step
                 and a.final_state is not null limit $4)
             limit $4) x
         order by s.step, x.job",
    )
    .bind(tenant.as_uuid())
    .bind(workflow.as_uuid())
    .bind(steps)
    .bind(most)
    .fetch_all(&mut *tx)
    .await
    .or_failed("find the jobs beside a job")?;
    Ok(found.into_iter().map(|(step, job)| (step, JobId::from_uuid(job))).collect())
}
