//! Looking at jobs: one, or a page of them. Live rows and history read alike.

use chrono::{DateTime, Utc};
use jobs::{JobId, Queue, State, TenantId, WorkflowId};
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

/// What a live row and a history row have in common, as one list of columns.
const LIVE: &str = "
    select j.tenant_id, j.id, case when r.job_id is not null then 'running' when j.pos is not null then 'available'
               when j.attempt > 0 then 'retryable' else 'scheduled' end as state,
        j.kind, j.kind_version, lane.queue, lane.priority,
        (j.attempt + (r.job_id is not null)::int)::smallint as attempt, j.max_attempts,
        j.created_at, j.scheduled_at, r.claimed_at as attempted_at, null::timestamptz as finalized_at,
        j.cancel_requested_at, j.parks is not null and r.job_id is null as parked, j.progress_percent,
        j.progress_message, j.args, null::jsonb as result,
        j.last_error as error, r.worker, j.tags, j.metadata, j.traceparent, j.workflow_id, j.step
    from job j join lane on lane.id = j.lane_id";

const ENDED: &str = "
    select a.tenant_id, a.job_id as id, a.final_state as state, a.kind, a.kind_version, a.queue, a.priority, a.attempt,
        a.max_attempts, a.created_at, a.scheduled_at, a.started_at as attempted_at, a.finished_at as finalized_at,
        null::timestamptz as cancel_requested_at, false as parked,
        case when a.final_state = 'completed' then 100::smallint end as progress_percent, null as progress_message,
        a.args, a.result, a.error, a.worker, a.tags, a.metadata, a.traceparent, a.workflow_id, a.step
    from attempt a";

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
        "{LIVE} left join running_jobs($2) r on r.job_id = j.id and r.fence = j.fence
         where j.tenant_id = $1 and j.id = $2
         union all
         ({ENDED} where a.tenant_id = $1 and a.job_id = $2 and a.final_state is not null and a.finished_at >= $3
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
fn not_before(job: JobId) -> DateTime<Utc> {
    job.created_at() - chrono::Duration::hours(1)
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<State>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this queue.
    pub queue: Option<Queue>,
    /// With this tag.
    pub tag: Option<String>,
    /// One of these; none for any.
    pub among: Option<Vec<JobId>>,
    /// Older than this one.
    pub before: Option<JobId>,
}

/// Up to `limit` jobs of `tenant`, newest first.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<JobRecord>, StoreError> {
    let mut parts = Vec::with_capacity(2);
    if filter.state.is_none_or(|state| !state.is_final()) {
        parts.push(live(filter));
    }
    if filter.state.is_none_or(State::is_final) {
        parts.push(ended(filter));
    }
    // The newest of the live and the newest of the ended, each by its index; then the newest of both.
    let sql = format!("select * from ({}) found order by id desc limit $5", parts.join(" union all "));
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        // Planned for this very filter: what is rare in one tenant's jobs is common in another's.
        .persistent(false)
        .bind(tenant.as_uuid())
        .bind(filter.before.map(|job| job.as_uuid()))
        .bind(&filter.kind)
        .bind(&filter.tag)
        .bind(limit)
        .bind(filter.among.as_ref().map(|jobs| jobs.iter().map(JobId::as_uuid).collect::<Vec<_>>()))
        .fetch_all(&mut *tx)
        .await
        .or_failed("list jobs")
}

/// The live jobs of a filter. Each state is spelled in what makes it, so that what is rare is found by an index.
fn live(filter: &Filter) -> String {
    let running = if filter.state == Some(State::Running) { "join" } else { "left join" };
    let state = match filter.state {
        Some(State::Available) => "and j.pos is not null and r.job_id is null",
        Some(State::Scheduled) => "and j.pos is null and j.attempt = 0",
        Some(State::Retryable) => "and j.pos is null and j.attempt > 0",
        _ => "",
    };
    let queue = filter.queue.map(|queue| format!("and lane.queue = '{queue}'")).unwrap_or_default();
    format!(
        "({LIVE} {running} running_jobs() r on r.job_id = j.id and r.fence = j.fence
          where j.tenant_id = $1 and ($2::uuid is null or j.id < $2) and ($3::text is null or j.kind = $3)
            and ($4::text is null or j.tags @> array[$4]) and ($6::uuid[] is null or j.id = any ($6)) {state} {queue}
          order by j.id desc limit $5)"
    )
}

/// The ended jobs of a filter.
fn ended(filter: &Filter) -> String {
    let state = match filter.state {
        Some(state) => format!("and a.final_state = '{state}'"),
        None => "and a.final_state is not null".to_owned(),
    };
    // The index on jobs that did not complete is found by these words.
    let given_up = match filter.state {
        Some(State::Cancelled | State::Discarded) => "and a.final_state in ('cancelled', 'discarded')",
        _ => "",
    };
    let queue = filter.queue.map(|queue| format!("and a.queue = '{queue}'")).unwrap_or_default();
    format!(
        "({ENDED} where a.tenant_id = $1 and ($2::uuid is null or a.job_id < $2) and ($3::text is null or a.kind = $3)
            and ($4::text is null or a.tags @> array[$4]) and ($6::uuid[] is null or a.job_id = any ($6))
            {state} {given_up} {queue}
            and not exists (select from job j where j.tenant_id = a.tenant_id and j.id = a.job_id)
            and not exists (select from attempt later where later.tenant_id = a.tenant_id
                and later.job_id = a.job_id and later.fence > a.fence)
          order by a.job_id desc limit $5)"
    )
}
