//! The ledger of what is done outside.
//!
//! A row says that something is about to be done, and is on disk before anybody outside hears of it. When the work is
//! taken up again and the row still says so, nobody knows whether it was done: then it is not done again.

use chrono::{DateTime, Utc};
use jobs::{ContactPointId, JobId, MessageId, TenantId};
use sqlx::{FromRow, PgConnection};

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    parties,
};

/// What stands before something is done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It may be done: this is the number of the try.
    Go(i16),
    /// Try `number` was begun by somebody who has gone, and nobody wrote down how it ended.
    Broken {
        /// The number of the try.
        number: i16,
        /// When it was begun.
        begun_at: DateTime<Utc>,
    },
    /// There is nothing to do: the state of the message.
    Already(String),
    /// The tenant has no such message.
    NoMessage,
}

/// How something that was done outside ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was done; what the provider calls it.
    Done(Option<String>),
    /// It was not done, and may be tried again.
    Refused(String),
    /// It was not done, and will never be.
    Failed(String),
    /// The same, for there is nobody at this address.
    Nobody(String, ContactPointId),
    /// The same, for whoever is there told the provider that they want nothing more.
    Stopped(String, ContactPointId),
    /// Nobody knows.
    Unknown(String),
}

/// A message, and its last try.
#[derive(FromRow)]
struct Before {
    state: String,
    tried: Option<i16>,
    tried_state: Option<String>,
    begun_at: Option<DateTime<Utc>>,
}

/// Writes down that the message is about to be sent; on disk when this returns.
///
/// # Errors
/// When the database fails.
pub async fn begin(
    db: &Db,
    tenant: TenantId,
    message: MessageId,
    job: JobId,
    provider: &str,
) -> Result<Begun, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let found: Option<Before> = sqlx::query_as(
        "select m.state, e.try as tried, e.state as tried_state, e.begun_at from message m
         left join lateral (
             select try, state, begun_at from effect where tenant_id = $1 and key = $3 order by try desc limit 1) e on true
         where m.tenant_id = $1 and m.id = $2 for update of m",
    )
    .bind(tenant.as_uuid())
    .bind(message.as_uuid())
    .bind(message.to_string())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("look at a message")?;
    let Some(Before { state, tried, tried_state, begun_at }) = found else { return Ok(Begun::NoMessage) };
    if !matches!(state.as_str(), "planned" | "sending") {
        return Ok(Begun::Already(state));
    }
    if let (Some("begun"), Some(number), Some(begun_at)) = (tried_state.as_deref(), tried, begun_at) {
        return Ok(Begun::Broken { number, begun_at });
    }
    let number = tried.unwrap_or(0) + 1;
    sqlx::query(
        "insert into effect (tenant_id, key, try, message_id, job_id, state, provider) values ($1, $2, $3, $4, $5, 'begun', $6)",
    )
    .bind(tenant.as_uuid())
    .bind(message.to_string())
    .bind(number)
    .bind(message.as_uuid())
    .bind(job.as_uuid())
    .bind(provider)
    .execute(&mut *tx)
    .await
    .or_failed("note what is about to be done")?;
    sqlx::query("update message set state = 'sending' where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(message.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("note that a message is being sent")?;
    commit(tx, "note what is about to be done").await?;
    Ok(Begun::Go(number))
}

/// Writes down how try `number` ended. What comes late is still true: it counts unless a person has said otherwise.
///
/// # Errors
/// When the database fails.
pub async fn end(
    db: &Db,
    tenant: TenantId,
    message: MessageId,
    number: i16,
    ended: &Ended,
) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    write(&mut tx, tenant, message, number, ended).await?;
    commit(tx, "note what was done").await
}

pub(super) async fn write(
    tx: &mut PgConnection,
    tenant: TenantId,
    message: MessageId,
    number: i16,
    ended: &Ended,
) -> Result<(), StoreError> {
    let (effect, state, provider_id, detail) = match ended {
        Ended::Done(id) => ("done", "sent", id.as_deref(), None),
        Ended::Refused(why) => ("failed", "planned", None, Some(why)),
        Ended::Failed(why) | Ended::Nobody(why, _) | Ended::Stopped(why, _) => {
            ("failed", "failed", None, Some(why))
        }
        Ended::Unknown(why) => ("unknown", "unknown", None, Some(why)),
    };
    let counted = sqlx::query(
        "update effect set state = $4, provider_id = coalesce($5, provider_id), detail = $6, ended_at = clock_timestamp()
         where tenant_id = $1 and key = $2 and try = $3 and state in ('begun', 'unknown') and resolved_by is null",
    )
    .bind(tenant.as_uuid())
    .bind(message.to_string())
    .bind(number)
    .bind(effect)
    .bind(provider_id)
    .bind(detail)
    .execute(&mut *tx)
    .await
    .or_failed("note what was done")?;
    if counted.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query(
        "update message set state = $3, provider_id = coalesce($4, provider_id), detail = $5,
             sent_at = case when $3 = 'sent' then clock_timestamp() else sent_at end
         where tenant_id = $1 and id = $2 and state in ('planned', 'sending', 'unknown')",
    )
    .bind(tenant.as_uuid())
    .bind(message.as_uuid())
    .bind(state)
    .bind(provider_id)
    .bind(detail)
    .execute(&mut *tx)
    .await
    .or_failed("note what became of a message")?;
    match ended {
        Ended::Nobody(_, contact) => {
            parties::suppress(tx, tenant, *contact, "hard_bounce", "the provider").await
        }
        Ended::Stopped(_, contact) => {
            parties::suppress_once(tx, tenant, *contact, "stop", "the provider").await
        }
        Ended::Done(_) | Ended::Refused(_) | Ended::Failed(_) | Ended::Unknown(_) => Ok(()),
    }
}

/// Those of `names` that `provider` gave to messages of any tenant's. For workers.
///
/// # Errors
/// When the database fails.
pub async fn attributed(db: &Db, provider: &str, names: &[String]) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar(
        "select distinct provider_id from effect where provider = $1 and provider_id = any ($2)",
    )
    .bind(provider)
    .bind(names)
    .fetch_all(db.pool())
    .await
    .or_failed("see which messages are known")
}

/// Whether what `provider` lists for the address of `message`, whose try began at `begun_at`, may be another message: one of
/// which nobody knows yet what became of it, and which began before, or less than `lasts_s` seconds ago. Those that began at
/// once are asked about one after the other, so that none is taken for another. For workers.
///
/// # Errors
/// When the database fails.
pub async fn is_disputed(
    db: &Db,
    provider: &str,
    message: MessageId,
    begun_at: DateTime<Utc>,
    lasts_s: u32,
) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "select exists (
             select from message m join effect e on e.message_id = m.id join contact_point c on c.id = m.contact_point_id
             where m.state = 'sending' and m.id <> $1 and e.state = 'begun' and e.provider = $2
                 and c.address = (select c.address from message m join contact_point c on c.id = m.contact_point_id where m.id = $1)
                 and ((e.begun_at, m.id) < ($3, $1) or e.begun_at > clock_timestamp() - make_interval(secs => $4)))",
    )
    .bind(message.as_uuid())
    .bind(provider)
    .bind(begun_at)
    .bind(f64::from(lasts_s))
    .fetch_one(db.pool())
    .await
    .or_failed("see which messages are being sent to an address")
}

/// Drops a message that waits: it is not wanted any more.
///
/// # Errors
/// When the database fails.
pub async fn drop_message(
    db: &Db,
    tenant: TenantId,
    message: MessageId,
    why: &str,
) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query(
        "update message set state = 'dropped', detail = $3 where tenant_id = $1 and id = $2 and state = 'planned'",
    )
    .bind(tenant.as_uuid())
    .bind(message.as_uuid())
    .bind(why)
    .execute(&mut *tx)
    .await
    .or_failed("drop a message")?;
    commit(tx, "drop a message").await
}
