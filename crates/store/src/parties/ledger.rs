//! What was said about an address, one word after the other.

use chrono::{DateTime, Utc};
use jobs::{ContactPointId, TenantId};
use sqlx::FromRow;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Something that was said about an address.
#[derive(Debug, Clone, FromRow)]
pub struct Said {
    /// Which word it was: later ones have higher numbers.
    pub number: i64,
    /// About messages of what sort; none for all.
    pub category: Option<String>,
    /// `granted`, `withdrawn`, `hard_bounce`, `complaint`, `stop` or `released`.
    pub word: String,
    /// Who said so: a key, a link, a provider.
    pub source: String,
    /// When.
    pub said_at: DateTime<Utc>,
}

/// What was said about `contact` before number `before`, the latest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn said(
    db: &Db,
    tenant: TenantId,
    contact: ContactPointId,
    before: Option<i64>,
    max: i64,
) -> Result<Vec<Said>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select number, category, word, source, said_at from consent
         where tenant_id = $1 and contact_point_id = $2 and ($3::bigint is null or number < $3)
         order by number desc limit $4",
    )
    .bind(tenant.as_uuid())
    .bind(contact.as_uuid())
    .bind(before)
    .bind(max)
    .fetch_all(&mut *tx)
    .await
    .or_failed("read what was said about an address")
}
