//! Workflows: steps of jobs, some of which come after others. Making, reading and cancelling them; `stepping` moves them.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use jobs::{Queue, TenantId, WorkflowId};
use serde_json::Value;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::{Db, Tx, commit},
    enqueue::{self, Member, NewJob},
    error::{OrFailed, StoreError},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

pub use crate::step_spec::Spec;

/// Where a workflow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkflowState {
    /// Steps wait or run.
    Running,
    /// Every step ended as it should, or was allowed to fail.
    Completed,
    /// A step failed, and what comes after it was skipped.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

impl WorkflowState {
    /// Every state there is.
    pub const ALL: [Self; 4] = [Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// The word in rows and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for WorkflowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No state has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no workflow state is called {0:?}; there are running, completed, failed and cancelled")]
pub struct UnknownWorkflowState(String);

impl FromStr for WorkflowState {
    type Err = UnknownWorkflowState;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| UnknownWorkflowState(name.to_owned()))
    }
}

/// A step that is about to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStep {
    /// Unique in its workflow.
    pub name: String,
    /// Ordinals of the steps that have to end first; each lower than this step's own.
    pub after: Vec<i16>,
    /// Whether later steps run although this one failed.
    pub continues: bool,
    /// Jobs that may fail without the step failing.
    pub tolerate: u32,
    /// Its jobs.
    pub spec: Spec,
}

/// A workflow that is about to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewWorkflow {
    /// Chosen by the caller, so that the answer can be written before the rows are.
    pub id: WorkflowId,
    /// For people.
    pub name: String,
    /// Anything of the caller's.
    pub metadata: Option<Value>,
    /// W3C trace context of the request that asked for it.
    pub traceparent: Option<String>,
    /// In an order in which each comes after those it waits for.
    pub steps: Vec<NewStep>,
}

/// A workflow as it stands.
#[derive(Debug, Clone, FromRow)]
pub struct Workflow {
    id: Uuid,
    /// For people.
    pub name: String,
    state: String,
    /// Jobs of all steps.
    pub jobs_total: i32,
    /// Anything of the caller's.
    pub metadata: Option<Json<Value>>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When somebody asked for it to stop.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// Jobs that completed.
    pub completed: i64,
    /// Jobs that were given up.
    pub discarded: i64,
    /// Jobs that were stopped.
    pub cancelled: i64,
}

impl Workflow {
    /// Which it is.
    pub fn id(&self) -> WorkflowId {
        WorkflowId::from_uuid(self.id)
    }

    /// Where it is.
    pub fn state(&self) -> Result<WorkflowState, StoreError> {
        let unreadable = || StoreError::Unreadable { table: "workflow", found: self.state.clone() };
        self.state.parse().map_err(|_| unreadable())
    }
}

/// A step as it stands.
#[derive(Debug, Clone, FromRow)]
pub struct Step {
    /// Its place, from 0.
    pub ordinal: i16,
    /// Its name.
    pub name: String,
    /// Ordinals of the steps before it.
    pub after: Vec<i16>,
    /// `waiting`, `running`, `completed`, `failed`, `skipped` or `cancelled`.
    pub state: String,
    /// Whether later steps run although this one failed.
    pub continues: bool,
    /// Jobs that may fail.
    pub tolerate: i32,
    /// Jobs.
    pub jobs_total: i32,
    /// Jobs that completed.
    pub completed: i32,
    /// Jobs that were given up.
    pub discarded: i32,
    /// Jobs that were stopped.
    pub cancelled: i32,
    /// Why it failed without its jobs.
    pub error: Option<Json<Value>>,
    /// When its jobs were made.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What became of the wish for a workflow.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// It is in the ledger; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
}

/// Puts a workflow into the ledger, with the jobs of the steps that wait for nothing, and keeps `answer` for `key`.
pub async fn create(
    db: &Db,
    tenant: TenantId,
    new: &NewWorkflow,
    key: Option<&Idempotency>,
    answer: Answer,
) -> Result<Created, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Created::Replayed(answer)),
        Taken::ForAnother => return Ok(Created::Mismatch),
    }
    insert(db, &mut tx, tenant, new).await?;
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "make a workflow").await?;
    Ok(Created::New(answer))
}

pub(crate) async fn insert(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    new: &NewWorkflow,
) -> Result<(), StoreError> {
    let jobs_total: usize = new.steps.iter().map(|step| step.spec.args.len()).sum();
    sqlx::query(
        "insert into workflow (id, tenant_id, name, jobs_total, metadata, traceparent, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.id.as_uuid())
    .bind(tenant.as_uuid())
    .bind(&new.name)
    .bind(jobs_total as i32)
    .bind(new.metadata.as_ref().map(Json))
    .bind(&new.traceparent)
    .bind(new.id.created_at())
    .execute(&mut **tx)
    .await
    .or_failed("make a workflow")?;
    for (ordinal, step) in new.steps.iter().enumerate() {
        let begins = step.after.is_empty();
        let spec =
            if begins { None } else { Some(step.spec.sealed(db, tenant, new.id, ordinal as i16).await?) };
        sqlx::query(
            "insert into workflow_step (tenant_id, workflow_id, ordinal, name, after, state, continues, tolerate, jobs_total,
                 spec, started_at)
             values ($1, $2, $3, $4, $5, case when $6 then 'running' else 'waiting' end, $7, $8, $9, $10,
                 case when $6 then clock_timestamp() end)",
        )
        .bind(tenant.as_uuid())
        .bind(new.id.as_uuid())
        .bind(ordinal as i16)
        .bind(&step.name)
        .bind(&step.after)
        .bind(begins)
        .bind(step.continues)
        .bind(step.tolerate as i32)
        .bind(step.spec.args.len() as i32)
        .bind(spec)
        .execute(&mut **tx)
        .await
        .or_failed("make a step")?;
        if begins {
            let member = Member { workflow: new.id, step: ordinal as i16 };
            let made = step.spec.jobs(member, new.traceparent.as_deref())?;
            insert_jobs(db, tx, tenant, &made).await?;
        }
    }
    Ok(())
}

/// Most jobs in one statement.
pub(crate) const INSERT_MAX: usize = 1_000;

pub(crate) async fn insert_jobs(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    made: &[NewJob],
) -> Result<(), StoreError> {
    for some in made.chunks(INSERT_MAX) {
        enqueue::insert(db, tx, tenant, some).await?;
    }
    Ok(())
}

const WORKFLOW: &str = "select w.id, w.name, w.state, w.jobs_total, w.metadata, w.created_at, w.finished_at,
        w.cancel_requested_at, s.completed, s.discarded, s.cancelled
    from workflow w cross join lateral (
        select sum(completed)::bigint as completed, sum(discarded)::bigint as discarded, sum(cancelled)::bigint as cancelled
        from workflow_step where workflow_id = w.id) s";

/// The workflow of `tenant` with this id, and its steps in order.
pub async fn get(
    db: &Db,
    tenant: TenantId,
    workflow: WorkflowId,
) -> Result<Option<(Workflow, Vec<Step>)>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("{WORKFLOW} where w.tenant_id = $1 and w.id = $2");
    let found: Option<Workflow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(workflow.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read a workflow")?;
    let Some(found) = found else { return Ok(None) };
    Ok(Some((found, steps(&mut tx, workflow).await?)))
}

/// The steps of a workflow, in order.
pub(crate) async fn steps(tx: &mut Tx, workflow: WorkflowId) -> Result<Vec<Step>, StoreError> {
    sqlx::query_as(
        "select ordinal, name, after, state, continues, tolerate, jobs_total, completed, discarded, cancelled, error,
             started_at, finished_at
         from workflow_step where workflow_id = $1 order by ordinal",
    )
    .bind(workflow.as_uuid())
    .fetch_all(&mut **tx)
    .await
    .or_failed("read the steps of a workflow")
}

/// Up to `limit` workflows of `tenant`, newest first: in a state, older than one.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    state: Option<WorkflowState>,
    before: Option<WorkflowId>,
    limit: i64,
) -> Result<Vec<Workflow>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "{WORKFLOW} where w.tenant_id = $1 and ($2::text is null or w.state = $2) and ($3::uuid is null or w.id < $3)
         order by w.id desc limit $4"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(state.map(WorkflowState::name))
        .bind(before.map(|workflow| workflow.as_uuid()))
        .bind(limit)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list workflows")
}

/// Asks for a workflow to stop. False when it has ended, or there is none such. Asking twice is no mistake.
pub async fn request_cancel(db: &Db, tenant: TenantId, workflow: WorkflowId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let asked = sqlx::query(
        "update workflow set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
         where tenant_id = $1 and id = $2 and state = 'running'",
    )
    .bind(tenant.as_uuid())
    .bind(workflow.as_uuid())
    .execute(&mut *tx)
    .await
    .or_failed("ask for a workflow to stop")?;
    enqueue::ring(&mut tx, Queue::ALL.into_iter()).await?;
    tx.commit().await.or_failed("ask for a workflow to stop")?;
    Ok(asked.rows_affected() == 1)
}

/// Forgets workflows that ended more than `days` ago, up to 1,000; answers how many.
pub async fn forget_ended(db: &Db, days: u32) -> Result<u64, StoreError> {
    let forgotten = sqlx::query(
        "delete from workflow where id in (
             select id from workflow where finished_at < clock_timestamp() - make_interval(days => $1) limit 1000)",
    )
    .bind(days as i32)
    .execute(db.pool())
    .await
    .or_failed("forget workflows that ended")?;
    Ok(forgotten.rows_affected())
}
