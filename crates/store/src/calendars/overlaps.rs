//! Bookings at whose time a calendar has something else. One appointment is one disagreement, however many calendars of the same
//! person tell of it: those of two accounts, or one that both of them see.

use jobs::{CalendarLinkId, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::conflicts::{self, Found};
use crate::error::{OrFailed, StoreError};

/// Notes at which bookings of `party` its calendars have something else, and ends what they have no more. Its membership has to be
/// held, so that of two calendars that are read at once the second sees what the first says.
pub(super) async fn note(tx: &mut PgConnection, tenant: TenantId, party: Uuid) -> Result<(), StoreError> {
    hand_over(tx, tenant, party).await?;
    let found = find(tx, tenant, party).await?;
    conflicts::note(tx, tenant, &found).await?;
    conflicts::end_overlaps(tx, tenant, party, &found).await
}

/// What one calendar tells no more and another of theirs still does stays what it was, and what somebody said of it.
async fn hand_over(tx: &mut PgConnection, tenant: TenantId, party: Uuid) -> Result<(), StoreError> {
    sqlx::query(
        "with told as materialized (
             select c.id, (
                 select a.link_id from absence a
                 where a.tenant_id = $1 and a.party_id = $2 and a.link_id is not null
                     and a.during && case when c.kind = 'overlap' then c.mark::tstzrange end
                 order by a.link_id <> c.link_id, a.link_id limit 1) as link_id
             from calendar_conflict c join calendar_link l on l.id = c.link_id and l.party_id = $2
             where c.tenant_id = $1 and c.kind = 'overlap' and c.resolution is distinct from 'gone'
         )
         update calendar_conflict c set link_id = told.link_id from told
         where c.id = told.id and told.link_id <> c.link_id
             and not exists (select from calendar_conflict o where o.link_id = told.link_id
                 and o.booking_id = c.booking_id and o.kind = c.kind and o.mark = c.mark)",
    )
    .bind(tenant.as_uuid())
    .bind(party)
    .execute(tx)
    .await
    .or_failed("hand conflicts over to another calendar")?;
    Ok(())
}

/// Bookings of this tenant at whose time they have something else, each stretch once and at one of their calendars: where it is
/// noted already, else at the first that tells it.
async fn find(tx: &mut PgConnection, tenant: TenantId, party: Uuid) -> Result<Vec<Found>, StoreError> {
    let rows: Vec<(Uuid, Uuid, String)> = sqlx::query_as(
        "with said as (
             select b.id, unnest(range_agg(a.during * b.during)) as during from absence a
             join occupied o on o.tenant_id = $1 and o.account_id = a.account_id and o.party_id = a.party_id
                 and o.protected && a.during
             join booking b on b.id = o.booking_id and b.status in ('confirmed', 'active') and b.during && a.during
             where a.tenant_id = $1 and a.party_id = $2 and a.link_id is not null
             group by b.id
         )
         select coalesce(
                 (select c.link_id from calendar_conflict c join calendar_link l on l.id = c.link_id and l.party_id = $2
                  where c.tenant_id = $1 and c.booking_id = said.id and c.kind = 'overlap' and c.mark = said.during::text
                  order by c.resolution is not distinct from 'gone', c.resolved_at is null, c.link_id limit 1),
                 (select a.link_id from absence a where a.tenant_id = $1 and a.party_id = $2 and a.link_id is not null
                      and a.during && said.during
                  order by a.link_id limit 1)),
             said.id, said.during::text
         from said",
    )
    .bind(tenant.as_uuid())
    .bind(party)
    .fetch_all(tx)
    .await
    .or_failed("see what calendars have at the time of bookings")?;
    let found = |(link, booking, during)| Found::overlap(CalendarLinkId::from_uuid(link), booking, during);
    Ok(rows.into_iter().map(found).collect())
}
