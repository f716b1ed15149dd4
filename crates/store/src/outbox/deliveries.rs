//! What endpoints were told, and telling them again.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{JobId, TenantId, WebhookDeliveryId, WebhookEndpointId, WebhookMessageId};
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
    endpoint_id: Uuid,
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
    "d.id, d.endpoint_id, d.message_id, m.type, m.subject, d.state, d.attempts, m.created_at as happened_at, d.delivered_at
    from webhook_delivery d join webhook_message m on m.id = d.message_id";

impl Delivery {
    /// Which it is.
    pub fn id(&self) -> WebhookDeliveryId {
        WebhookDeliveryId::from_uuid(self.id)
    }

    /// Who is told.
    pub fn endpoint(&self) -> WebhookEndpointId {
        WebhookEndpointId::from_uuid(self.endpoint_id)
    }

    /// Of which message.
    pub fn message(&self) -> WebhookMessageId {
        WebhookMessageId::from_uuid(self.message_id)
    }
}

/// Which deliveries are meant. What is none is not looked at.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<String>,
    /// Of exactly this type.
    pub event_type: Option<String>,
    /// Of what did not happen before.
    pub since: Option<DateTime<Utc>>,
    /// Of what happened before.
    pub until: Option<DateTime<Utc>>,
}

impl Filter {
    /// No delivery is older than what it tells of, and ids sort by when they were made: others are not read. An hour of slack covers
    /// clocks that disagree.
    pub(super) fn oldest(&self) -> Option<Uuid> {
        let from = self.since?.checked_sub_signed(TimeDelta::hours(1))?;
        Some(WebhookDeliveryId::earliest(from).as_uuid())
    }
}

/// The condition of a [`Filter`] on a delivery `d` and its message `m`, whose parts are bound as the parameters 3 to 7.
pub(super) const FITS: &str = "($3::text is null or d.state = $3) and ($4::text is null or m.type = $4)
    and ($5::timestamptz is null or m.created_at >= $5) and ($6::timestamptz is null or m.created_at < $6)
    and ($7::uuid is null or d.id >= $7)";

/// What `endpoint`, or every one of them, was told and fits, latest first, before `before`, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn deliveries(
    db: &Db,
    tenant: TenantId,
    endpoint: Option<WebhookEndpointId>,
    filter: &Filter,
    before: Option<WebhookDeliveryId>,
    max: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Of each endpoint the latest, which an index of its own finds; then the latest of them all.
    let sql = format!(
        "select told.* from webhook_endpoint e cross join lateral (
             select {COLUMNS} where d.tenant_id = $1 and d.endpoint_id = e.id and {FITS}
                 and ($8::uuid is null or d.id < $8) order by d.id desc limit $9
         ) told where e.tenant_id = $1 and ($2::uuid is null or e.id = $2) order by told.id desc limit $9"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        // Planned for this very filter.
        .persistent(false)
        .bind(tenant.as_uuid())
        .bind(endpoint.map(|endpoint| endpoint.as_uuid()))
        .bind(&filter.state)
        .bind(&filter.event_type)
        .bind(filter.since)
        .bind(filter.until)
        .bind(filter.oldest())
        .bind(before.map(|before| before.as_uuid()))
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list what endpoints were told")
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
