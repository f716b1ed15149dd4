//! The worker processes as people who operate the whole installation see them: who is there, what they run, of which versions.

use chrono::{DateTime, Utc};
use jobs::{ApiKeyId, JobId, UserId};
use serde_json::{Value, json};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    audit,
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
};

/// A worker process.
#[derive(Debug, Clone, FromRow)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// The machine that it is on, if it says so.
    pub host: Option<String>,
    /// What it was built from.
    pub version: String,
    /// What it listens to.
    pub queues: Vec<String>,
    /// How many jobs of each it does at once.
    pub slots: Vec<i32>,
    /// Since when it is there.
    pub started_at: DateTime<Utc>,
    /// When it last said so.
    pub seen_at: DateTime<Utc>,
    /// Jobs it has leases on.
    pub running: i64,
    /// What of the machine's memory it uses, if it says so.
    pub memory_bytes: Option<i64>,
    /// Since when it is asked to end.
    pub drain_requested_at: Option<DateTime<Utc>>,
}

/// Every worker that spoke within the hour; none for those who do not watch the whole installation.
///
/// # Errors
/// When the database fails.
pub async fn workers(db: &Db, user: UserId) -> Result<Vec<Worker>, StoreError> {
    sqlx::query_as("select * from workers_and_hosts($1)")
        .bind(user.as_uuid())
        .fetch_all(db.pool())
        .await
        .or_failed("list workers")
}

/// A job that a worker runs.
#[derive(Debug, Clone, FromRow)]
pub struct Running {
    /// The short name of the tenant whose it is.
    pub slug: String,
    /// The tenant's long name.
    pub name: String,
    job_id: Uuid,
    /// Its kind.
    pub kind: String,
    /// The queue that it came from.
    pub queue: String,
    /// Which attempt this is, 1 for the first.
    pub attempt: i32,
    /// Since when the worker has it.
    pub claimed_at: DateTime<Utc>,
}

impl Running {
    /// Which job it is.
    pub fn job(&self) -> JobId {
        JobId::from_uuid(self.job_id)
    }
}

/// Up to `most` jobs that `worker` runs, those first that have run longest; none for those who do not watch the whole
/// installation.
///
/// # Errors
/// When the database fails.
pub async fn running(db: &Db, user: UserId, worker: &str, most: i32) -> Result<Vec<Running>, StoreError> {
    sqlx::query_as("select * from jobs_of_worker($1, $2, $3)")
        .bind(user.as_uuid())
        .bind(worker)
        .bind(most)
        .fetch_all(db.pool())
        .await
        .or_failed("list what a worker runs")
}

/// A version of the program that workers were of.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Version {
    /// What it is called.
    pub version: String,
    /// When the first worker of it came.
    pub first_at: DateTime<Utc>,
    /// When a worker of it was last there, to the minute.
    pub last_at: DateTime<Utc>,
}

/// Up to `most` versions, the newest first; none for those who do not watch the whole installation.
///
/// # Errors
/// When the database fails.
pub async fn versions(db: &Db, user: UserId, most: i32) -> Result<Vec<Version>, StoreError> {
    sqlx::query_as("select * from versions_of_installation($1, $2)")
        .bind(user.as_uuid())
        .bind(most)
        .fetch_all(db.pool())
        .await
        .or_failed("list versions")
}

/// Asks a worker to claim nothing more, end what it has and go; false when there is none of this name, or when `user` does not
/// operate the whole installation.
///
/// # Errors
/// When the database fails.
pub async fn drain(db: &Db, user: UserId, worker: &str) -> Result<bool, StoreError> {
    sqlx::query_scalar("select drain_worker($1, $2)")
        .bind(user.as_uuid())
        .bind(worker)
        .fetch_one(db.pool())
        .await
        .or_failed("ask a worker to end")
}

/// As [`workers`], for a key; none for one that does not run the installation.
///
/// # Errors
/// When the database fails.
pub async fn workers_for_key(db: &Db, key: ApiKeyId) -> Result<Vec<Worker>, StoreError> {
    sqlx::query_as("select * from key_sees_workers($1)")
        .bind(key.as_uuid())
        .fetch_all(db.pool())
        .await
        .or_failed("list workers")
}

/// As [`drain`], for a key: the worker as it is then, and none where that says false. Written down in the chain of the
/// installation.
///
/// # Errors
/// When the database fails.
pub async fn drain_for_key(db: &Db, key: ApiKeyId, worker: &str) -> Result<Option<Worker>, StoreError> {
    let mut tx = db.begin().await?;
    let before = seen(&mut tx, key, worker).await?;
    let is_asked: bool = sqlx::query_scalar("select key_drains_worker($1, $2)")
        .bind(key.as_uuid())
        .bind(worker)
        .fetch_one(&mut *tx)
        .await
        .or_failed("ask a worker to end")?;
    if !is_asked {
        return Ok(None);
    }
    let after = seen(&mut tx, key, worker).await?;
    let told = |worker: Option<&Worker>| -> Value {
        let told = |worker: &Worker| json!({ "version": worker.version, "drain_requested_at": worker.drain_requested_at });
        worker.map(told).unwrap_or_default()
    };
    let said = json!({
        "by": key, "action": "worker.drain", "target": worker, "before": told(before.as_ref()), "after": told(after.as_ref()),
        "outcome": "done",
    });
    audit::note(&mut tx, &said).await?;
    commit(tx, "ask a worker to end").await?;
    Ok(after)
}

/// A worker as a key sees it.
async fn seen(tx: &mut Tx, key: ApiKeyId, worker: &str) -> Result<Option<Worker>, StoreError> {
    sqlx::query_as("select * from key_sees_workers($1) where name = $2")
        .bind(key.as_uuid())
        .bind(worker)
        .fetch_optional(&mut **tx)
        .await
        .or_failed("look at a worker")
}
