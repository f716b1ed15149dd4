//! Taking up a workflow again that failed or was stopped, where it left off.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use jobs::{JobId, Queue, State, TenantId, WorkflowId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, Tx, commit},
    enqueue::ring,
    error::{OrFailed, StoreError},
    lanes::{self, Lane},
    progress,
    retry::{self, Again},
    workflows::{INSERT_MAX, WorkflowState, steps},
};

/// What became of the wish to take a workflow up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkflowRetried {
    /// It is running again.
    Running,
    /// It had completed; there is nothing left to do.
    Completed,
    /// This tenant has no such workflow.
    NotFound,
}

/// Takes `workflow` up again: jobs that were given up or stopped begin again under their ids, and the steps that were
/// skipped or stopped wait for them. What completed stays. A step that failed and was passed over stays too, because what
/// comes after it ran without it. Asking for one that is running is no mistake.
///
/// Jobs whose history was pruned cannot begin again and go on counting as they ended.
pub async fn retry(db: &Db, tenant: TenantId, workflow: WorkflowId) -> Result<WorkflowRetried, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let state: Option<String> =
        sqlx::query_scalar("select state from workflow where tenant_id = $1 and id = $2 for update")
            .bind(tenant.as_uuid())
            .bind(workflow.as_uuid())
            .fetch_optional(&mut *tx)
            .await
            .or_failed("find the workflow to retry")?;
    let Some(state) = state else { return Ok(WorkflowRetried::NotFound) };
    match state.parse() {
        Ok(WorkflowState::Running) => return Ok(WorkflowRetried::Running),
        Ok(WorkflowState::Completed) => return Ok(WorkflowRetried::Completed),
        Ok(WorkflowState::Failed | WorkflowState::Cancelled) => {}
        Err(_) => return Err(StoreError::Unreadable { table: "workflow", found: state }),
    }
    reopen(&mut tx, workflow).await?;
    for step in steps(&mut tx, workflow).await? {
        if step.state == "running" {
            begin_again(db, &mut tx, tenant, workflow, step.ordinal).await?;
        }
    }
    ring(&mut tx, Queue::ALL.into_iter()).await?;
    commit(tx, "retry a workflow").await?;
    Ok(WorkflowRetried::Running)
}

/// Steps whose jobs were made run again, those whose jobs were not wait again.
async fn reopen(tx: &mut Tx, workflow: WorkflowId) -> Result<(), StoreError> {
    sqlx::query(
        "with again as (
             update workflow set state = 'running', finished_at = null, cancel_requested_at = null where id = $1
         )
         update workflow_step set state = case when spec is null then 'running' else 'waiting' end, finished_at = null,
             error = null
         where workflow_id = $1 and (state in ('skipped', 'cancelled') or (state = 'failed' and not continues))",
    )
    .bind(workflow.as_uuid())
    .execute(&mut **tx)
    .await
    .or_failed("take up a workflow again")?;
    Ok(())
}

#[derive(FromRow)]
struct GivenUp {
    job_id: Uuid,
    fence: i32,
    finished_at: DateTime<Utc>,
    final_state: String,
    #[sqlx(flatten)]
    lane: Lane,
}

/// Begins the jobs of a step again that did not complete, and takes them out of its counts.
async fn begin_again(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    workflow: WorkflowId,
    step: i16,
) -> Result<(), StoreError> {
    let given_up: Vec<GivenUp> = sqlx::query_as(
        "select a.job_id, a.fence, a.finished_at, a.final_state, a.queue, a.priority, 0::smallint as quarantine, a.kind,
                a.key, a.promise_s
         from attempt a
         where a.tenant_id = $1 and a.workflow_id = $2 and a.step = $3 and a.final_state in ('discarded', 'cancelled')
           and not exists (select from attempt later where later.tenant_id = a.tenant_id and later.job_id = a.job_id
               and later.fence > a.fence)
         order by a.job_id",
    )
    .bind(tenant.as_uuid())
    .bind(workflow.as_uuid())
    .bind(step)
    .fetch_all(&mut **tx)
    .await
    .or_failed("find the jobs of a step to retry")?;
    let wanted: HashSet<Lane> = given_up.iter().map(|job| job.lane.clone()).collect();
    let lanes: HashMap<Lane, i32> = lanes::find(db, tenant, wanted).await?;
    for some in given_up.chunks(INSERT_MAX) {
        let again: Vec<Again> = some
            .iter()
            .filter_map(|job| {
                let lane = *lanes.get(&job.lane)?;
                Some(Again {
                    job: JobId::from_uuid(job.job_id),
                    fence: job.fence,
                    finished_at: job.finished_at,
                    lane,
                    waits: false,
                })
            })
            .collect();
        let begun = retry::begin_again(tx, tenant, &again).await?;
        let mut uncounted = Vec::with_capacity(begun.len());
        for job in some.iter().filter(|job| begun.contains(&JobId::from_uuid(job.job_id))) {
            let ended: State = job
                .final_state
                .parse()
                .map_err(|_| StoreError::Unreadable { table: "attempt", found: job.final_state.clone() })?;
            uncounted.push(((workflow.as_uuid(), step), ended));
        }
        progress::uncount(tx, &uncounted).await?;
    }
    Ok(())
}
