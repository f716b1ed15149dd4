//! Invitations: guests of a booking, what their calendars were told, and what they answered.

mod answers;
mod following;
mod telling;

use chrono::{DateTime, Utc};
use jobs::{BookingId, InvitationId, PartyId, TenantId};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

pub use self::{
    answers::{Answered, Heard, answer, pass_on},
    following::follow,
    telling::{Method, ToTell, Told, to_tell},
};
pub(crate) use telling::{record, want};

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// Somebody who is to have a booking in their calendar.
#[derive(Debug, Clone, FromRow)]
pub struct Invitation {
    id: Uuid,
    booking_id: Uuid,
    party_id: Uuid,
    /// Where they were invited.
    pub address: String,
    /// They are not invited any more.
    pub is_withdrawn: bool,
    /// What their calendar was told last: `request` or `cancel`.
    pub told: Option<String>,
    /// What they answered to that.
    pub answer: Option<String>,
    /// When, by their clock.
    pub answered_at: Option<DateTime<Utc>>,
    /// When they were invited.
    pub created_at: DateTime<Utc>,
}

const COLUMNS: &str =
    "id, booking_id, party_id, address, is_withdrawn, told, answer, answered_at, created_at";

impl Invitation {
    /// Which it is.
    pub fn id(&self) -> InvitationId {
        InvitationId::from_uuid(self.id)
    }

    /// To which booking.
    pub fn booking(&self) -> BookingId {
        BookingId::from_uuid(self.booking_id)
    }

    /// Who.
    pub fn party(&self) -> PartyId {
        PartyId::from_uuid(self.party_id)
    }
}

/// An invitation that is about to be.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Which it will be.
    pub id: InvitationId,
    /// To which booking.
    pub booking: BookingId,
    /// Who.
    pub party: PartyId,
    /// Who invited them.
    pub by: String,
}

/// What became of the wish to invite somebody.
#[derive(Debug, Clone)]
pub enum Made {
    /// They are; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
    /// The tenant has no such booking.
    NoBooking,
    /// The tenant has nobody such with a mail address.
    NoAddress,
    /// The booking has as many guests as it may.
    TooMany,
}

/// Invites somebody to a booking, unless it has `guests_max` already. Whoever was invited before and then not, is again. They hear
/// of it once it is confirmed.
///
/// # Errors
/// When the database fails.
pub async fn create(
    db: &Db,
    tenant: TenantId,
    new: &NewInvitation,
    guests_max: i64,
    key: Option<&Idempotency>,
    answer: impl FnOnce(&Invitation) -> Answer,
) -> Result<Made, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Made::Replayed(answer)),
        Taken::ForAnother => return Ok(Made::Mismatch),
    }
    // Held, so that two who invite at once do not both see that there is room.
    let count: Option<i64> = sqlx::query_scalar(
        "select (select count(*) from invitation i where i.tenant_id = $1 and i.booking_id = $2 and i.party_id <> $3)
         from booking b where b.tenant_id = $1 and b.id = $2 for no key update of b",
    )
    .bind(tenant.as_uuid())
    .bind(new.booking.as_uuid())
    .bind(new.party.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("count the guests of a booking")?;
    match count {
        None => return Ok(Made::NoBooking),
        Some(count) if count >= guests_max => return Ok(Made::TooMany),
        Some(_) => {}
    }
    let Some(made) = insert(&mut tx, tenant, new).await? else { return Ok(Made::NoAddress) };
    let answer = answer(&made);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "invite somebody").await?;
    Ok(Made::New(answer))
}

/// Invites whoever is asked to do the work, if they have a mail address.
pub(crate) async fn invite(
    tx: &mut PgConnection,
    tenant: TenantId,
    new: &NewInvitation,
) -> Result<(), StoreError> {
    insert(tx, tenant, new).await.map(drop)
}

/// By the mail address that was found to be theirs, or the first they have.
async fn insert(
    tx: &mut PgConnection,
    tenant: TenantId,
    new: &NewInvitation,
) -> Result<Option<Invitation>, StoreError> {
    let sql = format!(
        "insert into invitation as i (id, tenant_id, booking_id, party_id, contact_point_id, address, created_by)
         select $2, $1, $3, c.party_id, c.id, c.address, $5 from contact_point c
         where c.tenant_id = $1 and c.party_id = $4 and c.channel = 'email'
         order by c.verified_at is null, c.id limit 1
         on conflict (booking_id, party_id) do update
             set wish = i.wish + case when i.is_withdrawn then 1 else 0 end, is_withdrawn = false
         returning {COLUMNS}"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(new.id.as_uuid())
        .bind(new.booking.as_uuid())
        .bind(new.party.as_uuid())
        .bind(&new.by)
        .fetch_optional(tx)
        .await
        .or_failed("invite somebody")
}

/// The guests of a booking before `before`, the last first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn invitations(
    db: &Db,
    tenant: TenantId,
    booking: BookingId,
    before: Option<Uuid>,
    max: i64,
) -> Result<Vec<Invitation>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from invitation where tenant_id = $1 and booking_id = $2 and ($3::uuid is null or id < $3)
         order by id desc limit $4"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(booking.as_uuid())
        .bind(before)
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list the guests of a booking")
}

/// Invites somebody no more; their calendar hears of it. None when this tenant has no such invitation.
///
/// # Errors
/// When the database fails.
pub async fn withdraw(db: &Db, tenant: TenantId, id: InvitationId) -> Result<Option<Invitation>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "update invitation set wish = wish + case when is_withdrawn then 0 else 1 end, is_withdrawn = true
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    let found = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("invite somebody no more")?;
    commit(tx, "invite somebody no more").await?;
    Ok(found)
}
