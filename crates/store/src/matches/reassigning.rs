//! Reassigning: somebody else is looked for, and whoever said yes stays booked until one of them does.

use jobs::{
    MatchRequestId, TenantId,
    limits::{MATCH_ROUNDS_EVER_MAX, MATCH_ROUNDS_MAX},
};

use super::{
    MatchRequest,
    answering::{ask_next, end, move_booking, standing},
    held, read_offer,
};
use crate::{
    bookings::{self, Status},
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
};

/// What became of the wish for somebody else.
#[derive(Debug, Clone)]
pub enum Reassigned {
    /// They are being looked for.
    Done(MatchRequest),
    /// Nobody has said yes, the visit is under way, or it was asked too often: the request as it is.
    NoWay(MatchRequest),
    /// The tenant has no such request.
    Missing,
}

/// Looks for somebody else for a visit that somebody said yes to, for five more rounds. They stay booked until somebody else says
/// yes, and when nobody does; or are let go of at once, with `release_now`.
///
/// # Errors
/// When the database fails.
pub async fn reassign(
    db: &Db,
    tenant: TenantId,
    id: MatchRequestId,
    release_now: bool,
) -> Result<Reassigned, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let Some(request) = held(&mut tx, tenant, id).await? else { return Ok(Reassigned::Missing) };
    let last_round = request.round + MATCH_ROUNDS_MAX;
    if request.state != "confirmed"
        || last_round > MATCH_ROUNDS_EVER_MAX
        || !is_ahead(&mut tx, tenant, id).await?
    {
        return Ok(Reassigned::NoWay(request));
    }
    if release_now {
        for offer in standing(&mut tx, tenant, id).await? {
            let Some(found) = read_offer(&mut tx, tenant, offer).await? else { continue };
            move_booking(&mut tx, tenant, &found, Status::Cancelled).await?;
            end(&mut tx, tenant, offer, "withdrawn", "state = 'accepted'").await?;
        }
    }
    sqlx::query(
        "update match_request set last_round = $3, in_batch = false where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(last_round)
    .execute(&mut *tx)
    .await
    .or_failed("allow more rounds")?;
    ask_next(db, &mut tx, tenant, &request).await?;
    let reassigned = held(&mut tx, tenant, id).await?;
    commit(tx, "look for somebody else").await?;
    Ok(reassigned.map_or(Reassigned::Missing, Reassigned::Done))
}

/// Whether the visit is still ahead of whoever said yes. Their booking is held.
async fn is_ahead(tx: &mut Tx, tenant: TenantId, id: MatchRequestId) -> Result<bool, StoreError> {
    for offer in standing(tx, tenant, id).await? {
        let Some(found) = read_offer(tx, tenant, offer).await? else { continue };
        let booking = bookings::held(tx, tenant, found.booking()).await?;
        if let Some(booking) = booking
            && booking.status()? == Status::Confirmed
        {
            return Ok(true);
        }
    }
    Ok(false)
}
