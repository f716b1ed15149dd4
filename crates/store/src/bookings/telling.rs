//! Telling endpoints what became of bookings, in the transaction in which it happened.

use chrono::{DateTime, Utc};
use jobs::{BookingId, TenantId};
use serde_json::json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Booking, moving::Status};
use crate::{
    error::{OrFailed, StoreError},
    outbox,
};

/// Pencils of one stretch of time that are told of at once.
const TOLD_MAX: i64 = 100;

/// A pencil that somebody should hear of.
#[derive(FromRow)]
struct Pencil {
    id: Uuid,
    reference: String,
}

/// Tells that `booking`, as it is now, came from `from`; and of the pencils over the same time what that means to them: those
/// that are first in line now, or those that may come to nothing.
pub(super) async fn tell_moved(
    tx: &mut PgConnection,
    tenant: TenantId,
    booking: &Booking,
    from: Option<Status>,
) -> Result<(), StoreError> {
    let (id, to) = (booking.id(), booking.status()?);
    let data = json!({
        "booking": id, "reference": booking.reference, "from": from.map(Status::word), "version": booking.version,
        "starts_at": booking.starts_at, "ends_at": booking.ends_at,
    });
    outbox::tell(tx, tenant, &format!("booking.{}", to.word()), &id.to_string(), &data).await?;
    match (from, to) {
        (_, Status::Confirmed) => tell_of(tx, tenant, id, "booking.at_risk", OVERLAPPING).await,
        (Some(Status::Pencil), _) => tell_of(tx, tenant, id, "booking.first_in_line", FIRST_NOW).await,
        _ => Ok(()),
    }
}

/// Tells that `booking` asks these to confirm or to let go.
pub(super) async fn tell_challenged(
    tx: &mut PgConnection,
    tenant: TenantId,
    booking: BookingId,
    challenged: &[(BookingId, Option<DateTime<Utc>>)],
) -> Result<(), StoreError> {
    for (pencil, held_until) in challenged {
        let data = json!({ "booking": pencil, "challenged_by": booking, "held_until": held_until });
        outbox::tell(tx, tenant, "booking.challenged", &pencil.to_string(), &data).await?;
    }
    Ok(())
}

/// Pencils that want time which booking $2 has.
const OVERLAPPING: &str = "select p.id, p.reference from booking p
    where p.tenant_id = $1 and p.status = 'pencil' and p.id <> $2 and exists (
        select from booking_resource mine join booking_resource r
            on r.tenant_id = mine.tenant_id and r.party_id = mine.party_id and r.protected && mine.protected
        where mine.booking_id = $2 and r.booking_id = p.id)
    order by p.id limit $3";

/// Of those after booking $2, the ones that have nobody before them any more.
const FIRST_NOW: &str = "select p.id, p.reference from booking p
    where p.tenant_id = $1 and p.status = 'pencil' and p.id > $2 and exists (
        select from booking_resource mine join booking_resource r
            on r.tenant_id = mine.tenant_id and r.party_id = mine.party_id and r.protected && mine.protected
        where mine.booking_id = $2 and r.booking_id = p.id)
    and not exists (
        select from booking_resource mine join booking_resource r
            on r.tenant_id = mine.tenant_id and r.party_id = mine.party_id and r.protected && mine.protected
        join booking other on other.id = r.booking_id and other.status = 'pencil' and other.id < p.id
        where mine.booking_id = p.id)
    order by p.id limit $3";

async fn tell_of(
    tx: &mut PgConnection,
    tenant: TenantId,
    booking: BookingId,
    event_type: &str,
    pencils: &'static str,
) -> Result<(), StoreError> {
    let found: Vec<Pencil> = sqlx::query_as(pencils)
        .bind(tenant.as_uuid())
        .bind(booking.as_uuid())
        .bind(TOLD_MAX)
        .fetch_all(&mut *tx)
        .await
        .or_failed("find pencils over the same time")?;
    for Pencil { id, reference } in found {
        let pencil = BookingId::from_uuid(id);
        let data = json!({ "booking": pencil, "reference": reference, "because_of": booking });
        outbox::tell(tx, tenant, event_type, &pencil.to_string(), &data).await?;
    }
    Ok(())
}
