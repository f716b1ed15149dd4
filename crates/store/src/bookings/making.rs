//! Making bookings, and taking somebody's time for them.

use chrono::{DateTime, Utc};
use jobs::{BookingId, PartyId, TenantId, kinds::booking_lapse::BookingLapse};
use matching::{Point, Span, Visit};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Booking, moving::Status, read, telling::tell_moved};
use crate::{
    calendars,
    db::{Db, Tx, commit},
    enqueue::{self, NewJob},
    error::{OrFailed, StoreError},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// A booking that is about to be.
#[derive(Debug, Clone)]
pub struct NewBooking {
    /// Which it will be.
    pub id: BookingId,
    /// What it is about.
    pub reference: String,
    /// A pencil, or confirmed at once.
    pub status: Status,
    /// When.
    pub during: Span,
    /// Minutes to keep free before it.
    pub before_minutes: u16,
    /// Minutes to keep free after it.
    pub after_minutes: u16,
    /// Where.
    pub place: Option<Point>,
    /// Until when a pencil is held.
    pub held_until: Option<DateTime<Utc>>,
    /// Whom it takes.
    pub parties: Vec<PartyId>,
    /// Who makes it.
    pub by: String,
}

impl NewBooking {
    fn row(&self) -> BookingRow<'_> {
        BookingRow {
            id: self.id,
            reference: &self.reference,
            status: self.status,
            held_until: self.held_until,
            by: &self.by,
            visit: Visit {
                during: self.during,
                before_minutes: self.before_minutes,
                after_minutes: self.after_minutes,
                place: self.place,
                role: String::new(),
                skills: Vec::new(),
                site: None,
            },
        }
    }
}

/// The row of a booking, without whom it takes.
pub(crate) struct BookingRow<'a> {
    pub(crate) id: BookingId,
    pub(crate) reference: &'a str,
    pub(crate) status: Status,
    pub(crate) held_until: Option<DateTime<Utc>>,
    pub(crate) by: &'a str,
    pub(crate) visit: Visit,
}

/// What became of the wish for a booking.
#[derive(Debug, Clone)]
pub enum Made {
    /// It is there; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
    /// The tenant has nobody such who does work: the place among the parties, from 0.
    NoParty(usize),
    /// Their time is taken: the places among the parties, from 0. By what is not told.
    Busy(Vec<usize>),
}

/// Makes a booking, and takes the time of everybody at once or of nobody.
///
/// # Errors
/// When the database fails.
pub async fn create(
    db: &Db,
    tenant: TenantId,
    new: &NewBooking,
    key: Option<&Idempotency>,
    answer: impl FnOnce(&Booking) -> Result<Answer, StoreError>,
) -> Result<Made, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Made::Replayed(answer)),
        Taken::ForAnother => return Ok(Made::Mismatch),
    }
    let row = new.row();
    insert_booking(&mut tx, tenant, &row).await?;
    for (place, party) in new.parties.iter().enumerate() {
        if !add_resource(&mut tx, tenant, &row, *party).await? {
            return Ok(Made::NoParty(place));
        }
    }
    if new.status.occupies() {
        let taken = occupy(&mut tx, tenant, new.id).await?;
        let busy = |party: &PartyId| !taken.contains(&party.as_uuid());
        let busy: Vec<usize> =
            new.parties.iter().enumerate().filter(|(_, party)| busy(party)).map(|(place, _)| place).collect();
        if !busy.is_empty() {
            return Ok(Made::Busy(busy));
        }
        calendars::want(&mut tx, tenant, new.id).await?;
    }
    if let Some(until) = new.held_until {
        lapse_at(db, &mut tx, tenant, (new.id, 1), until).await?;
    }
    let missing = || StoreError::Unreadable { table: "booking", found: new.id.to_string() };
    let made = read(&mut tx, tenant, new.id).await?.ok_or_else(missing)?;
    if new.status.occupies() {
        tell_moved(&mut tx, tenant, &made, None).await?;
    }
    let answer = answer(&made)?;
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "make a booking").await?;
    Ok(Made::New(answer))
}

/// Has the pencil looked at when its time is up.
pub(super) async fn lapse_at(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    (booking, version): (BookingId, i32),
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let job = NewJob { scheduled_at: at, ..lapse_job((booking, version))? };
    enqueue::insert(db, tx, tenant, &[job]).await.map(drop)
}

fn lapse_job((booking, version): (BookingId, i32)) -> Result<NewJob, StoreError> {
    let unwritable =
        |error: serde_json::Error| StoreError::Unreadable { table: "job", found: error.to_string() };
    NewJob::of(&BookingLapse { booking, version }).map_err(unwritable)
}

pub(crate) async fn insert_booking(
    tx: &mut PgConnection,
    tenant: TenantId,
    row: &BookingRow<'_>,
) -> Result<(), StoreError> {
    let visit = &row.visit;
    sqlx::query(
        "insert into booking (id, tenant_id, reference, status, during, before_minutes, after_minutes, latitude, longitude,
             held_until, created_by)
         values ($1, $2, $3, $4, tstzrange($5, $6), $7, $8, $9, $10, $11, $12)",
    )
    .bind(row.id.as_uuid())
    .bind(tenant.as_uuid())
    .bind(row.reference)
    .bind(row.status.word())
    .bind(visit.during.from)
    .bind(visit.during.until)
    .bind(visit.before_minutes as i16)
    .bind(visit.after_minutes as i16)
    .bind(visit.place.map(|place| place.latitude))
    .bind(visit.place.map(|place| place.longitude))
    .bind(row.held_until)
    .bind(row.by)
    .execute(tx)
    .await
    .or_failed("note a booking")?;
    Ok(())
}

#[derive(FromRow)]
struct Resource {
    account_id: Uuid,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// Notes that a booking takes `party`. False when the tenant has nobody such who does work.
pub(crate) async fn add_resource(
    tx: &mut PgConnection,
    tenant: TenantId,
    row: &BookingRow<'_>,
    party: PartyId,
) -> Result<bool, StoreError> {
    let resource: Option<Resource> = sqlx::query_as(
        "select account_id, latitude, longitude from membership where tenant_id = $1 and party_id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read whose time it is")?;
    let Some(resource) = resource else { return Ok(false) };
    let home = resource.latitude.zip(resource.longitude).and_then(|(north, east)| Point::new(north, east));
    let protected = row.visit.protected_from(home);
    sqlx::query(
        "insert into booking_resource (tenant_id, booking_id, party_id, account_id, protected)
         values ($1, $2, $3, $4, tstzrange($5, $6))",
    )
    .bind(tenant.as_uuid())
    .bind(row.id.as_uuid())
    .bind(party.as_uuid())
    .bind(resource.account_id)
    .bind(protected.from)
    .bind(protected.until)
    .execute(tx)
    .await
    .or_failed("note whom a booking takes")?;
    Ok(true)
}

/// Takes the time of everybody in a booking; answers of whom it could. The constraint is the judge. Accounts are taken in
/// one order everywhere, so those who want the same stand in a line and never wait for each other in a circle. Whose time
/// it is, is what the membership says now, and it is held: nobody joins an account or is forgotten meanwhile.
pub(crate) async fn occupy(
    tx: &mut PgConnection,
    tenant: TenantId,
    booking: BookingId,
) -> Result<Vec<Uuid>, StoreError> {
    // In a statement before the other, so that what it waited for is seen there, and put in order.
    sqlx::query(
        "select from booking_resource r
         join membership m on m.tenant_id = r.tenant_id and m.party_id = r.party_id
         where r.tenant_id = $1 and r.booking_id = $2 order by m.party_id for key share of m",
    )
    .bind(tenant.as_uuid())
    .bind(booking.as_uuid())
    .execute(&mut *tx)
    .await
    .or_failed("hold whose time it is")?;
    sqlx::query_scalar(
        "insert into occupied (tenant_id, booking_id, party_id, account_id, protected)
         select r.tenant_id, r.booking_id, r.party_id, m.account_id, r.protected from booking_resource r
         join membership m on m.tenant_id = r.tenant_id and m.party_id = r.party_id
         where r.tenant_id = $1 and r.booking_id = $2 order by m.account_id
         on conflict do nothing returning party_id",
    )
    .bind(tenant.as_uuid())
    .bind(booking.as_uuid())
    .fetch_all(tx)
    .await
    .or_failed("take somebody's time")
}
