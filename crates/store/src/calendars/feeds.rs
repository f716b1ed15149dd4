//! Feeds: what the calendar program of somebody reads of their bookings, by a link with a secret in it.

use chrono::{DateTime, Utc};
use jobs::{BookingId, CalendarFeedId, PartyId, TenantId};
use matching::Span;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// Bookings in a feed: from so many days ago until so many days ahead, at most so many.
const BACK_DAYS: i32 = 30;
const AHEAD_DAYS: i32 = 366;
const BOOKINGS_MAX: i64 = 2_000;

/// A feed.
#[derive(Debug, Clone, FromRow)]
pub struct Feed {
    id: Uuid,
    party_id: Uuid,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, party_id, created_at";

impl Feed {
    /// Which it is.
    pub fn id(&self) -> CalendarFeedId {
        CalendarFeedId::from_uuid(self.id)
    }

    /// Whose bookings it shows.
    pub fn party(&self) -> PartyId {
        PartyId::from_uuid(self.party_id)
    }
}

/// A feed that is about to be.
#[derive(Debug, Clone)]
pub struct NewFeed {
    /// Which it will be.
    pub id: CalendarFeedId,
    /// Whose bookings it will show.
    pub party: PartyId,
    /// The hash of the secret in its link.
    pub secret_sha256: [u8; 32],
    /// Who made it.
    pub by: String,
}

/// What became of the wish for a feed.
#[derive(Debug, Clone)]
pub enum FeedMade {
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

/// Makes a feed, unless its party has `feeds_max` already.
///
/// # Errors
/// When the database fails.
pub async fn create_feed(
    db: &Db,
    tenant: TenantId,
    new: &NewFeed,
    feeds_max: i64,
    key: Option<&Idempotency>,
    answer: impl FnOnce(&Feed) -> Answer,
) -> Result<FeedMade, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(FeedMade::Replayed(answer)),
        Taken::ForAnother => return Ok(FeedMade::Mismatch),
    }
    // As with links: whoever confirms a booking meanwhile sees the feed or is seen.
    let count: Option<i64> = sqlx::query_scalar(
        "select (select count(*) from calendar_feed f where f.tenant_id = $1 and f.party_id = $2)
         from membership m where m.tenant_id = $1 and m.party_id = $2 for update of m",
    )
    .bind(tenant.as_uuid())
    .bind(new.party.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("count the feeds of somebody")?;
    match count {
        None => return Ok(FeedMade::NoMembership),
        Some(count) if count >= feeds_max => return Ok(FeedMade::TooMany),
        Some(_) => {}
    }
    let sql = format!(
        "insert into calendar_feed (id, tenant_id, party_id, secret_sha256, created_by) values ($1, $2, $3, $4, $5)
         returning {COLUMNS}"
    );
    let made: Feed = sqlx::query_as(AssertSqlSafe(sql))
        .bind(new.id.as_uuid())
        .bind(tenant.as_uuid())
        .bind(new.party.as_uuid())
        .bind(new.secret_sha256.as_slice())
        .bind(&new.by)
        .fetch_one(&mut *tx)
        .await
        .or_failed("make a feed")?;
    let answer = answer(&made);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "make a feed").await?;
    Ok(FeedMade::New(answer))
}

/// The feeds of `party` before `before`, newest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn feeds(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    before: Option<Uuid>,
    max: i64,
) -> Result<Vec<Feed>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from calendar_feed where tenant_id = $1 and party_id = $2 and ($3::uuid is null or id < $3)
         order by id desc limit $4"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(party.as_uuid())
        .bind(before)
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list feeds")
}

/// Ends a feed: its link shows nothing from then on. False when this tenant has no such feed.
///
/// # Errors
/// When the database fails.
pub async fn remove_feed(db: &Db, tenant: TenantId, id: CalendarFeedId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from calendar_feed where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("end a feed")?;
    commit(tx, "end a feed").await?;
    Ok(removed.rows_affected() > 0)
}

/// What a feed is to show.
#[derive(Debug, Clone)]
pub struct FeedBookings {
    /// Which wish this answers.
    pub wish: i32,
    /// Whose bookings they are.
    pub name: String,
    /// In the order of their beginnings.
    pub bookings: Vec<FeedBooking>,
}

/// A booking in a feed.
#[derive(Debug, Clone, FromRow)]
pub struct FeedBooking {
    id: Uuid,
    /// What it is about.
    pub reference: String,
    /// Counts its changes.
    pub version: i32,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

impl FeedBooking {
    /// Which it is.
    pub fn id(&self) -> BookingId {
        BookingId::from_uuid(self.id)
    }

    /// When it is.
    pub fn during(&self) -> Span {
        Span { from: self.starts_at, until: self.ends_at }
    }
}

/// What a feed is to show; none when it is gone.
///
/// # Errors
/// When the database fails.
pub async fn feed_bookings(
    db: &Db,
    tenant: TenantId,
    id: CalendarFeedId,
) -> Result<Option<FeedBookings>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let feed: Option<(i32, String)> = sqlx::query_as(
        "select f.wish, p.name from calendar_feed f join party p on p.id = f.party_id
         where f.tenant_id = $1 and f.id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read a feed")?;
    let Some((wish, name)) = feed else { return Ok(None) };
    let bookings = sqlx::query_as(
        "select b.id, b.reference, b.version, lower(b.during) as starts_at, upper(b.during) as ends_at, b.updated_at
         from calendar_feed f
         join booking_resource r on r.tenant_id = $1 and r.party_id = f.party_id
             and r.protected && tstzrange(now() - make_interval(days => $3), now() + make_interval(days => $4))
         join booking b on b.id = r.booking_id and b.status in ('confirmed', 'active', 'done')
         where f.tenant_id = $1 and f.id = $2 order by lower(b.during), b.id limit $5",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(BACK_DAYS)
    .bind(AHEAD_DAYS)
    .bind(BOOKINGS_MAX)
    .fetch_all(&mut *tx)
    .await
    .or_failed("read what a feed is to show")?;
    Ok(Some(FeedBookings { wish, name, bookings }))
}

/// Has a feed show this from now on. False when it is gone.
///
/// # Errors
/// When the database fails.
pub async fn show(
    db: &Db,
    tenant: TenantId,
    id: CalendarFeedId,
    wish: i32,
    (body, etag): (&str, &str),
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let shown = sqlx::query(
        "update calendar_feed set body = case when shown_wish <= $3 then $4 else body end,
             etag = case when shown_wish <= $3 then $5 else etag end, shown_wish = greatest(shown_wish, $3)
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(wish)
    .bind(body)
    .bind(etag)
    .execute(&mut *tx)
    .await
    .or_failed("have a feed show something")?;
    commit(tx, "have a feed show something").await?;
    Ok(shown.rows_affected() > 0)
}

/// What a link shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// This file, and the name of its content.
    File(String, String),
    /// Nothing yet.
    NotYet,
    /// There is no such link.
    Unknown,
}

/// What the link with this secret shows.
///
/// # Errors
/// When the database fails.
pub async fn shown(db: &Db, secret_sha256: [u8; 32]) -> Result<Shown, StoreError> {
    let feed: Option<(Uuid, Uuid)> = sqlx::query_as("select tenant_id, id from calendar_feed_of($1)")
        .bind(secret_sha256.as_slice())
        .fetch_optional(db.pool())
        .await
        .or_failed("find a feed")?;
    let Some((tenant, id)) = feed else { return Ok(Shown::Unknown) };
    let mut tx = db.tenant(TenantId::from_uuid(tenant)).await?;
    let file: Option<(Option<String>, Option<String>)> =
        sqlx::query_as("select body, etag from calendar_feed where tenant_id = $1 and id = $2")
            .bind(tenant)
            .bind(id)
            .fetch_optional(&mut *tx)
            .await
            .or_failed("read what a feed shows")?;
    Ok(match file {
        Some((Some(body), Some(etag))) => Shown::File(body, etag),
        Some(_) => Shown::NotYet,
        None => Shown::Unknown,
    })
}
