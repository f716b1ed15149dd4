//! Who holds a job that runs, for whoever looks at it.

use chrono::{DateTime, Utc};
use jobs::{JobId, TenantId};
use sqlx::FromRow;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// The right of a worker to run a job until a time.
#[derive(Debug, Clone, FromRow)]
pub struct Held {
    /// Who has it.
    pub worker: String,
    /// Since when.
    pub claimed_at: DateTime<Utc>,
    /// Until when; somebody else gets the job if it is over by then.
    pub until: DateTime<Utc>,
    /// How often it was made longer.
    pub beats: i32,
    /// Under which fence: what was claimed under an older one is not settled.
    pub fence: i32,
}

/// Who holds `job`, if it runs.
///
/// # Errors
/// When the database fails.
pub async fn of_job(db: &Db, tenant: TenantId, job: JobId) -> Result<Option<Held>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as("select * from lease_here($1)")
        .bind(job.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("see who holds a job")
}
