//! Why somebody was asked and others were not.

use chrono::{DateTime, Utc};
use jobs::{MatchRequestId, TenantId};
use matching::Ranking;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// The ranking behind one round.
#[derive(Debug, Clone, FromRow)]
pub struct Receipt {
    request_id: Uuid,
    /// The round, from 1.
    pub round: i16,
    /// Everybody's place, and why others have none.
    pub receipt: Json<Ranking>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Receipt {
    /// For which visit.
    pub fn request(&self) -> MatchRequestId {
        MatchRequestId::from_uuid(self.request_id)
    }
}

/// The ranking behind a round of a request.
///
/// # Errors
/// When the database fails.
pub async fn receipt(
    db: &Db,
    tenant: TenantId,
    request: MatchRequestId,
    round: i16,
) -> Result<Option<Receipt>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select request_id, round, receipt, created_at from match_receipt
         where tenant_id = $1 and request_id = $2 and round = $3",
    )
    .bind(tenant.as_uuid())
    .bind(request.as_uuid())
    .bind(round)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read a ranking")
}

/// The first ranking of the latest request before `before`.
///
/// # Errors
/// When the database fails.
pub async fn receipt_before(
    db: &Db,
    tenant: TenantId,
    before: Option<MatchRequestId>,
) -> Result<Option<Receipt>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select c.request_id, c.round, c.receipt, c.created_at from match_request r
         join match_receipt c on c.request_id = r.id and c.round = 1
         where r.tenant_id = $1 and ($2::uuid is null or r.id < $2) order by r.id desc limit 1",
    )
    .bind(tenant.as_uuid())
    .bind(before.map(|request| request.as_uuid()))
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read the ranking before")
}
