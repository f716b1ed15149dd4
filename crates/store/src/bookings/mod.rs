//! Bookings: time of somebody's that is held, asked for or given away.

mod challenging;
mod making;
mod moving;
mod telling;

use chrono::{DateTime, Utc};
use jobs::{BookingId, PartyId, TenantId};
use matching::{Point, Span};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

pub(crate) use self::making::{BookingRow, add_resource, insert_booking, occupy};
pub(crate) use self::moving::{locked as held, reach_status};
pub use self::{
    challenging::challenge,
    making::{Made, NewBooking, create},
    moving::{Lapsed, Move, Moved, Status, lapse, move_to},
};
use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// A booking as it is.
#[derive(Debug, Clone, FromRow)]
pub struct Booking {
    id: Uuid,
    /// The caller's name for what it is about.
    pub reference: String,
    status: String,
    /// Counts changes, from 1.
    pub version: i32,
    /// From then.
    pub starts_at: DateTime<Utc>,
    /// Until then.
    pub ends_at: DateTime<Utc>,
    /// Minutes kept free before it.
    pub before_minutes: i16,
    /// Minutes kept free after it.
    pub after_minutes: i16,
    latitude: Option<f64>,
    longitude: Option<f64>,
    /// When a pencil is released, unless it moves before.
    pub held_until: Option<DateTime<Utc>>,
    challenged_by: Option<Uuid>,
    parties: Vec<Uuid>,
    /// Its place among the pencils that overlap; none when it is no pencil.
    pub hold_rank: Option<i64>,
    /// Whether it is a pencil over time that somebody else has.
    pub at_risk: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

impl Booking {
    /// Which it is.
    pub fn id(&self) -> BookingId {
        BookingId::from_uuid(self.id)
    }

    /// How it stands.
    ///
    /// # Errors
    /// When this version knows no such status.
    pub fn status(&self) -> Result<Status, StoreError> {
        let unreadable = || StoreError::Unreadable { table: "booking", found: self.status.clone() };
        Status::named(&self.status).ok_or_else(unreadable)
    }

    /// When it is.
    pub fn during(&self) -> Span {
        Span { from: self.starts_at, until: self.ends_at }
    }

    /// Where it is.
    pub fn place(&self) -> Option<Point> {
        Point::new(self.latitude?, self.longitude?)
    }

    /// Whom it takes, by id.
    pub fn parties(&self) -> Vec<PartyId> {
        self.parties.iter().copied().map(PartyId::from_uuid).collect()
    }

    /// The pencil that wants this one to move.
    pub fn challenged_by(&self) -> Option<BookingId> {
        self.challenged_by.map(BookingId::from_uuid)
    }
}

/// Who stands before whom is read from the rows, so ranks close up by themselves when somebody leaves.
const COLUMNS: &str = "b.id, b.reference, b.status, b.version, lower(b.during) as starts_at, upper(b.during) as ends_at,
    b.before_minutes, b.after_minutes, b.latitude, b.longitude, b.held_until, b.challenged_by, b.created_at, b.updated_at,
    array(select r.party_id from booking_resource r where r.booking_id = b.id order by r.party_id) as parties,
    case when b.status = 'pencil' then 1 + (
        select count(distinct other.id) from booking_resource mine
        join booking_resource r on r.tenant_id = mine.tenant_id and r.party_id = mine.party_id and r.protected && mine.protected
        join booking other on other.id = r.booking_id and other.status = 'pencil' and other.id < b.id
        where mine.booking_id = b.id) end as hold_rank,
    b.status = 'pencil' and exists (
        select from booking_resource mine
        join membership m on m.tenant_id = mine.tenant_id and m.party_id = mine.party_id
        join occupied taken on taken.account_id = m.account_id and taken.protected && mine.protected
            and taken.tenant_id = b.tenant_id
        where mine.booking_id = b.id) as at_risk";

/// The booking of `tenant` with this id.
///
/// # Errors
/// When the database fails.
pub async fn booking(db: &Db, tenant: TenantId, id: BookingId) -> Result<Option<Booking>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    read(&mut tx, tenant, id).await
}

pub(crate) async fn read(
    tx: &mut PgConnection,
    tenant: TenantId,
    id: BookingId,
) -> Result<Option<Booking>, StoreError> {
    let sql = format!("select {COLUMNS} from booking b where b.tenant_id = $1 and b.id = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(tx)
        .await
        .or_failed("read a booking")
}

/// The bookings of `tenant` before `before`, newest first, at most `max`; those of one party where it is named.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    party: Option<PartyId>,
    before: Option<Uuid>,
    max: i64,
) -> Result<Vec<Booking>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Two statements, each with an index of its own: the bookings of one party are few among those of a tenant.
    let sql = if party.is_some() {
        format!(
            "select {COLUMNS} from booking_resource taken join booking b on b.id = taken.booking_id
             where taken.tenant_id = $1 and taken.party_id = $3 and ($2::uuid is null or taken.booking_id < $2)
             order by taken.booking_id desc limit $4"
        )
    } else {
        format!(
            "select {COLUMNS} from booking b
             where b.tenant_id = $1 and ($2::uuid is null or b.id < $2) and $3::uuid is null
             order by b.id desc limit $4"
        )
    };
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(before)
        .bind(party.map(|party| party.as_uuid()))
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list bookings")
}
