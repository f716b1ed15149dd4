//! Bookings in calendars outside: what is wished for is written with the booking, what stands there afterwards.

use chrono::{DateTime, Utc};
use jobs::{BookingId, CalendarLinkId, TenantId};
use matching::Span;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::conflicts::{self, Found};
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    invitations,
};

/// What was written so many seconds ago a calendar may not tell yet: some take what they are given and write it later.
pub(super) const FRESH_S: i32 = 60;

/// Wishes that calendars, feeds and guests learn how a booking moved, in the transaction in which it does: those into which it is to be
/// written, and those in which it stands and should not.
pub(crate) async fn want(
    tx: &mut PgConnection,
    tenant: TenantId,
    booking: BookingId,
) -> Result<(), StoreError> {
    // In a statement before the other: a calendar that is linked meanwhile is seen there, or its link waits and sees the booking.
    sqlx::query(
        "select from booking b
         join booking_resource r on r.tenant_id = b.tenant_id and r.booking_id = b.id
         join membership m on m.tenant_id = r.tenant_id and m.party_id = r.party_id
         where b.tenant_id = $1 and b.id = $2 and b.status = 'confirmed' order by m.party_id for key share of m",
    )
    .bind(tenant.as_uuid())
    .bind(booking.as_uuid())
    .execute(&mut *tx)
    .await
    .or_failed("hold whose calendars are to learn of a booking")?;
    sqlx::query(
        "with moved as (
             select b.id, b.status, r.party_id from booking b
             join booking_resource r on r.tenant_id = b.tenant_id and r.booking_id = b.id
             where b.tenant_id = $1 and b.id = $2 and b.status in ('confirmed', 'cancelled', 'no_show')
         ), pushed as (
             insert into calendar_push (tenant_id, link_id, booking_id)
             select $1, l.id, m.id from moved m
             join calendar_link l on l.tenant_id = $1 and l.party_id = m.party_id and l.is_written
             where m.status = 'confirmed'
                 or exists (select from calendar_push p where p.link_id = l.id and p.booking_id = m.id)
             on conflict (link_id, booking_id) do update set wish = calendar_push.wish + 1, state = 'pending'
         )
         update calendar_feed f set wish = f.wish + 1 from moved m where f.tenant_id = $1 and f.party_id = m.party_id",
    )
    .bind(tenant.as_uuid())
    .bind(booking.as_uuid())
    .execute(&mut *tx)
    .await
    .or_failed("wish that calendars learn of a booking")?;
    invitations::want(tx, tenant, booking).await
}

/// Wishes that everything that is booked ahead is written into a calendar that was just linked.
pub(super) async fn want_all(
    tx: &mut PgConnection,
    tenant: TenantId,
    link: CalendarLinkId,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into calendar_push (tenant_id, link_id, booking_id)
         select $1, l.id, b.id from calendar_link l
         join occupied o on o.tenant_id = $1 and o.party_id = l.party_id
         join booking b on b.id = o.booking_id and b.status = 'confirmed' and upper(b.during) > clock_timestamp()
         where l.tenant_id = $1 and l.id = $2 and l.is_written",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .execute(tx)
    .await
    .or_failed("wish that a calendar learns what is booked")?;
    Ok(())
}

/// What a calendar is to learn.
#[derive(Debug, Clone)]
pub struct ToPush {
    /// `caldav`, `google`, `microsoft` or `cronofy`.
    pub provider: String,
    /// What opens it.
    pub access: String,
    /// Where its entries are; none when it was never read.
    pub collection: Option<String>,
    /// The entry, if it was written before.
    pub href: Option<String>,
    /// How it was then.
    pub etag: Option<String>,
    /// That was a moment ago: a calendar that takes a while may not tell of it yet.
    pub is_fresh: bool,
    /// What was found there when a person said that what is booked here holds.
    pub over: Option<FoundThere>,
    /// Whether the booking is to stand there.
    pub is_wanted: bool,
    /// When the booking is.
    pub during: Span,
    /// What it is about.
    pub reference: String,
    /// Counts its changes.
    pub version: i32,
    /// When it was changed last.
    pub changed_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct Row {
    provider: String,
    access: Vec<u8>,
    collection: Option<String>,
    href: Option<String>,
    etag: Option<String>,
    is_fresh: bool,
    is_forced: bool,
    forced_etag: Option<String>,
    is_wanted: bool,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    reference: String,
    version: i32,
    updated_at: DateTime<Utc>,
}

/// What a calendar is to learn of a booking; none when that is over: the calendar or the booking is gone, or another wish came
/// after this one.
///
/// # Errors
/// When the database fails, or this process cannot open the access.
pub async fn to_push(
    db: &Db,
    tenant: TenantId,
    (link, booking, wish): (CalendarLinkId, BookingId, i32),
) -> Result<Option<ToPush>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let row: Option<Row> = sqlx::query_as(
        "select l.provider, l.access, l.collection, p.href, p.etag, p.is_forced, p.forced_etag,
             coalesce(p.settled_at > clock_timestamp() - make_interval(secs => $5), false) as is_fresh,
             b.status in ('confirmed', 'active', 'done') as is_wanted, lower(b.during) as starts_at,
             upper(b.during) as ends_at, b.reference, b.version, b.updated_at
         from calendar_push p join calendar_link l on l.id = p.link_id join booking b on b.id = p.booking_id
         where p.tenant_id = $1 and p.link_id = $2 and p.booking_id = $3 and p.wish = $4 and p.state = 'pending'",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(booking.as_uuid())
    .bind(wish)
    .bind(FRESH_S)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read what a calendar is to learn")?;
    drop(tx);
    let Some(row) = row else { return Ok(None) };
    let access = db.open_secret(&link.to_string(), &row.access)?;
    let found = row.forced_etag.map_or(FoundThere::Removed, FoundThere::Edited);
    Ok(Some(ToPush {
        provider: row.provider,
        access,
        collection: row.collection,
        href: row.href,
        etag: row.etag,
        is_fresh: row.is_fresh,
        over: row.is_forced.then_some(found),
        is_wanted: row.is_wanted,
        during: Span { from: row.starts_at, until: row.ends_at },
        reference: row.reference,
        version: row.version,
        changed_at: row.updated_at,
    }))
}

/// What a person did to an entry of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundThere {
    /// They changed it: how it is now.
    Edited(String),
    /// They removed it.
    Removed,
}

/// How a booking stands in a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// It is there.
    Written {
        /// Where.
        href: String,
        /// How; none when the calendar did not say.
        etag: Option<String>,
    },
    /// It is not there.
    Absent,
    /// A person did something to it there.
    Conflict {
        /// Where it is, or was.
        href: String,
        /// What they did.
        found: FoundThere,
    },
}

/// Writes down how a booking stands in a calendar.
///
/// # Errors
/// When the database fails.
pub async fn settle_push(
    db: &Db,
    tenant: TenantId,
    (link, booking, wish): (CalendarLinkId, BookingId, i32),
    stands: &Stands,
) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    if let Stands::Conflict { href, found } = stands {
        let found = Found::of(link, (booking.as_uuid(), href), found, wish);
        conflicts::note(&mut tx, tenant, &[found]).await?;
    }
    let (state, href, etag) = match stands {
        Stands::Written { href, etag } => ("done", Some(href), etag.as_ref()),
        Stands::Absent => ("done", None, None),
        Stands::Conflict { href, .. } => ("conflict", Some(href), None),
    };
    sqlx::query(
        // What was written for an older wish may have come after what was done for the present one: looked at again.
        "update calendar_push set state = case when wish = $4 then $5 when state = 'done' then 'pending' else state end,
             wish = wish + (wish <> $4 and state = 'done')::int, is_forced = is_forced and wish <> $4,
             forced_etag = case when wish <> $4 then forced_etag end, settled_at = clock_timestamp(),
             href = $6, etag = case when $5 = 'done' then $7 else etag end
         where tenant_id = $1 and link_id = $2 and booking_id = $3",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(booking.as_uuid())
    .bind(wish)
    .bind(state)
    .bind(href)
    .bind(etag)
    .execute(&mut *tx)
    .await
    .or_failed("note how a booking stands in a calendar")?;
    commit(tx, "note how a booking stands in a calendar").await
}

/// A booking of ours that was read: where it is, how it is, and whether it is as we wrote it.
pub(super) struct Seen<'a> {
    pub(super) booking: Uuid,
    pub(super) href: &'a str,
    pub(super) etag: &'a str,
    pub(super) is_untouched: bool,
}

/// Notes how bookings of ours were found by a reading that was opened at `at`. What is about to be written is looked at when it
/// is. False when one was written since, of which it says otherwise: then nothing of it may be taken.
pub(super) async fn note_seen(
    tx: &mut PgConnection,
    tenant: TenantId,
    link: CalendarLinkId,
    at: DateTime<Utc>,
    (seen, removed): (&[Seen<'_>], &[String]),
) -> Result<bool, StoreError> {
    let (untouched, touched): (Vec<&Seen<'_>>, Vec<&Seen<'_>>) =
        seen.iter().partition(|one| one.is_untouched);
    let standing: Vec<(Uuid, bool)> = sqlx::query_as(
        "select booking_id, coalesce(settled_at >= $4, false) from calendar_push where tenant_id = $1 and link_id = $2 and state = 'done' and href is not null
             and booking_id = any ($3)",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(touched.iter().map(|one| one.booking).collect::<Vec<_>>())
    .bind(at)
    .fetch_all(&mut *tx)
    .await
    .or_failed("see which entries are ours")?;
    let gone: Vec<(Uuid, String, i32, bool)> = sqlx::query_as(
        "select p.booking_id, p.href, p.wish, coalesce(p.settled_at >= $5, false) from calendar_push p join booking b on b.id = p.booking_id
         where p.tenant_id = $1 and p.link_id = $2 and p.state = 'done' and p.href = any ($3)
             and b.status in ('confirmed', 'active') and p.booking_id <> all ($4)
             -- What is over is told of no more by calendars that tell from yesterday on.
             and upper(b.during) > $5",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(removed)
    .bind(seen.iter().map(|one| one.booking).collect::<Vec<_>>())
    .bind(at)
    .fetch_all(&mut *tx)
    .await
    .or_failed("see which entries of ours are gone")?;
    if standing.iter().any(|(_, is_later)| *is_later) || gone.iter().any(|(.., is_later)| *is_later) {
        return Ok(false);
    }
    let is_standing = |booking: Uuid| standing.iter().any(|(standing, _)| *standing == booking);
    let edited = touched.iter().filter(|one| is_standing(one.booking));
    let mut found: Vec<Found> = edited
        .map(|one| Found::of(link, (one.booking, one.href), &FoundThere::Edited(one.etag.to_owned()), 0))
        .collect();
    found.extend(
        gone.iter()
            .map(|(booking, href, wish, _)| Found::of(link, (*booking, href), &FoundThere::Removed, *wish)),
    );
    conflicts::note(tx, tenant, &found).await?;
    let unchanged: Vec<Uuid> = untouched.iter().map(|one| one.booking).collect();
    note_undone(tx, tenant, link, at, &unchanged).await?;
    sqlx::query(
        "with found as (
             update calendar_push p set href = x.href, etag = x.etag
             from unnest($3::uuid[], $4::text[], $5::text[]) as x (booking, href, etag)
             where p.tenant_id = $1 and p.link_id = $2 and p.booking_id = x.booking and p.state <> 'conflict'
                 and (p.settled_at is null or p.settled_at < $7)
         )
         update calendar_push set state = 'conflict' where tenant_id = $1 and link_id = $2 and booking_id = any ($6)
             and state = 'done'",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(unchanged)
    .bind(untouched.iter().map(|one| one.href).collect::<Vec<_>>())
    .bind(untouched.iter().map(|one| one.etag).collect::<Vec<_>>())
    .bind(found.iter().map(|one| one.booking).collect::<Vec<_>>())
    .bind(at)
    .execute(tx)
    .await
    .or_failed("note how entries of ours are")?;
    Ok(true)
}

/// What a person did to an entry of ours and undid since is over by itself, also when they did so by another link to the same
/// calendar. The booking is brought up to date again: it may have moved meanwhile.
async fn note_undone(
    tx: &mut PgConnection,
    tenant: TenantId,
    link: CalendarLinkId,
    at: DateTime<Utc>,
    untouched: &[Uuid],
) -> Result<(), StoreError> {
    // In the order in which a person's word is noted.
    for sql in [
        "update calendar_conflict c set resolved_at = clock_timestamp(), resolution = 'gone'
         where c.tenant_id = $1 and c.link_id = $2 and c.booking_id = any ($3) and c.kind <> 'overlap'
             and c.resolved_at is null
             and exists (select from calendar_push p where p.link_id = c.link_id and p.booking_id = c.booking_id
                 and p.state = 'conflict' and (p.settled_at is null or p.settled_at < $4))",
        "update calendar_push set state = 'pending', wish = wish + 1
         where tenant_id = $1 and link_id = $2 and booking_id = any ($3) and state = 'conflict'
             and (settled_at is null or settled_at < $4)",
    ] {
        sqlx::query(sql)
            .bind(tenant.as_uuid())
            .bind(link.as_uuid())
            .bind(untouched)
            .bind(at)
            .execute(&mut *tx)
            .await
            .or_failed("end what a person undid in a calendar")?;
    }
    Ok(())
}
