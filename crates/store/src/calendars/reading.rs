//! Reading a calendar outside: what is known of it, and taking what it says now in place of that.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use jobs::{AbsenceId, BookingId, CalendarLinkId, TenantId};
use matching::Span;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use super::{
    links::{hold_whose, note_freshness},
    overlaps,
    parts::{self, Begun},
    pushing::{self, FRESH_S, Seen},
};
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// A calendar that is about to be read.
#[derive(Debug, Clone)]
pub struct Opened {
    /// `caldav`, `ics`, `google`, `microsoft` or `cronofy`.
    pub provider: String,
    /// What opens it.
    pub access: String,
    /// Where its entries are, if that was found before.
    pub collection: Option<String>,
    /// Up to where it was read.
    pub token: Option<String>,
    /// Where the clock of whoever keeps it hangs.
    pub timezone: String,
    /// When it was opened, by the database's clock.
    pub at: DateTime<Utc>,
    /// Which reading this is.
    pub reading: i32,
    /// What it said before.
    pub known: Vec<Known>,
    /// Bookings that take the time of whoever keeps it.
    pub own: HashSet<BookingId>,
    /// What was written into it, by where that is.
    pub noted: HashMap<String, Noted>,
    /// The list that was begun and not read to its end.
    pub begun: Option<Begun>,
}

/// A booking as it was written into a calendar.
#[derive(Debug, Clone, FromRow)]
pub struct Noted {
    booking_id: Uuid,
    href: String,
    /// How it was then.
    pub etag: Option<String>,
    /// That was a moment ago: a calendar that takes a while may not tell of it yet.
    pub is_fresh: bool,
}

impl Noted {
    /// Which booking.
    pub fn booking(&self) -> BookingId {
        BookingId::from_uuid(self.booking_id)
    }
}

/// An entry as it was read before.
#[derive(Debug, Clone, FromRow)]
pub struct Known {
    /// Where it is.
    pub href: String,
    /// How it was.
    pub etag: String,
    /// When it is.
    pub events: Json<Value>,
}

#[derive(FromRow)]
struct Row {
    provider: String,
    access: Vec<u8>,
    collection: Option<String>,
    token: Option<String>,
    timezone: String,
    at: DateTime<Utc>,
    reading: i32,
}

/// What is known of a calendar; none when this tenant has no such link.
///
/// # Errors
/// When the database fails, or this process cannot open the access.
pub async fn open(db: &Db, tenant: TenantId, link: CalendarLinkId) -> Result<Option<Opened>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let row: Option<Row> = sqlx::query_as(
        "select l.provider, l.access, l.collection, l.token, m.timezone, clock_timestamp() as at, l.reading
         from calendar_link l join membership m on m.party_id = l.party_id where l.tenant_id = $1 and l.id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("open a calendar")?;
    let Some(row) = row else { return Ok(None) };
    let known = sqlx::query_as(
        "select href, etag, events from calendar_object where tenant_id = $1 and link_id = $2 order by href",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("read what a calendar said before")?;
    let own: Vec<Uuid> = sqlx::query_scalar(
        "select distinct o.booking_id from calendar_link l join membership m on m.party_id = l.party_id
         join occupied o on o.account_id = m.account_id
         where l.tenant_id = $1 and l.id = $2 and upper(o.protected) > now() - interval '2 days'",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("see which bookings take somebody's time")?;
    let noted = noted(&mut tx, tenant, link).await?;
    let begun = parts::begun(&mut tx, tenant, link, row.reading).await?;
    drop(tx);
    Ok(Some(Opened {
        own: own.into_iter().map(BookingId::from_uuid).collect(),
        noted,
        begun,
        provider: row.provider,
        access: db.open_secret(&link.to_string(), &row.access)?,
        collection: row.collection,
        token: row.token,
        timezone: row.timezone,
        at: row.at,
        reading: row.reading,
        known,
    }))
}

async fn noted(
    tx: &mut PgConnection,
    tenant: TenantId,
    link: CalendarLinkId,
) -> Result<HashMap<String, Noted>, StoreError> {
    let noted: Vec<Noted> = sqlx::query_as(
        "select p.booking_id, p.href, p.etag,
             coalesce(p.settled_at > clock_timestamp() - make_interval(secs => $3), false) as is_fresh
         from calendar_push p join booking b on b.id = p.booking_id
         where p.tenant_id = $1 and p.link_id = $2 and p.href is not null
             and upper(b.during) > now() - interval '2 days'",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(FRESH_S)
    .fetch_all(tx)
    .await
    .or_failed("see what was written into a calendar")?;
    Ok(noted.into_iter().map(|noted| (noted.href.clone(), noted)).collect())
}

/// An entry that is new, or not as before.
#[derive(Debug, Clone)]
pub struct Object {
    /// Where it is.
    pub href: String,
    /// How it is.
    pub etag: String,
    /// When it is.
    pub events: Value,
    /// The booking that it is, if we wrote it, and whether it is as we did.
    pub own: Option<Own>,
}

/// A booking of ours.
#[derive(Debug, Clone, Copy)]
pub struct Own {
    /// Which.
    pub booking: BookingId,
    /// It is as we wrote it.
    pub is_untouched: bool,
}

/// What a calendar says now.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Which reading it is, as it was opened.
    pub reading: i32,
    /// When it was opened.
    pub at: DateTime<Utc>,
    /// Where the entries are.
    pub collection: Option<String>,
    /// Up to where it was read.
    pub token: Option<String>,
    /// What is new, or not as before.
    pub changed: Vec<Object>,
    /// What is gone.
    pub removed: Vec<String>,
    /// When somebody is busy, of everything it says.
    pub busy: Vec<Span>,
    /// Entries that were not understood.
    pub doubts: usize,
}

/// Keeps some of what a reading found before it is at its end, so that whoever is stopped goes on from there. It counts for nothing
/// until a reading is taken. The next one asks for everything, because of what is gone meanwhile nobody would tell it; it fetches what
/// is not kept. Nothing is kept where another reading came first.
///
/// # Errors
/// When the database fails.
pub async fn keep(
    db: &Db,
    tenant: TenantId,
    link: CalendarLinkId,
    reading: i32,
    found: &[Object],
) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let held = sqlx::query(
        "update calendar_link set token = null where tenant_id = $1 and id = $2 and reading = $3",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(reading)
    .execute(&mut *tx)
    .await
    .or_failed("have a calendar listed anew")?;
    if held.rows_affected() == 0 {
        return Ok(());
    }
    keep_objects(&mut tx, tenant, link, found).await?;
    commit(tx, "keep entries").await
}

/// Whether a reading counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    /// It does.
    Taken,
    /// Another reading came first, or the link is gone.
    Overtaken,
    /// A booking was written since it was opened, of which it says otherwise: it has to be read again.
    Outdated,
}

/// Takes what a calendar says now in place of what it said before: all of it, or none.
///
/// # Errors
/// When the database fails.
pub async fn take(
    db: &Db,
    tenant: TenantId,
    link: CalendarLinkId,
    reading: &Reading,
) -> Result<Took, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Before the link: whoever removes another calendar of theirs holds both in this order.
    let Some(party) = hold_whose(&mut tx, tenant, link).await? else { return Ok(Took::Overtaken) };
    let noted = sqlx::query(
        "update calendar_link set reading = reading + 1, read_at = $4, collection = $5, token = $6, doubts = $7,
             problem = null, failing_since = null, is_refused = false, refused_since = null
         where tenant_id = $1 and id = $2 and reading = $3",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(reading.reading)
    .bind(reading.at)
    .bind(&reading.collection)
    .bind(&reading.token)
    .bind(reading.doubts as i32)
    .execute(&mut *tx)
    .await
    .or_failed("note that a calendar was read")?;
    if noted.rows_affected() == 0 {
        return Ok(Took::Overtaken);
    }
    parts::forget(&mut tx, tenant, link).await?;
    forget_objects(&mut tx, tenant, link, &reading.removed).await?;
    keep_objects(&mut tx, tenant, link, &reading.changed).await?;
    keep_busy(&mut tx, tenant, link, &reading.busy).await?;
    note_freshness(&mut tx, tenant, party).await?;
    overlaps::note(&mut tx, tenant, party).await?;
    let seen: Vec<Seen<'_>> = reading.changed.iter().filter_map(seen).collect();
    if !pushing::note_seen(&mut tx, tenant, link, reading.at, (&seen, &reading.removed)).await? {
        return Ok(Took::Outdated);
    }
    commit(tx, "take what a calendar says").await?;
    Ok(Took::Taken)
}

fn seen(object: &Object) -> Option<Seen<'_>> {
    let own = object.own?;
    let booking = own.booking.as_uuid();
    Some(Seen { booking, href: &object.href, etag: &object.etag, is_untouched: own.is_untouched })
}

async fn forget_objects(
    tx: &mut PgConnection,
    tenant: TenantId,
    link: CalendarLinkId,
    removed: &[String],
) -> Result<(), StoreError> {
    sqlx::query("delete from calendar_object where tenant_id = $1 and link_id = $2 and href = any ($3)")
        .bind(tenant.as_uuid())
        .bind(link.as_uuid())
        .bind(removed)
        .execute(tx)
        .await
        .or_failed("forget entries that are gone")?;
    Ok(())
}

async fn keep_objects(
    tx: &mut PgConnection,
    tenant: TenantId,
    link: CalendarLinkId,
    found: &[Object],
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into calendar_object (tenant_id, link_id, href, etag, events)
         select $1, $2, x.href, x.etag, x.events from unnest($3::text[], $4::text[], $5::jsonb[]) as x (href, etag, events)
         on conflict (link_id, href) do update set etag = excluded.etag, events = excluded.events",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(found.iter().map(|object| object.href.as_str()).collect::<Vec<_>>())
    .bind(found.iter().map(|object| object.etag.as_str()).collect::<Vec<_>>())
    .bind(found.iter().map(|object| Json(&object.events)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .or_failed("keep entries")?;
    Ok(())
}

/// What did not change stays as it is: a calendar is read all day.
async fn keep_busy(
    tx: &mut PgConnection,
    tenant: TenantId,
    link: CalendarLinkId,
    busy: &[Span],
) -> Result<(), StoreError> {
    sqlx::query(
        "with said as (
             select x.id, tstzrange(x.starts_at, x.ends_at) as during
             from unnest($3::uuid[], $4::timestamptz[], $5::timestamptz[]) as x (id, starts_at, ends_at)
         ), gone as (
             delete from absence a where a.tenant_id = $1 and a.link_id = $2
                 and not exists (select from said where said.during = a.during)
         )
         insert into absence (id, tenant_id, party_id, account_id, kind, during, note, link_id)
         select said.id, $1, l.party_id, m.account_id, 'busy', said.during, '', l.id
         from said join calendar_link l on l.tenant_id = $1 and l.id = $2 join membership m on m.party_id = l.party_id
         where not exists (select from absence a where a.link_id = $2 and a.during = said.during)",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(busy.iter().map(|_| AbsenceId::new().as_uuid()).collect::<Vec<_>>())
    .bind(busy.iter().map(|span| span.from).collect::<Vec<_>>())
    .bind(busy.iter().map(|span| span.until).collect::<Vec<_>>())
    .execute(tx)
    .await
    .or_failed("note what a calendar says")?;
    Ok(())
}
