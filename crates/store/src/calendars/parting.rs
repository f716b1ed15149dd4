//! Channels of calendars that were removed here: their providers are told to stop, and not for ever.

use jobs::{CalendarLinkId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use super::watching::Channel;
use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
};

/// How often a provider is told to stop; after that its channel is left to end by itself.
const TRIES_MAX: i32 = 8;

/// What is left of a link that was removed.
#[derive(Debug, Clone)]
pub struct Farewell {
    /// `google`, `microsoft` or `cronofy`.
    pub provider: String,
    /// What opens its calendar.
    pub access: String,
    /// Where its changes are still told of.
    pub channels: Vec<Channel>,
}

/// The same as its row holds it, the access sealed.
#[derive(FromRow)]
struct Kept {
    provider: String,
    access: Vec<u8>,
    channels: Vec<Uuid>,
    remotes: Vec<String>,
}

/// What is left of a link that was removed; none when nothing is.
///
/// # Errors
/// When the database fails, or this process cannot open the access.
pub async fn farewell(
    db: &Db,
    tenant: TenantId,
    link: CalendarLinkId,
) -> Result<Option<Farewell>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let found: Option<Kept> = sqlx::query_as(
        "select provider, access, channels, remotes from calendar_farewell where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("see what is left of a calendar that was removed")?;
    let Some(kept) = found else { return Ok(None) };
    let access = db.open_secret(&link.to_string(), &kept.access)?;
    let channels =
        kept.channels.into_iter().zip(kept.remotes).map(|(id, remote)| Channel::of(id, remote)).collect();
    Ok(Some(Farewell { provider: kept.provider, access, channels }))
}

/// Keeps what opens the calendar of a link that was removed from now on: some take the old one back.
///
/// # Errors
/// When the database fails, or the access cannot be sealed.
pub async fn keep_farewell(
    db: &Db,
    tenant: TenantId,
    link: CalendarLinkId,
    access: &str,
) -> Result<(), StoreError> {
    let sealed = db.seal_secret(&link.to_string(), access)?;
    let mut tx = db.tenant(tenant).await?;
    sqlx::query("update calendar_farewell set access = $3 where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(link.as_uuid())
        .bind(sealed)
        .execute(&mut *tx)
        .await
        .or_failed("keep a token")?;
    commit(tx, "keep a token").await
}

/// Forgets what was left of a link: its channels have ended.
///
/// # Errors
/// When the database fails.
pub async fn parted(db: &Db, tenant: TenantId, link: CalendarLinkId) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query("delete from calendar_farewell where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(link.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("forget a calendar that was removed")?;
    commit(tx, "forget a calendar that was removed").await
}

/// Takes links that were removed and whose providers still tell of them, at most `max`; those who were told often enough are
/// forgotten.
pub(super) async fn due(
    tx: &mut Tx,
    max: i64,
    again_hours: i32,
) -> Result<Vec<(Uuid, CalendarLinkId)>, StoreError> {
    let due: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "with forgotten as (
             delete from calendar_farewell where next_at <= clock_timestamp() and tries >= $2
         ), due as (
             select id from calendar_farewell where next_at <= clock_timestamp() and tries < $2 order by next_at limit $1
             for no key update skip locked
         )
         update calendar_farewell f set tries = f.tries + 1, next_at = clock_timestamp() + make_interval(hours => $3)
         from due where f.id = due.id returning f.tenant_id, f.id",
    )
    .bind(max)
    .bind(TRIES_MAX)
    .bind(again_hours)
    .fetch_all(&mut **tx)
    .await
    .or_failed("take calendars that were removed")?;
    Ok(due.into_iter().map(|(tenant, link)| (tenant, CalendarLinkId::from_uuid(link))).collect())
}
