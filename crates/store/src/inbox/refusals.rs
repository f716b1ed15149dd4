//! Messages that were not believed: the last few of each source, for whoever wonders why nothing arrives.

use chrono::{DateTime, Utc};
use jobs::{TenantId, WebhookSourceId};
use serde_json::Value;
use sqlx::{FromRow, types::Json};

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// Refusals kept of one source.
const KEPT_MAX: i64 = 50;
/// A source's refusals are written down at most so often: whoever floods us must not make us write.
const EVERY_MS: f64 = 100.0;
/// Characters of a reason.
const REASON_CHARS_MAX: usize = 500;

/// A message that was not believed.
#[derive(Debug, Clone)]
pub struct NewRefusal {
    /// A stable word.
    pub word: &'static str,
    /// Why, for whoever set the source up.
    pub reason: String,
    /// Its headers, without what proves who sent it.
    pub headers: Value,
    /// How long its body was.
    pub body_bytes: usize,
}

/// Writes down that a message of `source` was not believed, in place of the oldest such note when there are 50. False when
/// one was written down a moment ago.
///
/// # Errors
/// When the database fails.
pub async fn refuse(
    db: &Db,
    tenant: TenantId,
    source: WebhookSourceId,
    new: &NewRefusal,
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let number: Option<i64> = sqlx::query_scalar(
        "update webhook_source set refusals = refusals + 1, refused_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and refused_at < clock_timestamp() - $3 * interval '1 ms' returning refusals",
    )
    .bind(tenant.as_uuid())
    .bind(source.as_uuid())
    .bind(EVERY_MS)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("count a refused webhook")?;
    let Some(number) = number else { return Ok(false) };
    let reason: String = new.reason.chars().take(REASON_CHARS_MAX).collect();
    sqlx::query(
        "insert into webhook_refusal (tenant_id, source_id, slot, word, reason, headers, body_bytes)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (source_id, slot) do update set refused_at = clock_timestamp(), word = excluded.word,
             reason = excluded.reason, headers = excluded.headers, body_bytes = excluded.body_bytes",
    )
    .bind(tenant.as_uuid())
    .bind(source.as_uuid())
    .bind((number % KEPT_MAX) as i16)
    .bind(new.word)
    .bind(reason)
    .bind(Json(&new.headers))
    .bind(i32::try_from(new.body_bytes).unwrap_or(i32::MAX))
    .execute(&mut *tx)
    .await
    .or_failed("write down a refused webhook")?;
    commit(tx, "write down a refused webhook").await?;
    Ok(true)
}

/// A message that was not believed, as it was written down.
#[derive(Debug, Clone, FromRow)]
pub struct Refused {
    /// When.
    pub refused_at: DateTime<Utc>,
    /// A stable word.
    pub word: String,
    /// Why.
    pub reason: String,
    /// Its headers.
    pub headers: Json<Value>,
    /// How long its body was.
    pub body_bytes: i32,
}

/// The last messages of `source` that were not believed, latest first.
///
/// # Errors
/// When the database fails.
pub async fn refusals(
    db: &Db,
    tenant: TenantId,
    source: WebhookSourceId,
) -> Result<Vec<Refused>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select refused_at, word, reason, headers, body_bytes from webhook_refusal
         where tenant_id = $1 and source_id = $2 order by refused_at desc",
    )
    .bind(tenant.as_uuid())
    .bind(source.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("list refused webhooks")
}
