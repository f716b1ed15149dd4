//! What a job that tells an endpoint needs, and how telling went.

use chrono::{DateTime, Utc};
use jobs::{TenantId, WebhookDeliveryId, WebhookEndpointId, WebhookMessageId};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, FromRow, types::Json};
use uuid::Uuid;

use super::{
    endpoints::{COLUMNS, Endpoint},
    telling::tell,
};
use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
};

/// An endpoint to which nothing has got through for so long is told nothing more, in days.
const FAILING_DAYS_MAX: i32 = 5;
/// Characters kept of an error, and of an answer.
const ERROR_CHARS_MAX: usize = 500;
const ANSWER_CHARS_MAX: usize = 4_096;

/// What is to be said, and to whom.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// To whom.
    pub endpoint: Endpoint,
    /// Which message; the same however often it is sent.
    pub message: WebhookMessageId,
    /// What happened.
    pub event_type: String,
    /// To what.
    pub subject: String,
    /// The rest.
    pub data: Value,
    /// When it happened.
    pub happened_at: DateTime<Utc>,
    /// It got through before.
    pub is_delivered: bool,
}

#[derive(FromRow)]
struct Row {
    endpoint_id: Uuid,
    message_id: Uuid,
    #[sqlx(rename = "type")]
    event_type: String,
    subject: String,
    data: Json<Value>,
    created_at: DateTime<Utc>,
    state: String,
}

/// What `delivery` is about; none when it is not there any more, or its endpoint is not.
///
/// # Errors
/// When the database fails.
pub async fn dispatch(
    db: &Db,
    tenant: TenantId,
    delivery: WebhookDeliveryId,
) -> Result<Option<Dispatch>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let row: Option<Row> = sqlx::query_as(
        "select d.endpoint_id, d.message_id, m.type, m.subject, m.data, m.created_at, d.state
         from webhook_delivery d join webhook_message m on m.id = d.message_id where d.tenant_id = $1 and d.id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(delivery.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read what is to be told")?;
    let Some(row) = row else { return Ok(None) };
    let sql = format!("select {COLUMNS} from webhook_endpoint where tenant_id = $1 and id = $2");
    let endpoint: Option<Endpoint> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(row.endpoint_id)
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read who is to be told")?;
    Ok(endpoint.map(|endpoint| Dispatch {
        endpoint,
        message: WebhookMessageId::from_uuid(row.message_id),
        event_type: row.event_type,
        subject: row.subject,
        data: row.data.0,
        happened_at: row.created_at,
        is_delivered: row.state == "delivered",
    }))
}

/// How an attempt went.
#[derive(Debug, Clone)]
pub struct Tried {
    /// What was sent: its `url` and `headers`; none when nothing was.
    pub request: Option<Value>,
    /// What was answered.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// How long it took.
    pub took_ms: u64,
    /// The beginning of the answer.
    pub answer: Option<String>,
    /// It got through.
    pub is_delivered: bool,
    /// There will not be another.
    pub is_last: bool,
    /// The endpoint wants to be told nothing more.
    pub is_unwanted: bool,
}

/// Writes down how an attempt went. An endpoint that wants it so, or to which nothing has got through for five days, is told
/// nothing more: then true, and the tenant's other endpoints are told of that.
///
/// # Errors
/// When the database fails.
pub async fn tried(
    db: &Db,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    delivery: WebhookDeliveryId,
    tried: &Tried,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let state = match (tried.is_delivered, tried.is_last) {
        (true, _) => "delivered",
        (false, true) => "failed",
        (false, false) => "pending",
    };
    let number: Option<i32> = sqlx::query_scalar(
        "update webhook_delivery set attempts = attempts + 1, state = $3,
             delivered_at = case when $3 = 'delivered' then clock_timestamp() end
         where tenant_id = $1 and id = $2 returning attempts",
    )
    .bind(tenant.as_uuid())
    .bind(delivery.as_uuid())
    .bind(state)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("count an attempt to tell")?;
    let Some(number) = number else { return Ok(false) };
    insert_attempt(&mut tx, tenant, delivery, number, tried).await?;
    let is_over = note_health(&mut tx, tenant, endpoint, tried.is_delivered).await?;
    let reason = match (tried.is_unwanted, is_over) {
        (true, _) => Some("it answered 410: it wants to be told nothing more".to_owned()),
        (false, true) => Some(format!("nothing has got through to it for {FAILING_DAYS_MAX} days")),
        (false, false) => None,
    };
    if let Some(reason) = &reason {
        switch_off(&mut tx, tenant, endpoint, reason).await?;
    }
    commit(tx, "write down an attempt to tell").await?;
    Ok(reason.is_some())
}

async fn insert_attempt(
    tx: &mut Tx,
    tenant: TenantId,
    delivery: WebhookDeliveryId,
    number: i32,
    tried: &Tried,
) -> Result<(), StoreError> {
    let cut = |text: &Option<String>, most: usize| {
        text.as_ref().map(|text| text.replace('\0', "\u{fffd}").chars().take(most).collect::<String>())
    };
    sqlx::query(
        "insert into webhook_attempt (tenant_id, delivery_id, number, status, error, took_ms, answer, request)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tenant.as_uuid())
    .bind(delivery.as_uuid())
    .bind(number)
    .bind(tried.status.map(|status| status as i16))
    .bind(cut(&tried.error, ERROR_CHARS_MAX))
    .bind(i32::try_from(tried.took_ms).unwrap_or(i32::MAX))
    .bind(cut(&tried.answer, ANSWER_CHARS_MAX))
    .bind(tried.request.as_ref().map(Json))
    .execute(&mut **tx)
    .await
    .or_failed("write down an attempt to tell")?;
    Ok(())
}

/// Whether nothing has got through for too long.
async fn note_health(
    tx: &mut Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    is_delivered: bool,
) -> Result<bool, StoreError> {
    let is_over: Option<bool> = sqlx::query_scalar(
        "update webhook_endpoint set failing_since = case when not $3 then coalesce(failing_since, clock_timestamp()) end
         where tenant_id = $1 and id = $2 and ($3 = (failing_since is not null) or not $3)
         returning disabled_at is null and failing_since < clock_timestamp() - make_interval(days => $4)",
    )
    .bind(tenant.as_uuid())
    .bind(endpoint.as_uuid())
    .bind(is_delivered)
    .bind(FAILING_DAYS_MAX)
    .fetch_optional(&mut **tx)
    .await
    .or_failed("note how an endpoint is doing")?
    .flatten();
    Ok(is_over.unwrap_or(false))
}

async fn switch_off(
    tx: &mut Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    reason: &str,
) -> Result<(), StoreError> {
    let switched = sqlx::query(
        "update webhook_endpoint set disabled_at = clock_timestamp(), disabled_reason = $3
         where tenant_id = $1 and id = $2 and disabled_at is null",
    )
    .bind(tenant.as_uuid())
    .bind(endpoint.as_uuid())
    .bind(reason)
    .execute(&mut **tx)
    .await
    .or_failed("switch off a webhook endpoint")?;
    if switched.rows_affected() == 0 {
        return Ok(());
    }
    let data = json!({ "endpoint": endpoint, "reason": reason });
    tell(tx, tenant, "webhook_endpoint.disabled", &endpoint.to_string(), &data).await
}
