//! Limits: how much may run at once, or begin in a time. The claim holds them; here they are written and read.

use chrono::{DateTime, Utc};
use jobs::{LimitId, TenantId};
use sqlx::{Executor, FromRow, Postgres};
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    enqueue::ring,
    error::{OrFailed, StoreError},
};

/// What a limit allows, and to which jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// Unique among a tenant's limits.
    pub name: String,
    /// Only jobs of this queue.
    pub queue: Option<String>,
    /// Only jobs of this kind.
    pub kind: Option<String>,
    /// Only jobs with this concurrency key; with `*` at the end, each key that begins so has the limit to itself.
    pub key: Option<String>,
    /// Jobs that may run at once.
    pub concurrency: Option<u32>,
    /// Jobs that may begin in a time.
    pub rate: Option<Rate>,
}

/// How many jobs may begin in a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How the time is told.
    pub algorithm: Algorithm,
    /// Jobs per period.
    pub count: u32,
    /// The period, in seconds.
    pub period_s: f32,
    /// What a bucket holds at most; of no meaning for windows.
    pub burst: u32,
}

/// How the time of a rate is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// A token bucket: refilled steadily, up to its burst.
    Bucket,
    /// Windows that follow each other from midnight UTC of 2000-01-01: `count` in each.
    Window,
}

impl Algorithm {
    /// The word in rows and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Window => "window",
        }
    }
}

/// A limit as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Which it is.
    pub id: LimitId,
    /// What it allows.
    pub limit: Limit,
    /// Who set it last.
    pub updated_by: String,
    /// When it was first set.
    pub created_at: DateTime<Utc>,
    /// When it was last set.
    pub updated_at: DateTime<Utc>,
}

/// How much of a limit is in use.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Usage {
    rule_id: Uuid,
    /// The key this is about; empty for a limit that does not look at keys.
    pub key: String,
    /// Jobs that run under it.
    pub running: Option<i32>,
    /// Jobs that may begin now.
    pub tokens: Option<f64>,
    /// When one more may begin.
    pub next_at: Option<DateTime<Utc>>,
}

impl Usage {
    /// Whose usage this is.
    pub fn limit(&self) -> LimitId {
        LimitId::from_uuid(self.rule_id)
    }
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    name: String,
    queue: Option<String>,
    kind: Option<String>,
    key: Option<String>,
    concurrency: Option<i32>,
    rate_algorithm: Option<String>,
    rate_count: Option<i32>,
    rate_period_s: Option<f32>,
    rate_burst: Option<i32>,
    updated_by: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn standing(self) -> Standing {
        let algorithm = match self.rate_algorithm.as_deref() {
            Some("window") => Algorithm::Window,
            _ => Algorithm::Bucket,
        };
        let rate = self.rate_count.zip(self.rate_period_s).map(|(count, period_s)| Rate {
            algorithm,
            count: count as u32,
            period_s,
            burst: self.rate_burst.unwrap_or(count) as u32,
        });
        Standing {
            id: LimitId::from_uuid(self.id),
            limit: Limit {
                name: self.name,
                queue: self.queue,
                kind: self.kind,
                key: self.key,
                concurrency: self.concurrency.map(|most| most as u32),
                rate,
            },
            updated_by: self.updated_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// Sets a limit of `tenant`, new or in place of the one with its name. False when the tenant has `limits_max` others.
pub async fn set(
    db: &Db,
    tenant: TenantId,
    limit: &Limit,
    by: &str,
    limits_max: i64,
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let others: i64 =
        sqlx::query_scalar("select count(*) from limit_rule where tenant_id = $1 and name <> $2")
            .bind(tenant.as_uuid())
            .bind(&limit.name)
            .fetch_one(&mut *tx)
            .await
            .or_failed("count limits")?;
    if others >= limits_max {
        return Ok(false);
    }
    upsert(&mut *tx, Some(tenant), limit, by).await?;
    ring(&mut tx, jobs::Queue::ALL.into_iter()).await?;
    commit(tx, "set a limit").await?;
    Ok(true)
}

/// Sets a limit on every tenant together. For [`crate::Role::Owner`].
pub async fn set_for_all(db: &Db, limit: &Limit, by: &str) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    upsert(&mut *tx, None, limit, by).await?;
    ring(&mut tx, jobs::Queue::ALL.into_iter()).await?;
    commit(tx, "set a limit").await
}

pub(crate) async fn upsert(
    connection: impl Executor<'_, Database = Postgres>,
    tenant: Option<TenantId>,
    limit: &Limit,
    by: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into limit_rule (id, tenant_id, name, queue, kind, key, concurrency, rate_algorithm, rate_count,
             rate_period_s, rate_burst, updated_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         on conflict (coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'), name) do update set
             queue = excluded.queue, kind = excluded.kind, key = excluded.key, concurrency = excluded.concurrency,
             rate_algorithm = excluded.rate_algorithm, rate_count = excluded.rate_count,
             rate_period_s = excluded.rate_period_s, rate_burst = excluded.rate_burst,
             updated_by = excluded.updated_by, updated_at = now()",
    )
    .bind(LimitId::new().as_uuid())
    .bind(tenant.map(|tenant| tenant.as_uuid()))
    .bind(&limit.name)
    .bind(&limit.queue)
    .bind(&limit.kind)
    .bind(&limit.key)
    .bind(limit.concurrency.map(|most| most as i32))
    .bind(limit.rate.map(|rate| rate.algorithm.name()))
    .bind(limit.rate.map(|rate| rate.count as i32))
    .bind(limit.rate.map(|rate| rate.period_s))
    .bind(limit.rate.map(|rate| rate.burst as i32))
    .bind(by)
    .execute(connection)
    .await
    .or_failed("set a limit")?;
    Ok(())
}

const LIMITS: &str =
    "select id, name, queue, kind, key, concurrency, rate_algorithm, rate_count, rate_period_s,
    rate_burst, updated_by, created_at, updated_at from limit_rule";

/// The limits of `tenant` by name, and how much of each is in use.
pub async fn list(db: &Db, tenant: TenantId) -> Result<(Vec<Standing>, Vec<Usage>), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let rows: Vec<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{LIMITS} where tenant_id = $1 order by name")))
            .bind(tenant.as_uuid())
            .fetch_all(&mut *tx)
            .await
            .or_failed("list limits")?;
    let usage = sqlx::query_as(
        "select rule_id, key, running, tokens, next_at from limit_usage() order by rule_id, key",
    )
    .fetch_all(&mut *tx)
    .await
    .or_failed("see how much of the limits is in use")?;
    Ok((rows.into_iter().map(Row::standing).collect(), usage))
}

/// The limits on every tenant together. For [`crate::Role::Owner`].
pub async fn list_for_all(db: &Db) -> Result<Vec<Standing>, StoreError> {
    let rows: Vec<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{LIMITS} where tenant_id is null order by name")))
            .fetch_all(db.pool())
            .await
            .or_failed("list limits")?;
    Ok(rows.into_iter().map(Row::standing).collect())
}

/// Removes a limit of `tenant`; false when there is none of this name.
pub async fn remove(db: &Db, tenant: TenantId, name: &str) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from limit_rule where tenant_id = $1 and name = $2")
        .bind(tenant.as_uuid())
        .bind(name)
        .execute(&mut *tx)
        .await
        .or_failed("remove a limit")?;
    ring(&mut tx, jobs::Queue::ALL.into_iter()).await?;
    commit(tx, "remove a limit").await?;
    Ok(removed.rows_affected() == 1)
}

/// Removes a limit on every tenant together; false when there is none of this name. For [`crate::Role::Owner`].
pub async fn remove_for_all(db: &Db, name: &str) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let removed = sqlx::query("delete from limit_rule where tenant_id is null and name = $1")
        .bind(name)
        .execute(&mut *tx)
        .await
        .or_failed("remove a limit")?;
    ring(&mut tx, jobs::Queue::ALL.into_iter()).await?;
    commit(tx, "remove a limit").await?;
    Ok(removed.rows_affected() == 1)
}

/// Gives a tenant another share of a queue: twice the weight is twice the jobs while both have some waiting. What was
/// said for a while is over. For [`crate::Role::Owner`].
pub async fn weigh(db: &Db, tenant: TenantId, queue: jobs::Queue, weight: f32) -> Result<(), StoreError> {
    sqlx::query(
        "insert into share (tenant_id, queue, weight) values ($1, $2, $3)
         on conflict (tenant_id, queue) do update set weight = excluded.weight, usual_weight = null,
             weight_until = null",
    )
    .bind(tenant.as_uuid())
    .bind(queue.name())
    .bind(weight)
    .execute(db.pool())
    .await
    .or_failed("weigh a tenant's share")?;
    Ok(())
}
