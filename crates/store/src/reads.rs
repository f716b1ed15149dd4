//! Looking at a job. Live rows and history read alike.

use chrono::{DateTime, Utc};
use jobs::{JobId, State, TenantId, WorkflowId};
use serde_json::Value;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    enqueue::Member,
    error::{OrFailed, StoreError},
    payload::{Field, Payload},
    sealing::Place,
};

/// A job as it stands, wherever in its life it is.
#[derive(Debug, Clone, FromRow)]
pub struct JobRecord {
    id: Uuid,
    state: String,
    /// `family.thing`.
    pub kind: String,
    /// Version of the arguments.
    pub kind_version: i16,
    /// Where it runs.
    pub queue: String,
    /// Who goes first: 1 to 4.
    pub priority: i16,
    /// Runs begun so far.
    pub attempt: i16,
    /// Runs before it is discarded.
    pub max_attempts: i16,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it may run, or might have.
    pub scheduled_at: DateTime<Utc>,
    /// When the latest run began.
    pub attempted_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finalized_at: Option<DateTime<Utc>>,
    /// When somebody asked for it to stop.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// It waits for a worker that knows its kind and version; the last one that had it did not.
    pub parked: bool,
    /// How far it is: 0 to 100.
    pub progress_percent: Option<i16>,
    /// What it is doing.
    pub progress_message: Option<String>,
    /// As they were enqueued. In lists, what is encrypted stays closed.
    pub args: Json<Payload>,
    /// What it left behind, when it completed.
    pub result: Option<Json<Payload>>,
    /// What went wrong last.
    pub error: Option<Json<Value>>,
    /// The worker that has it, or had it last.
    pub worker: Option<String>,
    /// Words to find it by.
    pub tags: Option<Vec<String>>,
    /// Anything of the caller's.
    pub metadata: Option<Json<Value>>,
    /// W3C trace context of whoever asked for it.
    pub traceparent: Option<String>,
    workflow_id: Option<Uuid>,
    step: Option<i16>,
}

impl JobRecord {
    /// Which it is.
    pub fn id(&self) -> JobId {
        JobId::from_uuid(self.id)
    }

    /// Its place in a workflow.
    pub fn member_of(&self) -> Option<Member> {
        let (workflow, step) = self.workflow_id.zip(self.step)?;
        Some(Member { workflow: WorkflowId::from_uuid(workflow), step })
    }

    /// Where in its life it is.
    pub fn state(&self) -> Result<State, StoreError> {
        self.state.parse().map_err(|_| StoreError::Unreadable { table: "job", found: self.state.clone() })
    }
}

/// What a live row and a history row have in common, as one list of columns: of a `job`, its `lane`, and of what `r`uns.
pub(crate) const LIVE: &str = "
    select j.tenant_id, j.id, case when r.job_id is not null then 'running' when j.pos is not null then 'available'
               when j.attempt > 0 then 'retryable' else 'scheduled' end as state,
        j.kind, j.kind_version, lane.queue, lane.priority,
        (j.attempt + (r.job_id is not null)::int)::smallint as attempt, j.max_attempts,
        j.created_at, j.scheduled_at, r.claimed_at as attempted_at, null::timestamptz as finalized_at,
        j.cancel_requested_at, j.parks is not null and r.job_id is null as parked, j.progress_percent,
        j.progress_message, j.args, null::jsonb as result,
        j.last_error as error, r.worker, j.tags, j.metadata, j.traceparent, j.workflow_id, j.step";

/// The same of an `a`ttempt that ended a job.
pub(crate) const ENDED: &str = "
    select a.tenant_id, a.job_id as id, a.final_state as state, a.kind, a.kind_version, a.queue, a.priority, a.attempt,
        a.max_attempts, a.created_at, a.scheduled_at, a.started_at as attempted_at, a.finished_at as finalized_at,
        null::timestamptz as cancel_requested_at, false as parked,
        case when a.final_state = 'completed' then 100::smallint end as progress_percent, null as progress_message,
        a.args, a.result, a.error, a.worker, a.tags, a.metadata, a.traceparent, a.workflow_id, a.step";

/// The job of `tenant` with this id.
pub async fn get(db: &Db, tenant: TenantId, job: JobId) -> Result<Option<JobRecord>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    get_in(db, &mut tx, tenant, job).await
}

/// As [`get`], inside a transaction of the tenant's.
pub async fn get_in(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    job: JobId,
) -> Result<Option<JobRecord>, StoreError> {
    // One statement, so that a job settled in this moment is seen once: before or after, never neither.
    let sql = format!(
        "{LIVE} from job j join lane on lane.id = j.lane_id
            left join running_jobs($2) r on r.job_id = j.id and r.fence = j.fence
         where j.tenant_id = $1 and j.id = $2
         union all
         ({ENDED} from attempt a where a.tenant_id = $1 and a.job_id = $2 and a.final_state is not null and a.finished_at >= $3
            and not exists (select from job j where j.tenant_id = $1 and j.id = $2)
          order by a.finished_at desc limit 1)"
    );
    let found: Option<JobRecord> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(job.as_uuid())
        .bind(not_before(job))
        .fetch_optional(&mut **tx)
        .await
        .or_failed("read a job")?;
    match found {
        Some(found) => open(db, tenant, job, found).await.map(Some),
        None => Ok(None),
    }
}

async fn open(db: &Db, tenant: TenantId, job: JobId, mut found: JobRecord) -> Result<JobRecord, StoreError> {
    found.args = Json(db.open(tenant, &Place::of_job(job, Field::Args), found.args.0).await?);
    if let Some(Json(result)) = found.result {
        found.result = Some(Json(db.open(tenant, &Place::of_job(job, Field::Result), result).await?));
    }
    Ok(found)
}

/// History of a job cannot be older than the job: this spares the look into older partitions. An hour of slack covers
/// clocks that disagree.
pub(crate) fn not_before(job: JobId) -> DateTime<Utc> {
    job.created_at() - chrono::Duration::hours(1)
}
