//! How long a tenant wants its history kept, and letting go what is older.
//!
//! Whole days that nobody may keep are dropped by [`crate::housekeeping`]. Here a tenant asks for less.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use jobs::{JobId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// History rows looked at in one statement.
const PAGE_MAX: i32 = 500;

/// For how many days a tenant wants its history kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Rules {
    /// Of kinds without a rule of their own; none leaves it to the installation.
    pub days: Option<u16>,
    /// Of one kind each.
    pub kinds: BTreeMap<String, u16>,
}

impl Rules {
    fn every(&self) -> impl Iterator<Item = (Option<&str>, u16)> {
        let kinds = self.kinds.iter().map(|(kind, days)| (Some(kind.as_str()), *days));
        self.days.map(|days| (None, days)).into_iter().chain(kinds)
    }

    /// The fewest and the most days that any rule says; none without a rule.
    pub fn span(&self) -> Option<(u16, u16)> {
        let days = || self.every().map(|(_, days)| days);
        days().min().zip(days().max())
    }
}

#[derive(FromRow)]
struct Row {
    tenant_id: Uuid,
    kind: Option<String>,
    days: i32,
}

/// What `tenant` asked for.
pub async fn of_tenant(db: &Db, tenant: TenantId) -> Result<Rules, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let rows: Vec<Row> = sqlx::query_as("select tenant_id, kind, days from retention where tenant_id = $1")
        .bind(tenant.as_uuid())
        .fetch_all(&mut *tx)
        .await
        .or_failed("read for how long history is kept")?;
    Ok(gathered(rows).remove(&tenant).unwrap_or_default())
}

/// What every tenant asked for that asked for anything. For workers.
pub async fn of_all(db: &Db) -> Result<BTreeMap<TenantId, Rules>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as("select tenant_id, kind, days from retention")
        .fetch_all(db.pool())
        .await
        .or_failed("read for how long history is kept")?;
    Ok(gathered(rows))
}

fn gathered(rows: Vec<Row>) -> BTreeMap<TenantId, Rules> {
    let mut all: BTreeMap<TenantId, Rules> = BTreeMap::new();
    for row in rows {
        let rules = all.entry(TenantId::from_uuid(row.tenant_id)).or_default();
        match row.kind {
            Some(kind) => _ = rules.kinds.insert(kind, row.days as u16),
            None => rules.days = Some(row.days as u16),
        }
    }
    all
}

/// Keeps history of `tenant` as `rules` say, from now on.
pub async fn set(db: &Db, tenant: TenantId, rules: &Rules) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Two that set rules at once go one after the other; the later one holds.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1::text || '/retention', 0))")
        .bind(tenant.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("take the rules in hand")?;
    sqlx::query("delete from retention where tenant_id = $1")
        .bind(tenant.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("forget for how long history was kept")?;
    sqlx::query(
        "insert into retention (tenant_id, kind, days) select $1, * from unnest($2::text[], $3::int[])",
    )
    .bind(tenant.as_uuid())
    .bind(rules.every().map(|(kind, _)| kind).collect::<Vec<_>>())
    .bind(rules.every().map(|(_, days)| i32::from(days)).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .or_failed("keep for how long history is kept")?;
    commit(tx, "set for how long history is kept").await
}

/// How far a day was looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    job: JobId,
    fence: i32,
}

#[derive(FromRow)]
struct Step {
    after_job: Option<Uuid>,
    after_fence: Option<i32>,
    pruned: i32,
}

/// Lets go what the rules of `tenant` say among some history of `day`, after what was reached before; answers how many
/// attempts, and how far it came unless that is the end.
pub async fn prune(
    db: &Db,
    tenant: TenantId,
    day: NaiveDate,
    after: Option<Reached>,
) -> Result<(usize, Option<Reached>), StoreError> {
    let Step { after_job, after_fence, pruned } =
        sqlx::query_as("select after_job, after_fence, pruned from prune_history($1, $2, $3, $4, $5)")
            .bind(tenant.as_uuid())
            .bind(day)
            .bind(after.map_or(Uuid::nil(), |after| after.job.as_uuid()))
            .bind(after.map_or(-1, |after| after.fence))
            .bind(PAGE_MAX)
            .fetch_one(db.pool())
            .await
            .or_failed("let go old history")?;
    let reached =
        after_job.zip(after_fence).map(|(job, fence)| Reached { job: JobId::from_uuid(job), fence });
    Ok((pruned as usize, reached))
}
