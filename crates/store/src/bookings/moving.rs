//! Moving bookings: from pencil to done, each step under the version that the caller saw.

use jobs::{BookingId, TenantId};
use sqlx::PgConnection;

use super::{Booking, challenging::end_challenges, making::occupy, read, telling::tell_moved};
use crate::{
    calendars,
    db::{Db, commit},
    error::{OrFailed, StoreError},
    matches,
};

/// How a booking stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Held in pencil: others may hold the same.
    Pencil,
    /// A pencil that was let go.
    Released,
    /// Somebody was asked.
    Offered,
    /// They said no, or nothing.
    Void,
    /// It is theirs.
    Confirmed,
    /// Under way.
    Active,
    /// Over.
    Done,
    /// Called off.
    Cancelled,
    /// They did not come.
    NoShow,
}

impl Status {
    /// Every status there is.
    pub const ALL: [Self; 9] = [
        Self::Pencil,
        Self::Released,
        Self::Offered,
        Self::Void,
        Self::Confirmed,
        Self::Active,
        Self::Done,
        Self::Cancelled,
        Self::NoShow,
    ];

    /// The word in rows and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pencil => "pencil",
            Self::Released => "released",
            Self::Offered => "offered",
            Self::Void => "void",
            Self::Confirmed => "confirmed",
            Self::Active => "active",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }

    /// The status of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Whether nobody else may have the time.
    pub const fn occupies(self) -> bool {
        matches!(self, Self::Offered | Self::Confirmed | Self::Active)
    }

    /// Where a caller may move it. Who is offered something answers the offer.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Pencil => &[Self::Confirmed, Self::Released],
            Self::Confirmed => &[Self::Active, Self::Cancelled, Self::NoShow],
            Self::Active => &[Self::Done],
            _ => &[],
        }
    }
}

/// Where a booking should move, and from which version.
#[derive(Debug, Clone, Copy)]
pub struct Move {
    /// To where.
    pub to: Status,
    /// What the caller saw.
    pub version: i32,
    /// Of one that is done: whether they were on time.
    pub on_time: bool,
}

/// What became of the wish to move a booking. What it is now is told with each refusal.
#[derive(Debug, Clone)]
pub enum Moved {
    /// It moved.
    Done(Booking),
    /// It was another version.
    Stale(Booking),
    /// There is no way from where it is.
    NoWay(Booking),
    /// Somebody's time is taken.
    Busy(Booking),
    /// The tenant has no such booking.
    Missing,
}

/// Moves a booking. What was seen of those it took is noted with it. A pencil whose time is up is released instead, also when
/// nobody looked at it yet. With a booking that came from a request, and is called off, the request is.
///
/// # Errors
/// When the database fails.
pub async fn move_to(db: &Db, tenant: TenantId, id: BookingId, wanted: Move) -> Result<Moved, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Held before the booking, as everywhere.
    let request = matches::held_for(&mut tx, tenant, id).await?;
    let Some(booking) = locked(&mut tx, tenant, id).await? else { return Ok(Moved::Missing) };
    let from = booking.status()?;
    if booking.version != wanted.version {
        return Ok(Moved::Stale(booking));
    }
    if !from.next().contains(&wanted.to) {
        return Ok(Moved::NoWay(booking));
    }
    let is_late = wanted.to != Status::Released && is_over(&mut tx, tenant, id).await?;
    let to = if is_late { Status::Released } else { wanted.to };
    if !reach_status(&mut tx, tenant, &booking, to).await? {
        return Ok(Moved::Busy(booking));
    }
    if from == Status::Pencil {
        end_challenges(db, &mut tx, tenant, id).await?;
    }
    match to {
        Status::Done => observe_all(&mut tx, tenant, id, Some(wanted.on_time)).await?,
        Status::NoShow => observe_all(&mut tx, tenant, id, None).await?,
        Status::Cancelled => {
            if let Some(request) = request {
                matches::call_off(&mut tx, tenant, request, id).await?;
            }
        }
        _ => {}
    }
    let missing = || StoreError::Unreadable { table: "booking", found: id.to_string() };
    let moved = read(&mut tx, tenant, id).await?.ok_or_else(missing)?;
    commit(tx, "move a booking").await?;
    Ok(if is_late { Moved::NoWay(moved) } else { Moved::Done(moved) })
}

/// Whether it is a pencil whose time is up, by the database's clock.
async fn is_over(tx: &mut PgConnection, tenant: TenantId, id: BookingId) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "select exists (select from booking where tenant_id = $1 and id = $2 and status = 'pencil'
             and held_until <= clock_timestamp())",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_one(tx)
    .await
    .or_failed("see whether a pencil is held")
}

/// The booking, held until the transaction ends.
pub(crate) async fn locked(
    tx: &mut PgConnection,
    tenant: TenantId,
    id: BookingId,
) -> Result<Option<Booking>, StoreError> {
    sqlx::query("select from booking where tenant_id = $1 and id = $2 for update")
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("hold a booking")?;
    read(tx, tenant, id).await
}

/// Takes or gives back the time, and writes the status down. False when somebody's time is taken: the caller rolls back.
/// The row has to be locked.
pub(crate) async fn reach_status(
    tx: &mut PgConnection,
    tenant: TenantId,
    booking: &Booking,
    to: Status,
) -> Result<bool, StoreError> {
    match (booking.status()?.occupies(), to.occupies()) {
        (false, true) if occupy(tx, tenant, booking.id()).await?.len() < booking.parties.len() => {
            return Ok(false);
        }
        (true, false) => {
            sqlx::query("delete from occupied where tenant_id = $1 and booking_id = $2")
                .bind(tenant.as_uuid())
                .bind(booking.id)
                .execute(&mut *tx)
                .await
                .or_failed("give somebody's time back")?;
        }
        _ => {}
    }
    sqlx::query(
        "update booking set status = $3, version = version + 1, held_until = null, challenged_by = null,
             unchallenged_until = null, updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(booking.id)
    .bind(to.word())
    .execute(&mut *tx)
    .await
    .or_failed("note where a booking moved")?;
    calendars::want(tx, tenant, booking.id()).await?;
    if let Some(now) = read(tx, tenant, booking.id()).await? {
        tell_moved(tx, tenant, &now, Some(booking.status()?)).await?;
    }
    Ok(true)
}

/// Notes of everybody in a booking that they came, or that they did not.
async fn observe_all(
    tx: &mut PgConnection,
    tenant: TenantId,
    id: BookingId,
    on_time: Option<bool>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into evidence (id, tenant_id, party_id, kind, on_time)
         select gen_random_uuid(), tenant_id, party_id, case when $3::boolean is null then 'no_show' else 'visit' end, $3
         from booking_resource where tenant_id = $1 and booking_id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(on_time)
    .execute(tx)
    .await
    .or_failed("note what was seen of somebody")?;
    Ok(())
}

/// What became of a pencil whose time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapsed {
    /// It was released.
    Released,
    /// It had moved before, or is held for longer.
    Kept,
}

/// Releases a pencil whose time is up, by the database's clock. Says the same when it is asked again.
///
/// # Errors
/// When the database fails.
pub async fn lapse(db: &Db, tenant: TenantId, id: BookingId, version: i32) -> Result<Lapsed, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let (now, before): (bool, bool) = sqlx::query_as(
        "with lapsed as (
             update booking set status = 'released', version = version + 1, held_until = null, challenged_by = null,
                 unchallenged_until = null, updated_at = clock_timestamp()
             where tenant_id = $1 and id = $2 and version = $3 and status = 'pencil' and held_until <= clock_timestamp()
             returning id
         )
         select exists (select from lapsed), exists (
             select from booking where tenant_id = $1 and id = $2 and version = $3 + 1 and status = 'released')",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(version)
    .fetch_one(&mut *tx)
    .await
    .or_failed("release a pencil")?;
    if now {
        end_challenges(db, &mut tx, tenant, id).await?;
        calendars::want(&mut tx, tenant, id).await?;
        if let Some(released) = read(&mut tx, tenant, id).await? {
            tell_moved(&mut tx, tenant, &released, Some(Status::Pencil)).await?;
        }
    }
    commit(tx, "release a pencil").await?;
    Ok(if now || before { Lapsed::Released } else { Lapsed::Kept })
}
