//! What endpoints were told, and telling them again.

use chrono::{DateTime, Utc};
use jobs::{
    Job, JobId, TenantId, WebhookDeliveryId, WebhookEndpointId, WebhookMessageId,
    kinds::webhook_deliver::WebhookDeliver,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, FromRow, types::Json};
use uuid::Uuid;

use super::fan_out::deliver;
use crate::{
    db::{Db, commit},
    enqueue::Enqueued,
    error::{OrFailed, StoreError},
};

/// One message on its way to one endpoint.
#[derive(Debug, Clone, FromRow)]
pub struct Delivery {
    id: Uuid,
    message_id: Uuid,
    /// What happened.
    #[sqlx(rename = "type")]
    pub event_type: String,
    /// To what.
    pub subject: String,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it happened.
    pub happened_at: DateTime<Utc>,
    /// When it got through.
    pub delivered_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str =
    "d.id, d.message_id, m.type, m.subject, d.state, d.attempts, m.created_at as happened_at, d.delivered_at
    from webhook_delivery d join webhook_message m on m.id = d.message_id";

impl Delivery {
    /// Which it is.
    pub fn id(&self) -> WebhookDeliveryId {
        WebhookDeliveryId::from_uuid(self.id)
    }

    /// Of which message.
    pub fn message(&self) -> WebhookMessageId {
        WebhookMessageId::from_uuid(self.message_id)
    }
}

/// What `endpoint` was told, latest first, before `before`, at most `max`; only what is in `state`, if that is given.
///
/// # Errors
/// When the database fails.
pub async fn deliveries(
    db: &Db,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    state: Option<&str>,
    before: Option<WebhookDeliveryId>,
    max: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} where d.tenant_id = $1 and d.endpoint_id = $2 and ($3::text is null or d.state = $3)
             and ($4::uuid is null or d.id < $4) order by d.id desc limit $5"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(endpoint.as_uuid())
        .bind(state)
        .bind(before.map(|before| before.as_uuid()))
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list what an endpoint was told")
}

/// The delivery of `endpoint` with this id.
///
/// # Errors
/// When the database fails.
pub async fn delivery(
    db: &Db,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    id: WebhookDeliveryId,
) -> Result<Option<Delivery>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} where d.tenant_id = $1 and d.endpoint_id = $2 and d.id = $3");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(endpoint.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read what an endpoint was told")
}

/// An attempt to tell an endpoint.
#[derive(Debug, Clone, FromRow)]
pub struct Attempt {
    /// From 1.
    pub number: i32,
    /// When.
    pub attempted_at: DateTime<Utc>,
    /// What was sent: its `url` and `headers`.
    pub request: Option<Json<Value>>,
    /// What was answered.
    pub status: Option<i16>,
    /// What went wrong.
    pub error: Option<String>,
    /// How long it took.
    pub took_ms: i32,
    /// The beginning of the answer.
    pub answer: Option<String>,
}

/// The attempts of `delivery`, latest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn attempts(
    db: &Db,
    tenant: TenantId,
    delivery: WebhookDeliveryId,
    max: i64,
) -> Result<Vec<Attempt>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select number, attempted_at, request, status, error, took_ms, answer from webhook_attempt
         where tenant_id = $1 and delivery_id = $2 order by number desc limit $3",
    )
    .bind(tenant.as_uuid())
    .bind(delivery.as_uuid())
    .bind(max)
    .fetch_all(&mut *tx)
    .await
    .or_failed("list attempts to tell an endpoint")
}

/// What became of the wish to tell something once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resent {
    /// It is on its way, or was already.
    Done,
    /// Not yet: this job, which told it before, has not ended.
    StillHeld(JobId),
    /// There is no such delivery.
    NoDelivery,
}

/// Tells `endpoint` once more, under the id of before.
///
/// # Errors
/// When the database fails.
pub async fn resend(
    db: &Db,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    delivery: WebhookDeliveryId,
) -> Result<Resent, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let found: Option<(Uuid, bool)> = sqlx::query_as(
        "select message_id, state = 'pending' from webhook_delivery
         where tenant_id = $1 and endpoint_id = $2 and id = $3 for update",
    )
    .bind(tenant.as_uuid())
    .bind(endpoint.as_uuid())
    .bind(delivery.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("find what to tell once more")?;
    let Some((message, is_pending)) = found else { return Ok(Resent::NoDelivery) };
    let made = deliver(db, &mut tx, tenant, &[(endpoint.as_uuid(), message)]).await?;
    // One that has told it is about to end, and will not tell it again. Nothing is changed then.
    if let ([(_, Enqueued::Existing(job))], false) = (&made[..], is_pending) {
        return Ok(Resent::StillHeld(*job));
    }
    commit(tx, "tell an endpoint once more").await?;
    Ok(Resent::Done)
}

/// Tells `endpoint` what did not get through of what happened from `since` on, oldest first, at most `max`; answers how many.
/// Left out is what a job has in hand that is about to end.
///
/// # Errors
/// When the database fails.
pub async fn recover(
    db: &Db,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    since: DateTime<Utc>,
    max: i64,
) -> Result<usize, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let failed: Vec<Uuid> = sqlx::query_scalar(
        "select m.id from webhook_delivery d join webhook_message m on m.id = d.message_id
         where d.tenant_id = $1 and d.endpoint_id = $2 and d.state = 'failed' and m.created_at >= $3
             and not exists (select from job j where j.tenant_id = $1 and j.kind = $5
                 and j.unique_key = 'whd_' || replace(d.id::text, '-', ''))
         order by m.id limit $4",
    )
    .bind(tenant.as_uuid())
    .bind(endpoint.as_uuid())
    .bind(since)
    .bind(max)
    .bind(WebhookDeliver::KIND)
    .fetch_all(&mut *tx)
    .await
    .or_failed("find what did not get through")?;
    let pairs: Vec<(Uuid, Uuid)> = failed.iter().map(|message| (endpoint.as_uuid(), *message)).collect();
    deliver(db, &mut tx, tenant, &pairs).await?;
    commit(tx, "tell an endpoint what it missed").await?;
    Ok(pairs.len())
}

/// Tells `endpoint`, and nobody else, that this is a test. None when this tenant has no such endpoint.
///
/// # Errors
/// When the database fails.
pub async fn test(
    db: &Db,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
) -> Result<Option<WebhookDeliveryId>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let message = WebhookMessageId::new();
    let made = sqlx::query(
        "insert into webhook_message (id, tenant_id, type, subject, data, fanned_out_at)
         select $3, $1, 'webhook_endpoint.test', $4, $5, clock_timestamp()
         from webhook_endpoint where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(endpoint.as_uuid())
    .bind(message.as_uuid())
    .bind(endpoint.to_string())
    .bind(Json(json!({ "endpoint": endpoint })))
    .execute(&mut *tx)
    .await
    .or_failed("make a test for an endpoint")?;
    if made.rows_affected() == 0 {
        return Ok(None);
    }
    let made = deliver(db, &mut tx, tenant, &[(endpoint.as_uuid(), message.as_uuid())]).await?;
    commit(tx, "make a test for an endpoint").await?;
    Ok(made.first().map(|(delivery, _)| *delivery))
}
