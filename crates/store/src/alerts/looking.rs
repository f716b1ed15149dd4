//! Looking at what rules look at, and turning them.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{AlertId, TenantId, kinds::alert_send::AlertTurn};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::{
    judging::{Before, Judged, judge},
    record::{Alert, COLUMNS, announce, resolve},
};
use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
};

/// Rules looked at in one transaction.
const PAGE_MAX: i64 = 20;
/// Fewer attempts than this tell nothing of how many go wrong.
const ATTEMPTS_MIN: i32 = 20;

/// What one round did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Round {
    /// Rules that were looked at.
    pub looked: usize,
    /// Alerts that fired.
    pub fired: u64,
    /// Alerts that ended.
    pub resolved: u64,
    /// Where the next round begins; none when all rules were looked at.
    pub next: Option<(TenantId, String)>,
}

/// A rule with what it measures at this moment.
#[derive(FromRow)]
struct Look {
    tenant_id: Uuid,
    name: String,
    measure: String,
    queue: Option<String>,
    kind: Option<String>,
    threshold: i32,
    fire_after_s: i32,
    resolve_after_s: i32,
    recipients: Vec<Uuid>,
    looked_at: Option<DateTime<Utc>>,
    turning_since: Option<DateTime<Utc>>,
    alert_id: Option<Uuid>,
    measured: i64,
    present: DateTime<Utc>,
}

/// Looks at up to 20 rules after `after`, and tells of those that turned. For workers.
///
/// # Errors
/// When the database fails; then nobody was told.
pub async fn look(db: &Db, after: Option<(TenantId, String)>) -> Result<Round, StoreError> {
    let (tenant, name) = after.unwrap_or_else(|| (TenantId::from_uuid(Uuid::nil()), String::new()));
    let mut tx = db.begin().await?;
    let looks: Vec<Look> = sqlx::query_as(
        "select r.tenant_id, r.name, r.measure, r.queue, r.kind, r.threshold, r.fire_after_s, r.resolve_after_s, r.recipients,
                r.looked_at, r.turning_since, r.alert_id, clock_timestamp() as present,
                measure_alert(r.tenant_id, r.measure, r.queue, r.kind, r.window_s, $4) as measured
         from (select * from alert_rule where (tenant_id, name) > ($1, $2) order by tenant_id, name limit $3
               for no key update skip locked) r
         order by r.tenant_id, r.name",
    )
    .bind(tenant.as_uuid())
    .bind(&name)
    .bind(PAGE_MAX)
    .bind(ATTEMPTS_MIN)
    .fetch_all(&mut *tx)
    .await
    .or_failed("look at the rules for alerts")?;
    let mut round = Round { looked: looks.len(), ..Round::default() };
    for look in &looks {
        turn(db, &mut tx, look, &mut round).await?;
    }
    let last = looks.last().filter(|_| looks.len() as i64 == PAGE_MAX);
    round.next = last.map(|last| (TenantId::from_uuid(last.tenant_id), last.name.clone()));
    commit(tx, "look at the rules for alerts").await?;
    Ok(round)
}

async fn turn(db: &Db, tx: &mut Tx, look: &Look, round: &mut Round) -> Result<(), StoreError> {
    let before = Before {
        is_firing: look.alert_id.is_some(),
        turning_since: look.turning_since,
        looked_at: look.looked_at,
    };
    let wait = if before.is_firing { look.resolve_after_s } else { look.fire_after_s };
    let is_over = look.measured >= i64::from(look.threshold);
    let judged = judge(before, is_over, TimeDelta::seconds(i64::from(wait)), look.present);
    let (open, since) = match (judged, look.alert_id) {
        (Judged::Stays, open) => (open, None),
        (Judged::Turning(since), open) => (open, Some(since)),
        (Judged::Turned, None) => {
            round.fired += 1;
            (Some(fire(db, tx, look).await?), None)
        }
        (Judged::Turned, Some(alert)) => {
            round.resolved += 1;
            resolve(db, tx, TenantId::from_uuid(look.tenant_id), alert).await?;
            (None, None)
        }
    };
    if let Some(alert) = open {
        worsen(tx, alert, look.measured).await?;
    }
    sqlx::query(
        "update alert_rule set value = $3, looked_at = $4, turning_since = $5, alert_id = $6
         where tenant_id = $1 and name = $2",
    )
    .bind(look.tenant_id)
    .bind(&look.name)
    .bind(look.measured)
    .bind(look.present)
    .bind(since)
    .bind(open)
    .execute(&mut **tx)
    .await
    .or_failed("note how a rule for alerts stands")?;
    Ok(())
}

async fn fire(db: &Db, tx: &mut Tx, look: &Look) -> Result<Uuid, StoreError> {
    let sql = format!(
        "insert into alert (id, tenant_id, rule, measure, queue, kind, threshold, value, worst, recipients)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9) returning {COLUMNS}"
    );
    let alert: Alert = sqlx::query_as(AssertSqlSafe(sql))
        .bind(AlertId::new().as_uuid())
        .bind(look.tenant_id)
        .bind(&look.name)
        .bind(&look.measure)
        .bind(&look.queue)
        .bind(&look.kind)
        .bind(look.threshold)
        .bind(look.measured)
        .bind(&look.recipients)
        .fetch_one(&mut **tx)
        .await
        .or_failed("write down an alert")?;
    announce(db, tx, &alert, AlertTurn::Firing).await?;
    Ok(alert.id().as_uuid())
}

async fn worsen(tx: &mut Tx, alert: Uuid, measured: i64) -> Result<(), StoreError> {
    sqlx::query("update alert set worst = $2 where id = $1 and worst < $2")
        .bind(alert)
        .bind(measured)
        .execute(&mut **tx)
        .await
        .or_failed("note how bad an alert is")?;
    Ok(())
}
