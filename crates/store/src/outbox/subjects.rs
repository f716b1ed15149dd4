//! Who was told of one thing.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{TenantId, WebhookEndpointId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Seconds around a moment in which what happened then was written down. Messages are found by their age: an index of subjects would
/// be paid for by every job that ends.
const AROUND_S_MAX: i64 = 5;

/// Somebody who was told, or is to be.
#[derive(Debug, Clone, FromRow)]
pub struct Told {
    endpoint_id: Uuid,
    /// Where.
    pub url: String,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was written down that they are to be told.
    pub created_at: DateTime<Utc>,
    /// When it got through.
    pub delivered_at: Option<DateTime<Utc>>,
}

impl Told {
    /// Who.
    pub fn endpoint(&self) -> WebhookEndpointId {
        WebhookEndpointId::from_uuid(self.endpoint_id)
    }
}

/// Up to `limit` endpoints of `tenant` that are told what happened to `subject` at `at`.
///
/// # Errors
/// When the database fails.
pub async fn told_of(
    db: &Db,
    tenant: TenantId,
    subject: &str,
    at: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Told>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let around = TimeDelta::seconds(AROUND_S_MAX);
    sqlx::query_as(
        "select d.endpoint_id, e.url, d.state, d.attempts, d.created_at, d.delivered_at
         from webhook_message m join webhook_delivery d on d.message_id = m.id
         join webhook_endpoint e on e.id = d.endpoint_id
         where m.tenant_id = $1 and m.created_at between $3 and $4 and m.subject = $2
         order by d.created_at, d.id limit $5",
    )
    .bind(tenant.as_uuid())
    .bind(subject)
    .bind(at - around)
    .bind(at + around)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .or_failed("see who was told")
}
