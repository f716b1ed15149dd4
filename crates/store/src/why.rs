//! What decides when a waiting job runs: read once, as one consistent picture.

use chrono::{DateTime, Utc};
use jobs::{JobId, TenantId};
use serde::Deserialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Counts go up to here; one more means "or more".
pub const COUNTED_MAX: u64 = 10_000;

/// Everything that decides when a live job runs.
#[derive(Debug, Clone, Deserialize)]
pub struct Facts {
    /// Its time has come.
    pub available: bool,
    /// Its line's cursor is past it: it runs, or will be put back into line within a moment.
    pub passed: Option<bool>,
    /// 1: it was there when a worker died and runs apart. 2: it was there twice and runs alone.
    pub quarantine: i16,
    /// Where it waits.
    pub queue: String,
    /// 1 (first) to 4 (last).
    pub priority: i16,
    /// What it shares with other jobs.
    pub concurrency_key: Option<String>,
    /// When it may begin; none when that depends on other jobs.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Promised to be done by then.
    pub due_at: Option<DateTime<Utc>>,
    /// Pauses that hold it.
    pub pauses: Vec<PauseFact>,
    /// Limits that count it.
    pub limits: Vec<LimitFact>,
    /// Jobs before it in its own line; up to [`COUNTED_MAX`].
    pub ahead_in_line: u64,
    /// Jobs of the tenant in other lines of the queue, some of which may go before it; up to [`COUNTED_MAX`].
    pub waiting_beside: u64,
    /// Other tenants with jobs waiting in the queue.
    pub other_tenants: u64,
    /// Jobs of the tenant begun per second in this queue, smoothed over a minute.
    pub tenant_per_s: Option<f64>,
    /// Jobs of all tenants begun per second in this queue, smoothed over a minute.
    pub queue_per_s: Option<f64>,
    /// Worker processes that listen to the queue.
    pub workers: u64,
    /// Their slots.
    pub slots: u64,
    /// Jobs of all tenants running in the queue, about.
    pub running: u64,
}

/// A pause that holds a job.
#[derive(Debug, Clone, Deserialize)]
pub struct PauseFact {
    /// It holds for every tenant.
    pub whole_installation: bool,
    /// What is paused.
    pub queue: Option<String>,
    /// What is paused.
    pub kind: Option<String>,
    /// Why.
    pub reason: String,
    /// By whom.
    pub paused_by: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A limit that counts a job.
#[derive(Debug, Clone, Deserialize)]
pub struct LimitFact {
    /// Its name.
    pub name: String,
    /// It counts every tenant's jobs together.
    pub whole_installation: bool,
    /// The key it counts by.
    pub key: Option<String>,
    /// Jobs that may run at once.
    pub concurrency: Option<u32>,
    /// Jobs that run.
    pub running: Option<u32>,
    /// Jobs that may begin in a period.
    pub rate_count: Option<u32>,
    /// The period, in seconds.
    pub rate_period_s: Option<f64>,
    /// `bucket`, which fills all the time, or `window`, which is full again at its end.
    pub rate_algorithm: Option<String>,
    /// Jobs that may begin now.
    pub tokens: Option<f64>,
    /// When one more may begin.
    pub next_at: Option<DateTime<Utc>>,
    holders: Option<Vec<Uuid>>,
}

impl LimitFact {
    /// Up to five jobs of the tenant that run under the limit.
    pub fn holders(&self) -> Vec<JobId> {
        self.holders.iter().flatten().copied().map(JobId::from_uuid).collect()
    }

    /// Whether it lets no further job begin now.
    pub fn is_exhausted(&self) -> bool {
        self.concurrency.zip(self.running).is_some_and(|(most, running)| running >= most)
            || self.tokens.is_some_and(|tokens| tokens < 1.0)
    }
}

/// What decides when `job` of `tenant` runs; none when it is not live.
pub async fn facts(db: &Db, tenant: TenantId, job: JobId) -> Result<Option<Facts>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let facts: Option<Json<Facts>> = sqlx::query_scalar("select waiting_facts($1)")
        .bind(job.as_uuid())
        .fetch_one(&mut *tx)
        .await
        .or_failed("see why a job waits")?;
    Ok(facts.map(|facts| facts.0))
}
