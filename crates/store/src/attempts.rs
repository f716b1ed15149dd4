//! The runs of a job, and the stream of runs that ended.

use chrono::{DateTime, Utc};
use jobs::{JobId, TenantId};
use serde_json::Value;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// One run of a job, or its end without a run.
#[derive(Debug, Clone, FromRow)]
pub struct Attempt {
    job_id: Uuid,
    /// How often the job had gone back to waiting before.
    pub fence: i32,
    /// 1 for the first run; 0 for a job cancelled before any.
    pub attempt: i16,
    /// `completed`, `retried`, `snoozed`, `parked`, `returned`, `crashed`, `cancelled`, `discarded`, or `running`.
    pub outcome: String,
    /// The state the job ended in, if it ended here.
    pub final_state: Option<String>,
    /// `family.thing`.
    pub kind: String,
    /// Where it ran.
    pub queue: String,
    /// Which process ran it.
    pub worker: Option<String>,
    /// From when on it might run.
    pub scheduled_at: DateTime<Utc>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended; none while it runs.
    pub finished_at: Option<DateTime<Utc>>,
    /// What went wrong.
    pub error: Option<Json<Value>>,
}

impl Attempt {
    /// Whose run it was.
    pub fn job(&self) -> JobId {
        JobId::from_uuid(self.job_id)
    }
}

/// The runs of `job`, oldest first, the running one included; the latest 200.
pub async fn of_job(db: &Db, tenant: TenantId, job: JobId) -> Result<Vec<Attempt>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select * from (
             select job_id, fence, attempt, outcome, final_state, kind, queue, worker, scheduled_at, started_at, finished_at,
                    error
             from attempt where tenant_id = $1 and job_id = $2 and finished_at >= $3
             union all
             select j.id, j.fence, (j.attempt + 1)::smallint, 'running', null, j.kind, lane.queue, r.worker, j.scheduled_at,
                    r.claimed_at, null, null
             from running_jobs($2) r join job j on j.tenant_id = $1 and j.id = r.job_id and j.fence = r.fence
             join lane on lane.id = j.lane_id
             order by fence desc, finished_at desc nulls first limit 200
         ) latest order by fence, finished_at nulls last",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .bind(job.created_at() - chrono::Duration::hours(1))
    .fetch_all(&mut *tx)
    .await
    .or_failed("read the attempts of a job")
}

/// Runs of `tenant` that ended at or after `since`, oldest first, up to `limit`.
pub async fn ended_since(
    db: &Db,
    tenant: TenantId,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Attempt>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select job_id, fence, attempt, outcome, final_state, kind, queue, worker, scheduled_at, started_at, finished_at,
             error
         from attempt where tenant_id = $1 and finished_at >= $2 order by finished_at, job_id, fence limit $3",
    )
    .bind(tenant.as_uuid())
    .bind(since)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .or_failed("read attempts that ended")
}
