//! Which jobs came before another in its workflow, and which come after it.

use jobs::{JobId, TenantId, WorkflowId};
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

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
