//! What events of a source become.

use chrono::{DateTime, Utc};
use jobs::{TenantId, WebhookRuleId, WebhookSourceId};
use serde_json::Value;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// A rule as it stands.
#[derive(Debug, Clone, FromRow)]
pub struct StoredRule {
    id: Uuid,
    /// As `webhooks::Rule` reads it.
    pub rule: Json<Value>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl StoredRule {
    /// Which it is.
    pub fn id(&self) -> WebhookRuleId {
        WebhookRuleId::from_uuid(self.id)
    }
}

/// What became of the wish for a rule.
#[derive(Debug, Clone)]
pub enum AddedRule {
    /// It holds from now on.
    New(StoredRule),
    /// The source has as many as it may.
    TooMany,
    /// This tenant has no such source.
    NoSource,
}

/// Adds a rule to `source`, unless it has `rules_max` already.
///
/// # Errors
/// When the database fails.
pub async fn add_rule(
    db: &Db,
    tenant: TenantId,
    source: WebhookSourceId,
    rule: &Value,
    by: &str,
    rules_max: i64,
) -> Result<AddedRule, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Of two that are added at once, one waits for the other, so that they are counted right.
    let found: Option<i64> = sqlx::query_scalar(
        "select (select count(*) from webhook_rule where source_id = $2) from webhook_source
         where tenant_id = $1 and id = $2 for update",
    )
    .bind(tenant.as_uuid())
    .bind(source.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("count the rules of a webhook source")?;
    match found {
        None => return Ok(AddedRule::NoSource),
        Some(count) if count >= rules_max => return Ok(AddedRule::TooMany),
        Some(_) => {}
    }
    let made = sqlx::query_as(
        "insert into webhook_rule (id, tenant_id, source_id, rule, created_by) values ($1, $2, $3, $4, $5)
         returning id, rule, created_at",
    )
    .bind(WebhookRuleId::new().as_uuid())
    .bind(tenant.as_uuid())
    .bind(source.as_uuid())
    .bind(Json(rule))
    .bind(by)
    .fetch_one(&mut *tx)
    .await
    .or_failed("add a rule to a webhook source")?;
    commit(tx, "add a rule to a webhook source").await?;
    Ok(AddedRule::New(made))
}

/// The rules of `source`, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn rules(
    db: &Db,
    tenant: TenantId,
    source: WebhookSourceId,
) -> Result<Vec<StoredRule>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select id, rule, created_at from webhook_rule where tenant_id = $1 and source_id = $2 order by id",
    )
    .bind(tenant.as_uuid())
    .bind(source.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("list the rules of a webhook source")
}

/// Removes a rule; false when this source has none such.
///
/// # Errors
/// When the database fails.
pub async fn remove_rule(
    db: &Db,
    tenant: TenantId,
    source: WebhookSourceId,
    rule: WebhookRuleId,
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from webhook_rule where tenant_id = $1 and source_id = $2 and id = $3")
        .bind(tenant.as_uuid())
        .bind(source.as_uuid())
        .bind(rule.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("remove a rule of a webhook source")?;
    commit(tx, "remove a rule of a webhook source").await?;
    Ok(removed.rows_affected() == 1)
}
