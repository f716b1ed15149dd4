//! Challenges: a pencil asks those before it to confirm or to let go, for as long as it is one.

use chrono::{DateTime, Utc};
use jobs::{BookingId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    making::lapse_at,
    moving::{Moved, Status, locked},
    telling::tell_challenged,
};
use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
};

#[derive(FromRow)]
struct Asked {
    id: Uuid,
    version: i32,
    held_until: Option<DateTime<Utc>>,
}

/// Asks those who hold the same before `id` to confirm or to let go, within a day that is neither a Saturday nor a Sunday
/// where those are who were booked. They are released then. One that was asked
/// before keeps its time. Rows are held from the latest to the first everywhere, so nobody waits in a circle.
///
/// # Errors
/// When the database fails.
pub async fn challenge(db: &Db, tenant: TenantId, id: BookingId, version: i32) -> Result<Moved, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let Some(booking) = locked(&mut tx, tenant, id).await? else { return Ok(Moved::Missing) };
    if booking.version != version {
        return Ok(Moved::Stale(booking));
    }
    if booking.status()? != Status::Pencil {
        return Ok(Moved::NoWay(booking));
    }
    let challenged: Vec<Asked> = sqlx::query_as(
        "with before as (
             select other.id from booking other
             where other.tenant_id = $1 and other.status = 'pencil' and other.challenged_by is null and other.id < $2
                 and exists (
                     select from booking_resource mine join booking_resource r
                         on r.tenant_id = mine.tenant_id and r.party_id = mine.party_id and r.protected && mine.protected
                     where mine.booking_id = $2 and r.booking_id = other.id)
             order by other.id desc for update
         )
         update booking b set challenged_by = $2, version = version + 1, updated_at = clock_timestamp(),
             unchallenged_until = held_until,
             held_until = least(held_until, challenged_until(clock_timestamp(), coalesce((
                 select m.timezone from booking_resource r
                     join membership m on m.tenant_id = r.tenant_id and m.party_id = r.party_id
                 where r.booking_id = b.id order by r.party_id limit 1), 'UTC')))
         from before where b.id = before.id returning b.id, b.version, b.held_until",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("challenge the pencils before")?;
    let told: Vec<_> = challenged.iter().map(|one| (BookingId::from_uuid(one.id), one.held_until)).collect();
    tell_challenged(&mut tx, tenant, id, &told).await?;
    look_at(db, &mut tx, tenant, challenged).await?;
    commit(tx, "challenge the pencils before").await?;
    Ok(Moved::Done(booking))
}

/// Ends what `id` asked of others, because it is no pencil any more: they are held as they were before. Whose time is up
/// stays so. The row of `id` has to be locked.
pub(super) async fn end_challenges(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    id: BookingId,
) -> Result<(), StoreError> {
    let freed: Vec<Asked> = sqlx::query_as(
        "with asked as (
             select id from booking where tenant_id = $1 and challenged_by = $2 and status = 'pencil'
                 and held_until > clock_timestamp()
             order by id desc for update
         )
         update booking b set challenged_by = null, held_until = b.unchallenged_until, unchallenged_until = null,
             version = version + 1, updated_at = clock_timestamp()
         from asked where b.id = asked.id returning b.id, b.version, b.held_until",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_all(&mut **tx)
    .await
    .or_failed("end a challenge")?;
    look_at(db, tx, tenant, freed).await
}

/// Has each looked at when its time is up.
async fn look_at(db: &Db, tx: &mut Tx, tenant: TenantId, all: Vec<Asked>) -> Result<(), StoreError> {
    for Asked { id, version, held_until } in all {
        if let Some(until) = held_until {
            lapse_at(db, tx, tenant, (BookingId::from_uuid(id), version), until).await?;
        }
    }
    Ok(())
}
