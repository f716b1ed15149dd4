//! Links to calendars that somebody keeps elsewhere.

use chrono::{DateTime, Utc};
use jobs::{CalendarLinkId, PartyId, TenantId};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

use super::{overlaps, pushing, twins};
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    people::CALENDAR_AGE,
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// A link to a calendar outside.
#[derive(Debug, Clone, FromRow)]
pub struct Link {
    id: Uuid,
    party_id: Uuid,
    /// `caldav`, `ics`, `google`, `microsoft` or `cronofy`.
    pub provider: String,
    /// Where the calendar is, without what opens it.
    pub host: String,
    /// Whether bookings are written into it.
    pub is_written: bool,
    /// When it was read last.
    pub read_at: Option<DateTime<Utc>>,
    /// It was not read for so long that what it said may not hold.
    pub is_stale: bool,
    /// Entries that were not understood and count as busy.
    pub doubts: i32,
    /// Why it cannot be read.
    pub problem: Option<String>,
    /// Since when.
    pub failing_since: Option<DateTime<Utc>>,
    /// Because it does not let us in any more.
    pub is_refused: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Link {
    /// Which it is.
    pub fn id(&self) -> CalendarLinkId {
        CalendarLinkId::from_uuid(self.id)
    }

    /// Whose calendar it is.
    pub fn party(&self) -> PartyId {
        PartyId::from_uuid(self.party_id)
    }
}

fn columns() -> String {
    let age_s = CALENDAR_AGE.num_seconds();
    format!(
        "id, party_id, provider, host, is_written, read_at,
         read_at is null or read_at < clock_timestamp() - make_interval(secs => {age_s}) as is_stale,
         doubts, problem, failing_since, is_refused, created_at"
    )
}

/// A link that is about to be.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// Which it will be.
    pub id: CalendarLinkId,
    /// Whose calendar it is.
    pub party: PartyId,
    /// `caldav`, `ics`, `google`, `microsoft` or `cronofy`.
    pub provider: &'static str,
    /// Where it is, without what opens it.
    pub host: String,
    /// What opens it.
    pub access: String,
    /// Whether bookings are written into it.
    pub is_written: bool,
    /// Who made it.
    pub by: String,
}

/// What became of the wish for a link.
#[derive(Debug, Clone)]
pub enum LinkMade {
    /// It is there; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
    /// The tenant has nobody such who does work.
    NoMembership,
    /// They have as many as they may.
    TooMany,
}

/// Links a calendar, unless its party has `links_max` already. It is read within moments, and what is booked already is written
/// into it.
///
/// # Errors
/// When the database fails, or the access cannot be sealed.
pub async fn create(
    db: &Db,
    tenant: TenantId,
    new: &NewLink,
    links_max: i64,
    key: Option<&Idempotency>,
    answer: impl FnOnce(&Link) -> Answer,
) -> Result<LinkMade, StoreError> {
    let sealed = db.seal_secret(&new.id.to_string(), &new.access)?;
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(LinkMade::Replayed(answer)),
        Taken::ForAnother => return Ok(LinkMade::Mismatch),
    }
    // Held, so that two who link at once do not both see that there is room, and so that whoever confirms a booking meanwhile
    // sees the link or is seen.
    let count: Option<i64> = sqlx::query_scalar(
        "select (select count(*) from calendar_link l where l.tenant_id = $1 and l.party_id = $2)
         from membership m where m.tenant_id = $1 and m.party_id = $2 for update of m",
    )
    .bind(tenant.as_uuid())
    .bind(new.party.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("count the calendars of somebody")?;
    match count {
        None => return Ok(LinkMade::NoMembership),
        Some(count) if count >= links_max => return Ok(LinkMade::TooMany),
        Some(_) => {}
    }
    let sql = format!(
        "insert into calendar_link (id, tenant_id, party_id, provider, host, access, is_written, created_by, renew_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8,
             case when $4 in ('google', 'microsoft', 'cronofy') then clock_timestamp() else 'infinity' end)
         returning {}",
        columns()
    );
    let made: Link = sqlx::query_as(AssertSqlSafe(sql))
        .bind(new.id.as_uuid())
        .bind(tenant.as_uuid())
        .bind(new.party.as_uuid())
        .bind(new.provider)
        .bind(&new.host)
        .bind(sealed)
        .bind(new.is_written)
        .bind(&new.by)
        .fetch_one(&mut *tx)
        .await
        .or_failed("link a calendar")?;
    note_freshness(&mut tx, tenant, new.party.as_uuid()).await?;
    pushing::want_all(&mut tx, tenant, new.id).await?;
    let answer = answer(&made);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "link a calendar").await?;
    Ok(LinkMade::New(answer))
}

/// Writes down when the calendars of somebody were read: the one that was read longest ago counts, and one that was never read
/// is as old as time.
pub(super) async fn note_freshness(
    tx: &mut PgConnection,
    tenant: TenantId,
    party: Uuid,
) -> Result<(), StoreError> {
    sqlx::query(
        "update membership set calendar_read_at = (
             select min(coalesce(l.read_at, 'epoch')) from calendar_link l where l.tenant_id = $1 and l.party_id = $2)
         where tenant_id = $1 and party_id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(party)
    .execute(tx)
    .await
    .or_failed("note when calendars were read")?;
    Ok(())
}

/// The link of `tenant` with this id.
///
/// # Errors
/// When the database fails.
pub async fn link(db: &Db, tenant: TenantId, id: CalendarLinkId) -> Result<Option<Link>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {} from calendar_link where tenant_id = $1 and id = $2", columns());
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read a link to a calendar")
}

/// The links of `party` before `before`, newest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn links(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    before: Option<Uuid>,
    max: i64,
) -> Result<Vec<Link>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {} from calendar_link where tenant_id = $1 and party_id = $2 and ($3::uuid is null or id < $3)
         order by id desc limit $4",
        columns()
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(party.as_uuid())
        .bind(before)
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list links to calendars")
}

/// Has a calendar read within moments. None when this tenant has no such link.
///
/// # Errors
/// When the database fails.
pub async fn pull_soon(db: &Db, tenant: TenantId, id: CalendarLinkId) -> Result<Option<Link>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "update calendar_link set next_pull_at = clock_timestamp() where tenant_id = $1 and id = $2 returning {}",
        columns()
    );
    let link = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("have a calendar read")?;
    commit(tx, "have a calendar read").await?;
    Ok(link)
}

/// Holds whose calendar it is until the transaction ends: whose account they are stays so, and what their calendars say is written
/// down one after the other. None when this tenant has no such link.
pub(super) async fn hold_whose(
    tx: &mut PgConnection,
    tenant: TenantId,
    link: CalendarLinkId,
) -> Result<Option<Uuid>, StoreError> {
    sqlx::query_scalar(
        "select m.party_id from calendar_link l join membership m on m.party_id = l.party_id
         where l.tenant_id = $1 and l.id = $2 for no key update of m",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .fetch_optional(tx)
    .await
    .or_failed("hold whose calendar it is")
}

/// Forgets a calendar and what it said, but for what another of theirs says too. What was written into it stays there. False when
/// this tenant has no such link.
///
/// # Errors
/// When the database fails.
pub async fn remove(db: &Db, tenant: TenantId, id: CalendarLinkId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let Some(party) = hold_whose(&mut tx, tenant, id).await? else { return Ok(false) };
    sqlx::query("delete from absence where tenant_id = $1 and link_id = $2")
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("forget what a calendar said")?;
    overlaps::note(&mut tx, tenant, party).await?;
    twins::hand_over(&mut tx, tenant, id).await?;
    let removed = sqlx::query("delete from calendar_link where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("forget a calendar")?;
    if removed.rows_affected() == 0 {
        return Ok(false);
    }
    note_freshness(&mut tx, tenant, party).await?;
    commit(tx, "forget a calendar").await?;
    Ok(true)
}
