//! What people want to be told of.

use chrono::{DateTime, Utc};
use jobs::{AlertId, Measure, PartyId, Queue, TenantId};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::record::{RuleState, resolve};
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

const COLUMNS: &str =
    "name, measure, queue, kind, threshold, window_s, fire_after_s, resolve_after_s, recipients, updated_by,
    updated_at, value, looked_at, turning_since, alert_id";

/// A rule as it stands.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Rule {
    /// Unique among a tenant's rules.
    pub name: String,
    measure: String,
    /// Only this queue.
    pub queue: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// From which number on it is wrong.
    pub threshold: i32,
    /// How far it is looked back.
    pub window_s: i32,
    /// How long it must be so.
    pub fire_after_s: i32,
    /// How long it must not be so.
    pub resolve_after_s: i32,
    recipients: Vec<Uuid>,
    /// Who set it last.
    pub updated_by: String,
    /// When it was set last.
    pub updated_at: DateTime<Utc>,
    /// What was measured last.
    pub value: Option<i64>,
    /// When.
    pub looked_at: Option<DateTime<Utc>>,
    turning_since: Option<DateTime<Utc>>,
    alert_id: Option<Uuid>,
}

impl Rule {
    /// What it looks at.
    ///
    /// # Errors
    /// When this version measures no such thing.
    pub fn measure(&self) -> Result<Measure, StoreError> {
        let found = || StoreError::Unreadable { table: "alert_rule", found: self.measure.clone() };
        self.measure.parse().map_err(|_| found())
    }

    /// Who is told.
    pub fn recipients(&self) -> Vec<PartyId> {
        self.recipients.iter().copied().map(PartyId::from_uuid).collect()
    }

    /// The alert that is open.
    pub fn alert(&self) -> Option<AlertId> {
        self.alert_id.map(AlertId::from_uuid)
    }

    /// How it stands.
    pub fn state(&self) -> RuleState {
        match (self.alert_id.is_some(), self.turning_since.is_some()) {
            (false, false) => RuleState::Quiet,
            (false, true) => RuleState::Pending,
            (true, false) => RuleState::Firing,
            (true, true) => RuleState::Resolving,
        }
    }
}

/// A rule that is about to be.
#[derive(Debug, Clone)]
pub struct NewRule {
    /// What it is called.
    pub name: String,
    /// What it looks at.
    pub measure: Measure,
    /// Only this queue.
    pub queue: Option<Queue>,
    /// Only this kind.
    pub kind: Option<String>,
    /// From which number on it is wrong.
    pub threshold: i32,
    /// How far it is looked back, in seconds.
    pub window_s: i32,
    /// How long it must be so, in seconds.
    pub fire_after_s: i32,
    /// How long it must not be so, in seconds.
    pub resolve_after_s: i32,
    /// Who is told.
    pub recipients: Vec<PartyId>,
    /// Who said so.
    pub by: String,
}

/// What became of the wish to set a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It stands.
    Done(Box<Rule>),
    /// One of the recipients is no party of this tenant.
    NoParty,
    /// There are too many already.
    TooMany,
}

/// Sets a rule in place of the one with its name. What that one found stays open, and is judged by the new terms.
///
/// # Errors
/// When the database fails.
pub async fn put(db: &Db, tenant: TenantId, new: &NewRule, most: i64) -> Result<Put, StoreError> {
    let recipients: Vec<Uuid> = new.recipients.iter().map(PartyId::as_uuid).collect();
    let mut tx = db.tenant(tenant).await?;
    let (known, others): (i64, i64) = sqlx::query_as(
        "select (select count(*) from party where tenant_id = $1 and id = any ($2)),
                (select count(*) from alert_rule where tenant_id = $1 and name <> $3)",
    )
    .bind(tenant.as_uuid())
    .bind(&recipients)
    .bind(&new.name)
    .fetch_one(&mut *tx)
    .await
    .or_failed("look for those who are to be told of alerts")?;
    if known != recipients.len() as i64 {
        return Ok(Put::NoParty);
    }
    if others >= most {
        return Ok(Put::TooMany);
    }
    let sql = format!(
        "insert into alert_rule (tenant_id, name, measure, queue, kind, threshold, window_s, fire_after_s, resolve_after_s,
             recipients, updated_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         on conflict (tenant_id, name) do update set measure = excluded.measure, queue = excluded.queue,
             kind = excluded.kind, threshold = excluded.threshold, window_s = excluded.window_s,
             fire_after_s = excluded.fire_after_s, resolve_after_s = excluded.resolve_after_s,
             recipients = excluded.recipients, updated_by = excluded.updated_by, updated_at = clock_timestamp(),
             value = null, looked_at = null, turning_since = null
         returning {COLUMNS}"
    );
    let rule: Rule = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(&new.name)
        .bind(new.measure.name())
        .bind(new.queue.map(Queue::name))
        .bind(&new.kind)
        .bind(new.threshold)
        .bind(new.window_s)
        .bind(new.fire_after_s)
        .bind(new.resolve_after_s)
        .bind(&recipients)
        .bind(&new.by)
        .fetch_one(&mut *tx)
        .await
        .or_failed("set a rule for alerts")?;
    commit(tx, "set a rule for alerts").await?;
    Ok(Put::Done(Box::new(rule)))
}

/// The rules of `tenant`, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, tenant: TenantId) -> Result<Vec<Rule>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from alert_rule where tenant_id = $1 order by name");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .fetch_all(&mut *tx)
        .await
        .or_failed("list rules for alerts")
}

/// Removes a rule, and ends what it found. False when there is none of this name.
///
/// # Errors
/// When the database fails.
pub async fn remove(db: &Db, tenant: TenantId, name: &str) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed: Option<Option<Uuid>> =
        sqlx::query_scalar("delete from alert_rule where tenant_id = $1 and name = $2 returning alert_id")
            .bind(tenant.as_uuid())
            .bind(name)
            .fetch_optional(&mut *tx)
            .await
            .or_failed("remove a rule for alerts")?;
    let Some(open) = removed else { return Ok(false) };
    if let Some(alert) = open {
        resolve(db, &mut tx, tenant, alert).await?;
    }
    commit(tx, "remove a rule for alerts").await?;
    Ok(true)
}
