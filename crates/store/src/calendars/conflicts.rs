//! Where a calendar outside and what is booked here disagree. A person says which holds.

use chrono::{DateTime, Utc};
use jobs::{BookingId, CalendarConflictId, CalendarLinkId, PartyId, TenantId};
use serde_json::json;
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

use super::{pushing::FoundThere, twins};
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    outbox::tell,
};

/// A disagreement.
#[derive(Debug, Clone, FromRow)]
pub struct Conflict {
    id: Uuid,
    link_id: Uuid,
    party_id: Uuid,
    booking_id: Uuid,
    /// `overlap`, `edited` or `removed`.
    pub kind: String,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// When it was over.
    pub resolved_at: Option<DateTime<Utc>>,
    /// How: `gone`, `ours` or `theirs`.
    pub resolution: Option<String>,
}

const COLUMNS: &str =
    "c.id, c.link_id, l.party_id, c.booking_id, c.kind, c.found_at, c.resolved_at, c.resolution
    from calendar_conflict c join calendar_link l on l.id = c.link_id";

impl Conflict {
    /// Which it is.
    pub fn id(&self) -> CalendarConflictId {
        CalendarConflictId::from_uuid(self.id)
    }

    /// With which calendar.
    pub fn link(&self) -> CalendarLinkId {
        CalendarLinkId::from_uuid(self.link_id)
    }

    /// Whose calendar it is.
    pub fn party(&self) -> PartyId {
        PartyId::from_uuid(self.party_id)
    }

    /// About which booking.
    pub fn booking(&self) -> BookingId {
        BookingId::from_uuid(self.booking_id)
    }
}

/// Something that was found, before it is known whether it is new.
pub(super) struct Found {
    link: CalendarLinkId,
    pub(super) booking: Uuid,
    kind: &'static str,
    mark: String,
    /// Where the entry of the booking is, that a person did something to.
    href: Option<String>,
}

impl Found {
    pub(super) fn overlap(link: CalendarLinkId, booking: Uuid, during: String) -> Self {
        Self { link, booking, kind: "overlap", mark: during, href: None }
    }

    pub(super) fn of(
        link: CalendarLinkId,
        (booking, href): (Uuid, &str),
        found: &FoundThere,
        wish: i32,
    ) -> Self {
        let (kind, mark) = match found {
            FoundThere::Edited(etag) => ("edited", etag.clone()),
            FoundThere::Removed => ("removed", wish.to_string()),
        };
        Self { link, booking, kind, mark, href: Some(href.to_owned()) }
    }
}

/// Notes what was found, and tells whoever wants to be told. Not again what somebody left as it is; but whoever does once more
/// what was undone is heard once more. What another link to the same calendar told is not told again.
pub(super) async fn note(tx: &mut PgConnection, tenant: TenantId, found: &[Found]) -> Result<(), StoreError> {
    let done: Vec<Uuid> = found.iter().filter(|one| one.href.is_some()).map(|one| one.booking).collect();
    twins::hold(tx, &done).await?;
    let sql = format!(
        "insert into calendar_conflict as c (id, tenant_id, link_id, booking_id, kind, mark)
         select x.id, $1, x.link, x.booking, x.kind, x.mark
         from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[])
             as x (id, link, booking, kind, mark, href)
         where not {}
         on conflict (link_id, booking_id, kind, mark) do update
             set resolved_at = null, resolution = null, found_at = clock_timestamp()
             where c.resolution = 'gone' or c.resolution = 'ours' and c.kind <> 'overlap'
         returning c.id, c.link_id, c.booking_id, c.kind",
        twins::is_noted()
    );
    let new: Vec<(Uuid, Uuid, Uuid, String)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(found.iter().map(|_| CalendarConflictId::new().as_uuid()).collect::<Vec<_>>())
        .bind(found.iter().map(|one| one.link.as_uuid()).collect::<Vec<_>>())
        .bind(found.iter().map(|one| one.booking).collect::<Vec<_>>())
        .bind(found.iter().map(|one| one.kind).collect::<Vec<_>>())
        .bind(found.iter().map(|one| one.mark.as_str()).collect::<Vec<_>>())
        .bind(found.iter().map(|one| one.href.as_deref()).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await
        .or_failed("note a conflict with a calendar")?;
    for (id, link, booking, kind) in new {
        let subject = CalendarConflictId::from_uuid(id).to_string();
        let (link, booking) = (CalendarLinkId::from_uuid(link), BookingId::from_uuid(booking));
        let data = json!({ "conflict": subject, "link": link, "booking": booking, "kind": kind });
        tell(tx, tenant, "calendar.conflict", &subject, &data).await?;
    }
    Ok(())
}

/// Ends overlaps of the calendars of `party` that are there no more.
pub(super) async fn end_overlaps(
    tx: &mut PgConnection,
    tenant: TenantId,
    party: Uuid,
    still: &[Found],
) -> Result<(), StoreError> {
    sqlx::query(
        "update calendar_conflict c set resolved_at = clock_timestamp(), resolution = 'gone' from calendar_link l
         where l.tenant_id = $1 and l.party_id = $2 and c.tenant_id = $1 and c.link_id = l.id and c.kind = 'overlap'
             and c.resolved_at is null
             and not exists (select from unnest($3::uuid[], $4::uuid[], $5::text[]) as x (link, booking, mark)
                 where x.link = c.link_id and x.booking = c.booking_id and x.mark = c.mark)",
    )
    .bind(tenant.as_uuid())
    .bind(party)
    .bind(still.iter().map(|one| one.link.as_uuid()).collect::<Vec<_>>())
    .bind(still.iter().map(|one| one.booking).collect::<Vec<_>>())
    .bind(still.iter().map(|one| one.mark.as_str()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .or_failed("end conflicts with calendars")?;
    Ok(())
}

/// Which conflicts are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictFilter {
    /// Those that somebody has to see to.
    Open,
    /// All.
    All,
}

/// The conflicts of `tenant` before `before`, newest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn conflicts(
    db: &Db,
    tenant: TenantId,
    wanted: ConflictFilter,
    before: Option<Uuid>,
    max: i64,
) -> Result<Vec<Conflict>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let open = if wanted == ConflictFilter::Open { "c.resolved_at is null" } else { "true" };
    let sql = format!(
        "select {COLUMNS} where c.tenant_id = $1 and ($2::uuid is null or c.id < $2) and {open}
         order by c.id desc limit $3"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(before)
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list conflicts with calendars")
}

/// Which side holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// What is booked here: it is written into the calendar again, over what was found and over nothing later.
    Ours,
    /// What stands in the calendar: it is left as it is.
    Theirs,
}

impl Keep {
    const fn word(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
        }
    }
}

/// What became of a word about a conflict.
#[derive(Debug, Clone)]
pub enum Resolved {
    /// It holds; also when it was said before.
    Done(Conflict),
    /// It was over already, and otherwise.
    Over(Conflict),
    /// The tenant has no such conflict.
    Missing,
}

/// Says which side holds.
///
/// # Errors
/// When the database fails.
pub async fn resolve(
    db: &Db,
    tenant: TenantId,
    id: CalendarConflictId,
    keep: Keep,
) -> Result<Resolved, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let moved = sqlx::query(
        "update calendar_conflict set resolved_at = clock_timestamp(), resolution = $3
         where tenant_id = $1 and id = $2 and resolved_at is null",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(keep.word())
    .execute(&mut *tx)
    .await
    .or_failed("resolve a conflict")?;
    if moved.rows_affected() > 0 && keep == Keep::Ours {
        sqlx::query(
            "update calendar_push p set wish = p.wish + 1, state = 'pending', is_forced = true,
                 forced_etag = case when c.kind = 'edited' then c.mark end
             from calendar_conflict c
             where c.tenant_id = $1 and c.id = $2 and c.kind <> 'overlap' and p.link_id = c.link_id
                 and p.booking_id = c.booking_id",
        )
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("have a booking written once more")?;
    }
    let sql = format!("select {COLUMNS} where c.tenant_id = $1 and c.id = $2");
    let found: Option<Conflict> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read a conflict")?;
    commit(tx, "resolve a conflict").await?;
    Ok(match found {
        Some(found) if found.resolution.as_deref() == Some(keep.word()) => Resolved::Done(found),
        Some(found) => Resolved::Over(found),
        None => Resolved::Missing,
    })
}
