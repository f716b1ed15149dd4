//! What those who got a delivery say about it.

use chrono::{DateTime, Utc};
use jobs::{DeliveryId, TenantId};
use serde_json::json;
use sqlx::FromRow;

use super::Delivery;
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    outbox,
};

/// What somebody wants changed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Note {
    /// From 1, in the order in which they were written.
    pub number: i16,
    /// Which file, from 1.
    pub place: i16,
    /// Of which manifest.
    pub manifest_sha256: String,
    /// Where, in thousandths of the picture's width; none when it is about the whole.
    pub x: Option<i16>,
    /// Where, in thousandths of the picture's height.
    pub y: Option<i16>,
    /// In words.
    pub text: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// A note that is about to be.
#[derive(Debug, Clone)]
pub struct NewNote {
    /// Which file, from 1.
    pub place: i16,
    /// Where, in thousandths of the picture's width and height.
    pub at: Option<(i16, i16)>,
    /// In words.
    pub text: String,
}

/// Writes down what is wrong with the manifest of `delivery`, which is no longer approved. False when it has `max` notes
/// already.
///
/// # Errors
/// When the database fails.
pub async fn add_note(db: &Db, delivery: &Delivery, new: &NewNote, max: i16) -> Result<bool, StoreError> {
    let mut tx = db.tenant(delivery.tenant()).await?;
    // The row of the delivery is locked, so two notes do not get one number.
    sqlx::query(
        "update delivery set approved_sha256 = null, approved_at = null where tenant_id = $1 and id = $2",
    )
    .bind(delivery.tenant().as_uuid())
    .bind(delivery.id().as_uuid())
    .execute(&mut *tx)
    .await
    .or_failed("reopen a delivery")?;
    let (x, y) = new.at.unzip();
    let added = sqlx::query(
        "insert into delivery_note (tenant_id, delivery_id, number, place, manifest_sha256, x, y, text)
         select $1, $2, n.number, $3, $4, $5, $6, $7
         from (select coalesce(max(number), 0) + 1 as number from delivery_note where delivery_id = $2) n
         where n.number <= $8",
    )
    .bind(delivery.tenant().as_uuid())
    .bind(delivery.id().as_uuid())
    .bind(new.place)
    .bind(&delivery.manifest_sha256)
    .bind(x)
    .bind(y)
    .bind(&new.text)
    .bind(max)
    .execute(&mut *tx)
    .await
    .or_failed("write a note about a delivery")?;
    if added.rows_affected() == 0 {
        return Ok(false);
    }
    let data = json!({ "delivery": delivery.id(), "place": new.place, "text": new.text });
    let id = delivery.id().to_string();
    outbox::tell(&mut tx, delivery.tenant(), "delivery.changes_requested", &id, &data).await?;
    commit(tx, "write a note about a delivery").await?;
    Ok(true)
}

/// Writes down that the manifest of `delivery` is right. Saying so twice changes nothing.
///
/// # Errors
/// When the database fails.
pub async fn approve(db: &Db, delivery: &Delivery) -> Result<(), StoreError> {
    let mut tx = db.tenant(delivery.tenant()).await?;
    let approved = sqlx::query(
        "update delivery set approved_sha256 = $3, approved_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and approved_sha256 is distinct from $3",
    )
    .bind(delivery.tenant().as_uuid())
    .bind(delivery.id().as_uuid())
    .bind(&delivery.manifest_sha256)
    .execute(&mut *tx)
    .await
    .or_failed("approve a delivery")?;
    if approved.rows_affected() > 0 {
        let data = json!({ "delivery": delivery.id(), "manifest_sha256": delivery.manifest_sha256 });
        let id = delivery.id().to_string();
        outbox::tell(&mut tx, delivery.tenant(), "delivery.approved", &id, &data).await?;
    }
    commit(tx, "approve a delivery").await
}

/// Every note about a delivery, in the order in which they were written.
///
/// # Errors
/// When the database fails.
pub async fn notes(db: &Db, tenant: TenantId, id: DeliveryId) -> Result<Vec<Note>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select number, place, manifest_sha256, x, y, text, created_at from delivery_note
         where tenant_id = $1 and delivery_id = $2 order by number",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("read the notes about a delivery")
}
