//! Alerts as they were, and telling of them.

use chrono::{DateTime, NaiveDate, Utc};
use jobs::{
    AlertId, PartyId, TenantId,
    kinds::alert_send::{AlertSend, AlertTurn},
};
use serde_json::json;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    enqueue::{self, NewJob},
    error::{OrFailed, StoreError},
    outbox::tell,
};

/// Alerts forgotten at once.
const PRUNE_MAX: i64 = 5_000;

pub(super) const COLUMNS: &str =
    "id, tenant_id, rule, measure, queue, kind, threshold, value, worst, recipients, fired_at, resolved_at";

/// Something that was so for long enough.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Alert {
    id: Uuid,
    tenant_id: Uuid,
    /// The rule that found it, which may not be there any more.
    pub rule: String,
    /// What was measured.
    pub measure: String,
    /// Of which queue; none for all.
    pub queue: Option<String>,
    /// Of which kind; none for all.
    pub kind: Option<String>,
    /// From which number on it is wrong.
    pub threshold: i32,
    /// What it was when it fired.
    pub value: i64,
    /// The worst since.
    pub worst: i64,
    recipients: Vec<Uuid>,
    /// When it had been so for long enough.
    pub fired_at: DateTime<Utc>,
    /// When it had not been so any more for long enough.
    pub resolved_at: Option<DateTime<Utc>>,
}

impl Alert {
    /// Which it is.
    pub fn id(&self) -> AlertId {
        AlertId::from_uuid(self.id)
    }

    /// Whose it is.
    pub(super) fn tenant(&self) -> TenantId {
        TenantId::from_uuid(self.tenant_id)
    }

    /// Who is told.
    pub fn recipients(&self) -> Vec<PartyId> {
        self.recipients.iter().copied().map(PartyId::from_uuid).collect()
    }
}

/// How a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleState {
    /// All is well.
    Quiet,
    /// Something is wrong, and not for long enough.
    Pending,
    /// Something is wrong.
    Firing,
    /// It is well again, and not for long enough.
    Resolving,
}

impl RuleState {
    /// The word in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolving => "resolving",
        }
    }
}

/// One alert of `tenant`.
///
/// # Errors
/// When the database fails.
pub async fn alert(db: &Db, tenant: TenantId, id: AlertId) -> Result<Option<Alert>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from alert where tenant_id = $1 and id = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read an alert")
}

/// The alerts of `tenant` before `before`, newest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    before: Option<Uuid>,
    max: i64,
) -> Result<Vec<Alert>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from alert where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(before)
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list alerts")
}

/// Forgets alerts that were over before `keep_from`, up to 5,000; answers how many. For workers.
///
/// # Errors
/// When the database fails.
pub async fn prune(db: &Db, keep_from: NaiveDate) -> Result<u64, StoreError> {
    let forgotten = sqlx::query(
        "delete from alert where id = any (array(
             select id from alert where resolved_at < $1 order by resolved_at limit $2))",
    )
    .bind(keep_from)
    .bind(PRUNE_MAX)
    .execute(db.pool())
    .await
    .or_failed("forget old alerts")?;
    Ok(forgotten.rows_affected())
}

/// Ends an alert, if it is open, and has that told.
pub(super) async fn resolve(db: &Db, tx: &mut Tx, tenant: TenantId, alert: Uuid) -> Result<(), StoreError> {
    // Not all columns may be written by those who remove rules, so nothing else is.
    let sql = format!(
        "update alert set resolved_at = clock_timestamp() where tenant_id = $1 and id = $2 and resolved_at is null
         returning {COLUMNS}"
    );
    let resolved: Option<Alert> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(alert)
        .fetch_optional(&mut **tx)
        .await
        .or_failed("end an alert")?;
    match resolved {
        Some(alert) => announce(db, tx, &alert, AlertTurn::Resolved).await,
        None => Ok(()),
    }
}

/// Has endpoints told, and the parties that the rule named.
pub(super) async fn announce(db: &Db, tx: &mut Tx, alert: &Alert, turn: AlertTurn) -> Result<(), StoreError> {
    let subject = alert.id().to_string();
    let data = json!({
        "alert": subject, "rule": alert.rule, "measure": alert.measure, "queue": alert.queue, "kind": alert.kind,
        "threshold": alert.threshold, "value": alert.value, "worst": alert.worst, "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
    });
    tell(tx, alert.tenant(), &format!("alert.{}", turn.name()), &subject, &data).await?;
    if alert.recipients.is_empty() {
        return Ok(());
    }
    let unwritable =
        |error: serde_json::Error| StoreError::Unreadable { table: "job", found: error.to_string() };
    let job = NewJob::of(&AlertSend { alert: alert.id(), turn }).map_err(unwritable)?;
    enqueue::insert(db, tx, alert.tenant(), &[job]).await?;
    Ok(())
}
