//! Deciding: the first whose time is still free is asked, and everything that follows is written with it.

use chrono::{DateTime, Utc};
use jobs::{
    BookingId, InvitationId, MatchRequestId, OfferId, PartyId, TenantId,
    kinds::match_offer_expire::MatchOfferExpire,
};
use matching::Ranking;
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    MatchRequest, held, note_state,
    telling::{note_nobody, tell_offer},
    unwritable,
};
use crate::{
    bookings::{BookingRow, Status, add_resource, insert_booking, occupy},
    db::{Db, Tx, commit},
    enqueue::{self, NewJob},
    error::{OrFailed, StoreError},
    invitations::{self, NewInvitation},
    people::CALENDAR_AGE,
};

/// Somebody to ask.
#[derive(Debug, Clone)]
pub struct Pick {
    /// Whom.
    pub party: PartyId,
    /// How many seconds they have to answer.
    pub answer_s: i64,
    /// What tells them, once it is they who are asked.
    pub tells: Option<NewJob>,
}

/// What became of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// This is the question; somebody was asked.
    Offered(OfferId),
    /// Nobody was there to be asked: a person has to see to it.
    Nobody,
    /// Everybody's time was taken since they were looked at. Nothing was written.
    AllTaken,
    /// The round had passed.
    Passed,
}

/// Asks the first of `picks` whose time is free, and writes down the ranking they came from. Where this round was decided
/// before, it says the same again.
///
/// # Errors
/// When the database fails.
pub async fn decide(
    db: &Db,
    tenant: TenantId,
    (request, round): (MatchRequestId, i16),
    ranking: &Ranking,
    picks: &[Pick],
) -> Result<Decided, StoreError> {
    let offer = OfferId::new();
    let expire =
        NewJob::of(&MatchOfferExpire { offer, generation: round }).map_err(|error| unwritable(&error))?;
    let mut tx = db.tenant(tenant).await?;
    let Some(wanted) = held(&mut tx, tenant, request).await? else { return Ok(Decided::Passed) };
    if wanted.state != "ranking" || wanted.round != round {
        return before(&mut tx, tenant, &wanted, round).await;
    }
    note_receipt(&mut tx, tenant, (request, round), ranking).await?;
    if picks.is_empty() {
        note_nobody(&mut tx, tenant, request, round).await?;
        commit(tx, "note that nobody was found").await?;
        return Ok(Decided::Nobody);
    }
    let booking = BookingRow {
        id: BookingId::new(),
        reference: &wanted.reference,
        status: Status::Offered,
        held_until: None,
        by: &wanted.created_by,
        visit: wanted.visit.0.clone(),
    };
    insert_booking(&mut tx, tenant, &booking).await?;
    let is_strict = wanted.terms.strict_calendars;
    let Some(pick) = take_first(&mut tx, tenant, &booking, picks, is_strict).await? else {
        return Ok(Decided::AllTaken);
    };
    let expires_at = note_offer(&mut tx, tenant, (offer, request, booking.id, round), pick).await?;
    if wanted.invites {
        let by = wanted.created_by.clone();
        let guest = NewInvitation { id: InvitationId::new(), booking: booking.id, party: pick.party, by };
        invitations::invite(&mut tx, tenant, &guest).await?;
    }
    note_state(&mut tx, tenant, request, "offered", round).await?;
    tell_offer(&mut tx, tenant, offer).await?;
    let mut jobs = vec![NewJob { scheduled_at: expires_at, ..expire }];
    jobs.extend(pick.tells.clone());
    enqueue::insert(db, &mut tx, tenant, &jobs).await?;
    commit(tx, "ask somebody").await?;
    Ok(Decided::Offered(offer))
}

/// What this round came to when it was decided.
async fn before(
    tx: &mut Tx,
    tenant: TenantId,
    wanted: &MatchRequest,
    round: i16,
) -> Result<Decided, StoreError> {
    let offer: Option<Uuid> = sqlx::query_scalar(
        "select id from offer where tenant_id = $1 and request_id = $2 and generation = $3",
    )
    .bind(tenant.as_uuid())
    .bind(wanted.id)
    .bind(round)
    .fetch_optional(&mut **tx)
    .await
    .or_failed("see what a round came to")?;
    Ok(match offer {
        Some(offer) => Decided::Offered(OfferId::from_uuid(offer)),
        None if matches!(wanted.state.as_str(), "needs_dispatch" | "confirmed") && wanted.round == round => {
            Decided::Nobody
        }
        None => Decided::Passed,
    })
}

async fn note_receipt(
    tx: &mut Tx,
    tenant: TenantId,
    (request, round): (MatchRequestId, i16),
    ranking: &Ranking,
) -> Result<(), StoreError> {
    sqlx::query("insert into match_receipt (tenant_id, request_id, round, receipt) values ($1, $2, $3, $4)")
        .bind(tenant.as_uuid())
        .bind(request.as_uuid())
        .bind(round)
        .bind(Json(ranking))
        .execute(&mut **tx)
        .await
        .or_failed("keep a ranking")?;
    Ok(())
}

/// Takes the time of the first who has it; with strict rules, of those whose calendar is still fresh.
async fn take_first<'a>(
    tx: &mut Tx,
    tenant: TenantId,
    booking: &BookingRow<'_>,
    picks: &'a [Pick],
    is_strict: bool,
) -> Result<Option<&'a Pick>, StoreError> {
    for pick in picks {
        if !add_resource(tx, tenant, booking, pick.party).await? {
            continue;
        }
        let is_away = is_away(tx, tenant, booking, pick.party, is_strict).await?;
        if !is_away && !occupy(tx, tenant, booking.id).await?.is_empty() {
            return Ok(Some(pick));
        }
        sqlx::query(
            "delete from booking_resource where tenant_id = $1 and booking_id = $2 and party_id = $3",
        )
        .bind(tenant.as_uuid())
        .bind(booking.id.as_uuid())
        .bind(pick.party.as_uuid())
        .execute(&mut **tx)
        .await
        .or_failed("pass over somebody")?;
    }
    Ok(None)
}

/// Whether they are off since they were looked at, or a calendar outside has something else by now; or, with strict rules,
/// whether theirs was not read lately.
async fn is_away(
    tx: &mut Tx,
    tenant: TenantId,
    booking: &BookingRow<'_>,
    party: PartyId,
    is_strict: bool,
) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "select exists (
             select from booking_resource r
             join membership m on m.tenant_id = r.tenant_id and m.party_id = r.party_id
             where r.tenant_id = $1 and r.booking_id = $2 and r.party_id = $3 and (
                 ($6 and m.calendar_read_at < clock_timestamp() - make_interval(secs => $7))
                 or exists (
                     select from taken_of(array[m.account_id], r.protected) t
                     where t.kind <> 'booking' and (t.kind <> 'time_off' or t.during && tstzrange($4, $5)))))",
    )
    .bind(tenant.as_uuid())
    .bind(booking.id.as_uuid())
    .bind(party.as_uuid())
    .bind(booking.visit.during.from)
    .bind(booking.visit.during.until)
    .bind(is_strict)
    .bind(CALENDAR_AGE.num_seconds() as f64)
    .fetch_one(&mut **tx)
    .await
    .or_failed("see whether somebody is off by now")
}

async fn note_offer(
    tx: &mut Tx,
    tenant: TenantId,
    (offer, request, booking, round): (OfferId, MatchRequestId, BookingId, i16),
    pick: &Pick,
) -> Result<DateTime<Utc>, StoreError> {
    sqlx::query_scalar(
        "insert into offer (id, tenant_id, request_id, booking_id, party_id, generation, state, expires_at)
         values ($1, $2, $3, $4, $5, $6, 'sent', clock_timestamp() + make_interval(secs => $7)) returning expires_at",
    )
    .bind(offer.as_uuid())
    .bind(tenant.as_uuid())
    .bind(request.as_uuid())
    .bind(booking.as_uuid())
    .bind(pick.party.as_uuid())
    .bind(round)
    .bind(pick.answer_s as f64)
    .fetch_one(&mut **tx)
    .await
    .or_failed("note an offer")
}
