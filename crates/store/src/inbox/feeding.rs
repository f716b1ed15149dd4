//! Sources that tell of our own messages.

use jobs::{Channel, TenantId, WebhookSourceId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// What a source tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feeding {
    /// Messages of this channel.
    pub channel: Channel,
    /// By this topic of Amazon SNS and no other.
    pub topic: Option<String>,
    /// What the source is called.
    pub name: String,
}

#[derive(FromRow)]
struct Row {
    feedback: String,
    feedback_topic: Option<String>,
    name: String,
}

/// What `source` tells of; none when it is no channel's feedback. For workers.
///
/// # Errors
/// When the database fails.
pub(super) async fn feeding(
    db: &Db,
    tenant: TenantId,
    source: WebhookSourceId,
) -> Result<Option<Feeding>, StoreError> {
    let row: Option<Row> = sqlx::query_as(
        "select feedback, feedback_topic, name from webhook_source
         where tenant_id = $1 and id = $2 and feedback is not null",
    )
    .bind(tenant.as_uuid())
    .bind(source.as_uuid())
    .fetch_optional(db.pool())
    .await
    .or_failed("see what a webhook source tells of")?;
    let unreadable =
        |found: &str| StoreError::Unreadable { table: "webhook_source", found: found.to_owned() };
    row.map(|row| {
        let channel = row.feedback.parse().map_err(|_| unreadable(&row.feedback))?;
        Ok(Feeding { channel, topic: row.feedback_topic, name: row.name })
    })
    .transpose()
}

/// Where the provider of `channel` is to tell what becomes of messages: the newest source that takes it in. For workers.
///
/// # Errors
/// When the database fails.
pub async fn feedback_source(
    db: &Db,
    tenant: TenantId,
    channel: Channel,
) -> Result<Option<WebhookSourceId>, StoreError> {
    let found: Option<Uuid> = sqlx::query_scalar(
        "select id from webhook_source where tenant_id = $1 and feedback = $2 and disabled_at is null
         order by id desc limit 1",
    )
    .bind(tenant.as_uuid())
    .bind(channel.name())
    .fetch_optional(db.pool())
    .await
    .or_failed("find who takes feedback in")?;
    Ok(found.map(WebhookSourceId::from_uuid))
}
