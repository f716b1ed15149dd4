//! Channels: where providers say that a calendar changed. One is written down before its provider hears of it.

use chrono::{DateTime, Utc};
use jobs::{CalendarChannelId, CalendarLinkId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// What a provider says at once is read at most every so many seconds.
const PING_EVERY_S: i32 = 10;

/// A channel as its provider knows it.
#[derive(Debug, Clone, FromRow)]
pub struct Channel {
    id: Uuid,
    /// What its provider calls it.
    pub remote: String,
}

impl Channel {
    pub(super) const fn of(id: Uuid, remote: String) -> Self {
        Self { id, remote }
    }

    /// Which it is.
    pub fn id(&self) -> CalendarChannelId {
        CalendarChannelId::from_uuid(self.id)
    }
}

/// A calendar whose changes somebody is to tell of.
#[derive(Debug, Clone)]
pub struct ToWatch {
    /// `google`, `microsoft` or `cronofy`.
    pub provider: String,
    /// What opens it.
    pub access: String,
    /// Where its changes are told of at this moment.
    pub former: Vec<Channel>,
}

/// Writes down a channel that is about to be, in place of one that never was; answers of which calendar. None when this tenant has no such link.
///
/// # Errors
/// When the database fails, or this process cannot open the access.
pub async fn watch(
    db: &Db,
    tenant: TenantId,
    link: CalendarLinkId,
    (id, secret_sha256): (CalendarChannelId, [u8; 32]),
) -> Result<Option<ToWatch>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let found: Option<(String, Vec<u8>)> = sqlx::query_as(
        "with gone as (
             delete from calendar_channel where tenant_id = $1 and link_id = $2 and remote is null
         ), made as (
             insert into calendar_channel (id, tenant_id, link_id, secret_sha256)
             select $3, $1, id, $4 from calendar_link where tenant_id = $1 and id = $2 returning link_id
         )
         select l.provider, l.access from made join calendar_link l on l.id = made.link_id",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(id.as_uuid())
    .bind(secret_sha256.as_slice())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("note a channel")?;
    let Some((provider, access)) = found else { return Ok(None) };
    let former = sqlx::query_as(
        "select id, remote from calendar_channel where tenant_id = $1 and link_id = $2 and remote is not null order by id",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("list channels")?;
    commit(tx, "note a channel").await?;
    let access = db.open_secret(&link.to_string(), &access)?;
    Ok(Some(ToWatch { provider, access, former }))
}

/// Writes down what its provider calls a channel, until when it tells there, and when it is to be asked anew. Those that came before
/// are forgotten.
///
/// # Errors
/// When the database fails.
pub async fn watched(
    db: &Db,
    tenant: TenantId,
    link: CalendarLinkId,
    channel: (CalendarChannelId, &str),
    (expires_at, renew_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query(
        "with kept as (
             update calendar_channel set remote = $4, expires_at = $5 where tenant_id = $1 and id = $3
         ), gone as (
             delete from calendar_channel where tenant_id = $1 and link_id = $2 and id < $3
         )
         update calendar_link set renew_at = $6 where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(channel.0.as_uuid())
    .bind(channel.1)
    .bind(expires_at)
    .bind(renew_at)
    .execute(&mut *tx)
    .await
    .or_failed("keep a channel")?;
    commit(tx, "keep a channel").await
}

/// Where a provider says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whose calendar it is about.
    pub tenant: TenantId,
    /// Which calendar.
    pub link: CalendarLinkId,
    /// Who tells.
    pub provider: String,
    /// The hash of what it repeats.
    pub secret_sha256: Vec<u8>,
}

/// What is told at a channel; none when there is no such channel.
///
/// # Errors
/// When the database fails.
pub async fn told(db: &Db, id: CalendarChannelId) -> Result<Option<Told>, StoreError> {
    let found: Option<(Uuid, Uuid, String, Vec<u8>)> =
        sqlx::query_as("select tenant_id, link_id, provider, secret_sha256 from calendar_channel_of($1)")
            .bind(id.as_uuid())
            .fetch_optional(db.pool())
            .await
            .or_failed("find a channel")?;
    Ok(found.map(|(tenant, link, provider, secret_sha256)| Told {
        tenant: TenantId::from_uuid(tenant),
        link: CalendarLinkId::from_uuid(link),
        provider,
        secret_sha256,
    }))
}

/// Has a calendar read that changed: within moments, but not again and again, and not where it was left alone.
///
/// # Errors
/// When the database fails.
pub async fn changed(db: &Db, tenant: TenantId, link: CalendarLinkId) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query(
        "update calendar_link set next_pull_at = least(next_pull_at,
             greatest(clock_timestamp(), read_at + make_interval(secs => $3)))
         where tenant_id = $1 and id = $2 and not is_refused",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(PING_EVERY_S)
    .execute(&mut *tx)
    .await
    .or_failed("have a calendar read that changed")?;
    commit(tx, "have a calendar read that changed").await
}
