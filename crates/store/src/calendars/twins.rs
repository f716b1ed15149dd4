//! One entry that is seen by several links: the same calendar linked twice, by two accounts or for two people. What a person did to it
//! is one disagreement.

use jobs::{CalendarLinkId, TenantId};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::error::{OrFailed, StoreError};

/// Whether the entries of a booking that the pushes `p` and `o` are about, by their links `l` and `ol`, may be one. Those of Cronofy
/// are called alike, and look alike, in every calendar.
const MAY_BE_ONE: &str = "ol.tenant_id = l.tenant_id and ol.id <> l.id and ol.provider = l.provider and ol.host = l.host
    and coalesce(ol.collection = l.collection, true) and l.provider <> 'cronofy' and o.booking_id = p.booking_id";

/// Whether a twin of `x` is noted: somebody has to see to it, or left it as it is. Google calls an entry alike in every calendar, so
/// there it has to be, or to have been, alike too.
pub(super) fn is_noted() -> String {
    format!(
        "exists (select from calendar_push p join calendar_link l on l.id = p.link_id
             join calendar_push o on o.tenant_id = p.tenant_id join calendar_link ol on ol.id = o.link_id
             join calendar_conflict t on t.link_id = o.link_id and t.booking_id = o.booking_id and t.kind <> 'overlap'
             where p.link_id = x.link and p.booking_id = x.booking and o.href = x.href and {MAY_BE_ONE}
                 and (l.provider <> 'google' or o.etag = p.etag or t.kind = 'edited' and x.kind = 'edited' and t.mark = x.mark)
                 and (t.resolved_at is null or t.resolution = 'theirs' and o.state = 'conflict'))"
    )
}

/// Lets one link at a time say what was done to `bookings`, until its transaction ends.
pub(super) async fn hold(tx: &mut PgConnection, bookings: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query(
        "select pg_advisory_xact_lock(hashtextextended(held.id || '/calendars', 0))
         from (select distinct id::text from unnest($1::uuid[]) as x (id) order by 1) as held",
    )
    .bind(bookings)
    .execute(tx)
    .await
    .or_failed("hold what is said of bookings")?;
    Ok(())
}

/// What a link that is about to go told, and another passed over as told, stays what it was, and what somebody said of it.
pub(super) async fn hand_over(
    tx: &mut PgConnection,
    tenant: TenantId,
    link: CalendarLinkId,
) -> Result<(), StoreError> {
    let sql = format!(
        "with seen as (
             select c.id, (
                 select o.link_id from calendar_push o join calendar_link ol on ol.id = o.link_id
                 where {MAY_BE_ONE} and o.href = p.href and o.state = 'conflict'
                     and not exists (select from calendar_conflict t where t.link_id = o.link_id
                         and t.booking_id = c.booking_id and t.kind <> 'overlap'
                         and (t.resolution is null or t.resolution = 'theirs' or t.kind = c.kind and t.mark = c.mark))
                 order by o.link_id limit 1) as link_id
             from calendar_conflict c join calendar_link l on l.id = c.link_id
             join calendar_push p on p.link_id = c.link_id and p.booking_id = c.booking_id
             where c.tenant_id = $1 and c.link_id = $2 and c.kind <> 'overlap' and p.state = 'conflict'
                 and (c.resolved_at is null or c.resolution = 'theirs')
         )
         update calendar_conflict c set link_id = seen.link_id from seen
         where c.id = seen.id and seen.link_id is not null"
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(link.as_uuid())
        .execute(tx)
        .await
        .or_failed("hand conflicts over to another link")?;
    Ok(())
}
