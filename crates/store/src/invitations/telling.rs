//! What calendars of guests are to hear: wished for with the booking, and written down with the message that tells it.

use chrono::{DateTime, Utc};
use jobs::{BookingId, ContactPointId, InvitationId, PartyId, TenantId};
use matching::Span;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    enqueue::NewJob,
    error::{OrFailed, StoreError},
    messages,
};

/// Wishes that guests hear how a booking moved, in the transaction in which it does.
pub(crate) async fn want(
    tx: &mut PgConnection,
    tenant: TenantId,
    booking: BookingId,
) -> Result<(), StoreError> {
    sqlx::query(
        "update invitation i set wish = i.wish + 1 from booking b
         where b.tenant_id = $1 and b.id = $2 and i.tenant_id = $1 and i.booking_id = b.id and not i.is_withdrawn
             -- Whoever said yes to what they were asked has it in their calendar; whoever said no has heard enough.
             and (b.status = 'confirmed'
                     and (i.told is distinct from 'request' or i.answer is distinct from 'accepted')
                 or b.status in ('cancelled', 'no_show') and i.told = 'request'
                 or b.status in ('void', 'released') and i.told = 'request' and i.answer is distinct from 'declined')",
    )
    .bind(tenant.as_uuid())
    .bind(booking.as_uuid())
    .execute(tx)
    .await
    .or_failed("wish that guests hear of a booking")?;
    Ok(())
}

/// What a calendar is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Come, at this time.
    Request,
    /// It is called off.
    Cancel,
}

impl Method {
    const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Cancel => "cancel",
        }
    }
}

#[derive(FromRow)]
struct Row {
    booking_id: Uuid,
    party_id: Uuid,
    contact_point_id: Option<Uuid>,
    address: String,
    is_on: bool,
    is_off: bool,
    is_invited: bool,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    reference: String,
    updated_at: DateTime<Utc>,
}

/// A change that a guest may have to hear of.
#[derive(Debug, Clone)]
pub struct ToTell {
    /// The booking.
    pub booking: BookingId,
    /// The guest.
    pub party: PartyId,
    /// Where they are reached; none when that was removed.
    pub contact: Option<ContactPointId>,
    /// Their address, as they were invited.
    pub address: String,
    /// What they are to hear; none when that is nothing.
    pub method: Option<Method>,
    /// When the booking is.
    pub during: Span,
    /// What it is about.
    pub reference: String,
    /// When it was changed last.
    pub changed_at: DateTime<Utc>,
}

/// What a guest is to hear; none when it is over: the invitation is gone, or another wish came after this one, or it was told.
///
/// # Errors
/// When the database fails.
pub async fn to_tell(
    db: &Db,
    tenant: TenantId,
    id: InvitationId,
    wish: i32,
) -> Result<Option<ToTell>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let row: Option<Row> = sqlx::query_as(
        "select i.booking_id, i.party_id, i.contact_point_id, i.address, b.reference, b.updated_at,
             not i.is_withdrawn and (b.status in ('confirmed', 'active')
                 or b.status in ('offered', 'pencil') and exists (select from booking_resource r
                     where r.booking_id = b.id and r.party_id = i.party_id)) as is_on,
             b.status in ('released', 'void', 'cancelled', 'no_show') or i.is_withdrawn as is_off,
             i.told is not distinct from 'request' as is_invited,
             lower(b.during) as starts_at, upper(b.during) as ends_at
         from invitation i join booking b on b.id = i.booking_id
         where i.tenant_id = $1 and i.id = $2 and i.wish = $3 and i.done_wish < $3",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(wish)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read what a guest is to hear")?;
    Ok(row.map(|row| ToTell {
        booking: BookingId::from_uuid(row.booking_id),
        party: PartyId::from_uuid(row.party_id),
        contact: row.contact_point_id.map(ContactPointId::from_uuid),
        address: row.address,
        method: match (row.is_on, row.is_off && row.is_invited) {
            (true, _) => Some(Method::Request),
            (false, true) => Some(Method::Cancel),
            (false, false) => None,
        },
        during: Span { from: row.starts_at, until: row.ends_at },
        reference: row.reference,
        changed_at: row.updated_at,
    }))
}

/// What a guest hears.
#[derive(Debug, Clone)]
pub struct Told {
    /// The invitation.
    pub id: InvitationId,
    /// Which wish this answers.
    pub wish: i32,
    /// What the calendar is told, and the message that tells it; none when there is nothing to tell.
    pub message: Option<(Method, messages::Plan)>,
}

/// Writes down what a guest hears; answers the jobs that tell it. Part of the transaction that settles the job. What was told before
/// is not told again.
pub(crate) async fn record(tx: &mut Tx, tenant: TenantId, told: &Told) -> Result<Vec<NewJob>, StoreError> {
    let method = told.message.as_ref().map(|(method, _)| method.word());
    let is_first: Option<i32> = sqlx::query_scalar(
        "update invitation set done_wish = $3, told = coalesce($4, told),
             told_wish = case when $4 is null then told_wish else $3 end,
             answer = case when $4 is null then answer end, answered_at = case when $4 is null then answered_at end
         where tenant_id = $1 and id = $2 and done_wish < $3 returning 1",
    )
    .bind(tenant.as_uuid())
    .bind(told.id.as_uuid())
    .bind(told.wish)
    .bind(method)
    .fetch_optional(&mut **tx)
    .await
    .or_failed("note what a guest hears")?;
    match (&told.message, is_first) {
        (Some((_, plan)), Some(_)) => messages::plan(tx, tenant, plan).await,
        _ => Ok(Vec::new()),
    }
}
