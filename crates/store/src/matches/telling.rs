//! Telling endpoints how a search goes, in the transaction in which it does.

use jobs::{MatchRequestId, OfferId, TenantId};
use serde_json::json;

use super::{note_state, read_offer};
use crate::{
    db::Tx,
    error::{OrFailed, StoreError},
    outbox,
};

/// Writes down that nobody is left to be asked, and tells endpoints. Where somebody said yes before, they stay booked; else a
/// person has to see to it. The request has to be held.
pub(super) async fn note_nobody(
    tx: &mut Tx,
    tenant: TenantId,
    id: MatchRequestId,
    round: i16,
) -> Result<(), StoreError> {
    let is_kept: bool = sqlx::query_scalar(
        "select exists (select from offer where tenant_id = $1 and request_id = $2 and state = 'accepted')",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_one(&mut **tx)
    .await
    .or_failed("see whether somebody said yes before")?;
    note_state(tx, tenant, id, if is_kept { "confirmed" } else { "needs_dispatch" }, round).await?;
    let data = json!({ "match_request": id, "round": round, "somebody_is_booked": is_kept });
    outbox::tell(tx, tenant, "match.nobody_left", &id.to_string(), &data).await
}

/// Tells endpoints how a question stands.
pub(super) async fn tell_offer(tx: &mut Tx, tenant: TenantId, id: OfferId) -> Result<(), StoreError> {
    let Some(offer) = read_offer(tx, tenant, id).await? else { return Ok(()) };
    let data = json!({
        "offer": id, "match_request": offer.request(), "booking": offer.booking(), "party": offer.party(),
        "round": offer.generation, "expires_at": offer.expires_at,
    });
    outbox::tell(tx, tenant, &format!("offer.{}", offer.state), &id.to_string(), &data).await
}
