//! Inboxes: lines that come, and lines that are read. Whoever follows an inbox is told to look.

use chrono::{DateTime, Utc};
use jobs::{MessageId, PartyId, TenantId};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::{COLUMNS, Message};
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// Unread lines are counted up to here.
const UNREAD_COUNTED_MAX: i64 = 10_000;

/// How many lines of the inbox of `party` are unread, at most 10,000.
///
/// # Errors
/// When the database fails.
pub async fn unread(db: &Db, tenant: TenantId, party: PartyId) -> Result<i64, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_scalar(
        "select count(*) from (
             select from message where tenant_id = $1 and party_id = $2 and channel = 'in_app' and state = 'sent' limit $3
         ) unread",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .bind(UNREAD_COUNTED_MAX)
    .fetch_one(&mut *tx)
    .await
    .or_failed("count what is unread")
}

/// The lines that came into the inbox of `party` since `since`, in the order in which they came, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn lines_since(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    since: DateTime<Utc>,
    max: i64,
) -> Result<Vec<Message>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from message
         where tenant_id = $1 and party_id = $2 and channel = 'in_app' and sent_at >= $3
         order by sent_at, id limit $4"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(party.as_uuid())
        .bind(since)
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("read what came into an inbox")
}

/// Notes that a message was read. False when this tenant has no such message, or it was never sent.
///
/// # Errors
/// When the database fails.
pub async fn mark_read(db: &Db, tenant: TenantId, id: MessageId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let read: Option<Uuid> = sqlx::query_scalar(
        "update message set read_at = coalesce(read_at, clock_timestamp()),
             state = case when state in ('bounced', 'complained') then state else 'read' end
         where tenant_id = $1 and id = $2 and state in ('sent', 'delivered', 'read', 'unknown', 'bounced', 'complained')
         returning party_id",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("note that a message was read")?;
    tell(&mut tx, read).await?;
    commit(tx, "note that a message was read").await?;
    Ok(read.is_some())
}

/// Puts a line into its inbox: nothing outside is asked, so this is all of it. Part of the transaction that settles the job.
///
/// # Errors
/// When the database fails.
pub async fn deliver_line(
    tx: &mut PgConnection,
    tenant: TenantId,
    message: MessageId,
) -> Result<(), StoreError> {
    let delivered: Option<Uuid> = sqlx::query_scalar(
        "update message set state = 'sent', sent_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and state = 'planned' returning party_id",
    )
    .bind(tenant.as_uuid())
    .bind(message.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("put a line into an inbox")?;
    tell(tx, delivered).await
}

/// Tells those who follow the inbox of `party` to look.
async fn tell(tx: &mut PgConnection, party: Option<Uuid>) -> Result<(), StoreError> {
    let Some(party) = party else { return Ok(()) };
    sqlx::query("select pg_notify('crewline_moved', $1)")
        .bind(PartyId::from_uuid(party).to_string())
        .execute(tx)
        .await
        .or_failed("announce that an inbox changed")?;
    Ok(())
}
