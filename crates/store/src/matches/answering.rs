//! Answering: yes, no, nothing in time, or taken back. Whoever moves the row first is heard; the others are told so.

use jobs::{BookingId, MatchRequestId, OfferId, TenantId};
use uuid::Uuid;

use super::{
    MatchRequest, Offer, held, note_state, rank_job, read_offer,
    telling::{note_nobody, tell_offer},
};
use crate::{
    bookings::{self, Status, reach_status},
    db::{Db, Tx, commit},
    enqueue,
    error::{OrFailed, StoreError},
};

/// What can be said to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Yes.
    Accepted,
    /// No.
    Declined,
}

impl Word {
    const fn state(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
        }
    }
}

/// What became of an answer.
#[derive(Debug, Clone)]
pub enum Answered {
    /// It counts; or it was given before, and counted then.
    Heard(Offer),
    /// It came too late: this is how the offer stands.
    TooLate(Offer),
    /// The tenant has no such offer.
    Missing,
}

/// Notes an answer, with everything that follows from it.
///
/// # Errors
/// When the database fails.
pub async fn answer(db: &Db, tenant: TenantId, id: OfferId, word: Word) -> Result<Answered, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let Some((request, offer)) = held_with(&mut tx, tenant, id).await? else { return Ok(Answered::Missing) };
    if offer.state == word.state() {
        return Ok(Answered::Heard(offer));
    }
    if !end(&mut tx, tenant, id, word.state(), "state = 'sent' and expires_at > clock_timestamp()").await? {
        return Ok(Answered::TooLate(offer));
    }
    match word {
        Word::Accepted if move_booking(&mut tx, tenant, &offer, Status::Confirmed).await?.is_none() => {
            return withdraw(db, tx, tenant, &request, &offer).await;
        }
        Word::Accepted => {
            release_before(&mut tx, tenant, &offer).await?;
            note_state(&mut tx, tenant, request.id(), "confirmed", request.round).await?;
        }
        Word::Declined => pass_on(db, &mut tx, tenant, &request, &offer).await?,
    }
    let answered = read_offer(&mut tx, tenant, id).await?;
    commit(tx, "note an answer").await?;
    Ok(answered.map_or(Answered::Missing, Answered::Heard))
}

/// Takes back an offer that was just accepted, because nobody is left in it who could come: the next one is asked.
async fn withdraw(
    db: &Db,
    mut tx: Tx,
    tenant: TenantId,
    request: &MatchRequest,
    offer: &Offer,
) -> Result<Answered, StoreError> {
    end(&mut tx, tenant, offer.id(), "withdrawn", "state = 'accepted'").await?;
    pass_on(db, &mut tx, tenant, request, offer).await?;
    let withdrawn = read_offer(&mut tx, tenant, offer.id()).await?;
    commit(tx, "take an offer back").await?;
    Ok(withdrawn.map_or(Answered::Missing, Answered::TooLate))
}

/// Takes an offer back that was not answered in time, by the database's clock. True when it is expired, also when it was
/// before; none when its time is not up.
///
/// # Errors
/// When the database fails.
pub async fn expire(
    db: &Db,
    tenant: TenantId,
    id: OfferId,
    generation: i16,
) -> Result<Option<bool>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let Some((request, offer)) = held_with(&mut tx, tenant, id).await? else { return Ok(Some(false)) };
    if offer.generation != generation || offer.state != "sent" {
        return Ok(Some(offer.state == "expired"));
    }
    if !end(&mut tx, tenant, id, "expired", "state = 'sent' and expires_at <= clock_timestamp()").await? {
        return Ok(None);
    }
    pass_on(db, &mut tx, tenant, &request, &offer).await?;
    commit(tx, "take an offer back").await?;
    Ok(Some(true))
}

/// What became of the wish to look for nobody any more.
#[derive(Debug, Clone)]
pub enum Cancelled {
    /// Nobody is looked for any more.
    Done(MatchRequest),
    /// The visit is under way, or over: how it stands, and the request, which stays as it is.
    NoWay(MatchRequest, Status),
    /// The tenant has no such request.
    Missing,
}

/// Looks for nobody any more: what was offered is taken back, what was confirmed is called off. A visit that began is not.
///
/// # Errors
/// When the database fails.
pub async fn cancel(db: &Db, tenant: TenantId, id: MatchRequestId) -> Result<Cancelled, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let Some(request) = held(&mut tx, tenant, id).await? else { return Ok(Cancelled::Missing) };
    for offer in standing(&mut tx, tenant, id).await? {
        let Some(found) = read_offer(&mut tx, tenant, offer).await? else { continue };
        let to = if found.state == "sent" { Status::Void } else { Status::Cancelled };
        if let Some(began) = move_booking(&mut tx, tenant, &found, to).await?.filter(|from| is_begun(*from)) {
            return Ok(Cancelled::NoWay(request, began));
        }
        end(&mut tx, tenant, offer, "withdrawn", "state in ('sent', 'accepted')").await?;
    }
    note_state(&mut tx, tenant, id, "cancelled", request.round).await?;
    let cancelled = held(&mut tx, tenant, id).await?;
    commit(tx, "look for nobody any more").await?;
    Ok(cancelled.map_or(Cancelled::Missing, Cancelled::Done))
}

/// Whether somebody came, or should have.
const fn is_begun(status: Status) -> bool {
    matches!(status, Status::Active | Status::Done | Status::NoShow)
}

/// The offer, and its request, which is held: one order for everybody who changes either.
async fn held_with(
    tx: &mut Tx,
    tenant: TenantId,
    id: OfferId,
) -> Result<Option<(MatchRequest, Offer)>, StoreError> {
    let Some(offer) = read_offer(tx, tenant, id).await? else { return Ok(None) };
    let Some(request) = held(tx, tenant, offer.request()).await? else { return Ok(None) };
    // What was read before it was held may have passed.
    Ok(read_offer(tx, tenant, id).await?.map(|offer| (request, offer)))
}

/// Ends an offer for which `still` holds. False where it does not.
pub(super) async fn end(
    tx: &mut Tx,
    tenant: TenantId,
    id: OfferId,
    state: &'static str,
    still: &'static str,
) -> Result<bool, StoreError> {
    let sql = format!(
        "update offer set state = $3, answered_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and {still}"
    );
    let ended = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .bind(state)
        .execute(&mut **tx)
        .await
        .or_failed("end an offer")?;
    let is_ended = ended.rows_affected() > 0;
    if is_ended {
        tell_offer(tx, tenant, id).await?;
    }
    Ok(is_ended)
}

/// Moves the booking of an offer where it is asked for or given away, and somebody is left in it; what began stays as it is.
/// Answers where it was, or none when there is nobody.
pub(super) async fn move_booking(
    tx: &mut Tx,
    tenant: TenantId,
    offer: &Offer,
    to: Status,
) -> Result<Option<Status>, StoreError> {
    let sql = "select from booking where tenant_id = $1 and id = $2 for update";
    sqlx::query(sql)
        .bind(tenant.as_uuid())
        .bind(offer.booking().as_uuid())
        .execute(&mut **tx)
        .await
        .or_failed("hold a booking")?;
    let Some(booking) = bookings::read(tx, tenant, offer.booking()).await? else { return Ok(None) };
    let (from, is_empty) = (booking.status()?, booking.parties().is_empty());
    if is_empty && to.occupies() {
        return Ok(None);
    }
    if matches!(from, Status::Offered | Status::Confirmed) {
        reach_status(tx, tenant, &booking, to).await?;
    }
    Ok(Some(from))
}

/// Gives the time back, and has the next one asked; after the last round a person has to see to it.
async fn pass_on(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    request: &MatchRequest,
    offer: &Offer,
) -> Result<(), StoreError> {
    move_booking(tx, tenant, offer, Status::Void).await?;
    if request.round >= request.last_round {
        return note_nobody(tx, tenant, request.id(), request.round).await;
    }
    ask_next(db, tx, tenant, request).await
}

/// Has the next round begin.
pub(super) async fn ask_next(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    request: &MatchRequest,
) -> Result<(), StoreError> {
    let round = request.round + 1;
    note_state(tx, tenant, request.id(), "ranking", round).await?;
    enqueue::insert(db, tx, tenant, &[rank_job(request.id(), round)?]).await.map(drop)
}

/// Calls off whoever had said yes before `offer` was accepted: somebody else comes now.
async fn release_before(tx: &mut Tx, tenant: TenantId, offer: &Offer) -> Result<(), StoreError> {
    for before in standing(tx, tenant, offer.request()).await? {
        let Some(found) = read_offer(tx, tenant, before).await? else { continue };
        if found.state == "accepted" && found.id() != offer.id() {
            move_booking(tx, tenant, &found, Status::Cancelled).await?;
            end(tx, tenant, before, "withdrawn", "state = 'accepted'").await?;
        }
    }
    Ok(())
}

/// The offers of a request that were not answered yet, or with yes.
pub(super) async fn standing(
    tx: &mut Tx,
    tenant: TenantId,
    request: MatchRequestId,
) -> Result<Vec<OfferId>, StoreError> {
    let sql = "select id from offer where tenant_id = $1 and request_id = $2 and state in ('sent', 'accepted') order by id";
    let standing: Vec<Uuid> = sqlx::query_scalar(sql)
        .bind(tenant.as_uuid())
        .bind(request.as_uuid())
        .fetch_all(&mut **tx)
        .await
        .or_failed("read what is offered")?;
    Ok(standing.into_iter().map(OfferId::from_uuid).collect())
}

/// The request that a booking came from, held until the transaction ends; none where it came from nowhere.
pub(crate) async fn held_for(
    tx: &mut Tx,
    tenant: TenantId,
    booking: BookingId,
) -> Result<Option<MatchRequestId>, StoreError> {
    let request: Option<Uuid> = sqlx::query_scalar(
        "select q.id from offer o join match_request q on q.id = o.request_id
         where o.tenant_id = $1 and o.booking_id = $2 for update of q",
    )
    .bind(tenant.as_uuid())
    .bind(booking.as_uuid())
    .fetch_optional(&mut **tx)
    .await
    .or_failed("hold the request that a booking came from")?;
    Ok(request.map(MatchRequestId::from_uuid))
}

/// Takes back the yes to `booking`, which was called off. Unless somebody else is being looked for already, nobody is any more.
/// The request has to be held.
pub(crate) async fn call_off(
    tx: &mut Tx,
    tenant: TenantId,
    id: MatchRequestId,
    booking: BookingId,
) -> Result<(), StoreError> {
    for offer in standing(tx, tenant, id).await? {
        let Some(found) = read_offer(tx, tenant, offer).await? else { continue };
        if found.booking() == booking {
            end(tx, tenant, offer, "withdrawn", "state = 'accepted'").await?;
        }
    }
    match held(tx, tenant, id).await? {
        Some(request) if request.state == "confirmed" => {
            note_state(tx, tenant, id, "cancelled", request.round).await
        }
        _ => Ok(()),
    }
}
