//! How things stand and how they went: sums of minutes, queues, failures, shares. Each costs the same however long the
//! ledger is.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use jobs::{JobId, TenantId, UserId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Minutes that are summed up in one transaction.
pub const MINUTES_MAX: i32 = 10;
/// Waiting jobs of a queue that are counted; one more means "or more".
pub const WAITING_COUNTED_MAX: i32 = 10_000;
/// Upper ends of all but the last place of a histogram, in milliseconds.
pub const HISTOGRAM_STEPS_MS: [i32; 15] =
    [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000];
/// Days for which sums of minutes are kept.
const MINUTES_KEPT_DAYS: u64 = 14;

/// Sums up minutes that are over, up to `most`; how many.
pub async fn sum_up(db: &Db, most: i32) -> Result<i32, StoreError> {
    sqlx::query_scalar("select sum_up_minutes($1)")
        .bind(most)
        .fetch_one(db.pool())
        .await
        .or_failed("sum up minutes")
}

/// Forgets sums that are older than two weeks before `today`.
pub async fn forget_sums(db: &Db, today: NaiveDate) -> Result<u64, StoreError> {
    let forgotten = sqlx::query("delete from work_minute where minute < $1")
        .bind(today - chrono::Days::new(MINUTES_KEPT_DAYS))
        .execute(db.pool())
        .await
        .or_failed("forget sums of minutes")?;
    Ok(forgotten.rows_affected())
}

/// What ended in a minute.
#[derive(Debug, Clone, FromRow)]
pub struct Minute {
    /// When it began.
    pub minute: DateTime<Utc>,
    /// In which queue.
    pub queue: String,
    /// Of which kind.
    pub kind: String,
    /// Jobs that completed.
    pub completed: i32,
    /// Attempts that went wrong.
    pub failed: i32,
    /// Jobs that were given up.
    pub discarded: i32,
    /// How long they had waited: a histogram over [`HISTOGRAM_STEPS_MS`].
    pub wait_ms: Vec<i32>,
    /// How long they ran.
    pub run_ms: Vec<i32>,
}

/// The minutes of `tenant` from `since` on, oldest first.
pub async fn minutes(db: &Db, tenant: TenantId, since: DateTime<Utc>) -> Result<Vec<Minute>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select minute, queue, kind, completed, failed, discarded, wait_ms, run_ms from work_minute
         where tenant_id = $1 and minute >= $2 order by minute, queue, kind",
    )
    .bind(tenant.as_uuid())
    .bind(since)
    .fetch_all(&mut *tx)
    .await
    .or_failed("read how the last minutes went")
}

/// How a queue of a tenant stands.
#[derive(Debug, Clone, FromRow)]
pub struct Standing {
    /// Which.
    pub queue: String,
    /// Jobs that may run and do not; counted up to [`WAITING_COUNTED_MAX`] and one more.
    pub waiting: i64,
    /// Jobs that run.
    pub running: i64,
    /// Since when the first of them may run.
    pub oldest_at: Option<DateTime<Utc>>,
}

/// How each queue stands that `tenant` has used.
pub async fn queues(db: &Db, tenant: TenantId) -> Result<Vec<Standing>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as("select queue, waiting, running, oldest_at from queues_here($1)")
        .bind(WAITING_COUNTED_MAX + 1)
        .fetch_all(&mut *tx)
        .await
        .or_failed("read how the queues stand")
}

/// How a kind of a tenant stands.
#[derive(Debug, Clone, FromRow)]
pub struct KindStanding {
    /// Which.
    pub kind: String,
    /// Jobs that may run and do not; counted up to [`WAITING_COUNTED_MAX`] and one more.
    pub waiting: i64,
    /// Jobs that run.
    pub running: i64,
    /// Since when the first of them may run.
    pub oldest_at: Option<DateTime<Utc>>,
}

/// How each kind stands that `tenant` has used.
pub async fn kinds(db: &Db, tenant: TenantId) -> Result<Vec<KindStanding>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as("select kind, waiting, running, oldest_at from kinds_here($1)")
        .bind(WAITING_COUNTED_MAX + 1)
        .fetch_all(&mut *tx)
        .await
        .or_failed("read how the kinds stand")
}

/// Who listens to a queue.
#[derive(Debug, Clone, FromRow)]
pub struct Listeners {
    /// Which.
    pub queue: String,
    /// Worker processes.
    pub workers: i64,
    /// Jobs that they do at once.
    pub slots: i64,
}

/// Who listens to the queues at this moment; a queue that is not there has nobody.
pub async fn listeners(db: &Db) -> Result<Vec<Listeners>, StoreError> {
    sqlx::query_as("select queue, workers, slots from listeners_here()")
        .fetch_all(db.pool())
        .await
        .or_failed("read who listens")
}

/// How the workers of the installation stand.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Workers {
    /// How many are there.
    pub here: i64,
    /// How many have said nothing for half a minute, and spoke in the last ten.
    pub silent: i64,
    /// How many of those that are there Redis does not answer.
    pub without_redis: i64,
    /// Since when, for the first of them.
    pub redis_lost_at: Option<DateTime<Utc>>,
}

/// How the workers stand, for anybody.
///
/// # Errors
/// When the database fails.
pub async fn workers(db: &Db) -> Result<Workers, StoreError> {
    sqlx::query_as("select here, silent, without_redis, redis_lost_at from workers_here()")
        .fetch_one(db.pool())
        .await
        .or_failed("read how workers stand")
}

/// Up to `limit` jobs of `tenant` that failed with these words, newest first.
pub async fn failures_with(
    db: &Db,
    tenant: TenantId,
    words: &str,
    before: Option<JobId>,
    limit: i32,
) -> Result<Vec<JobId>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let ids: Vec<Uuid> = sqlx::query_scalar("select failures_with($1, $2, $3)")
        .bind(words)
        .bind(before.map(|job| job.as_uuid()))
        .bind(limit)
        .fetch_all(&mut *tx)
        .await
        .or_failed("look for failures")?;
    Ok(ids.into_iter().map(JobId::from_uuid).collect())
}

/// What a tenant has of a queue.
#[derive(Debug, Clone, FromRow)]
pub struct TenantShare {
    /// The tenant's short name.
    pub slug: String,
    /// Its long name.
    pub name: String,
    /// Which queue.
    pub queue: String,
    /// Twice the weight is twice the jobs while both wait.
    pub weight: f32,
    /// Jobs begun per second, smoothed over a minute.
    pub per_s: f64,
    /// Since when its first waiting job may run.
    pub oldest_at: Option<DateTime<Utc>>,
    /// How many such shares there are, those that are not told as well.
    pub shares_in_all: i64,
    /// How many of them wait for too long.
    pub starving_in_all: i64,
}

/// What tenants have of each queue, those first who wait longest, up to `most`; `starving` is how long is too long. None for those
/// who do not watch the whole installation.
pub async fn shares(
    db: &Db,
    user: UserId,
    starving: TimeDelta,
    most: i32,
) -> Result<Vec<TenantShare>, StoreError> {
    sqlx::query_as("select * from waits_of_installation($1, make_interval(secs => $2), $3)")
        .bind(user.as_uuid())
        .bind(starving.as_seconds_f64())
        .bind(most)
        .fetch_all(db.pool())
        .await
        .or_failed("read the shares of tenants")
}

/// How long jobs of a tenant waited, and what they cost.
#[derive(Debug, Clone, FromRow)]
pub struct Waited {
    /// The tenant's short name.
    pub slug: String,
    /// In which queue.
    pub queue: String,
    /// A histogram over [`HISTOGRAM_STEPS_MS`].
    pub wait_ms: Vec<i64>,
    /// For how many milliseconds they held slots of workers, those beside each other counted each.
    pub slot_ms: i64,
}

/// How long the jobs of the tenants called `slugs` waited and held slots that ended since a time, by queue; none for those who do not watch the
/// whole installation.
pub async fn waited(
    db: &Db,
    user: UserId,
    slugs: &[&str],
    since: DateTime<Utc>,
) -> Result<Vec<Waited>, StoreError> {
    sqlx::query_as("select * from waited_in_installation($1, $2, $3)")
        .bind(user.as_uuid())
        .bind(slugs)
        .bind(since)
        .fetch_all(db.pool())
        .await
        .or_failed("read how long tenants waited")
}
