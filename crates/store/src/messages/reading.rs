//! Reading messages.

use chrono::{DateTime, Utc};
use jobs::{JobId, MessageId, PartyId, TenantId};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::{COLUMNS, Message};
use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// The message of `tenant` with this id.
///
/// # Errors
/// When the database fails.
pub async fn message(db: &Db, tenant: TenantId, id: MessageId) -> Result<Option<Message>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from message where tenant_id = $1 and id = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read a message")
}

/// Which messages are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state. `unknown` are also those whose job is gone while they were being sent.
    pub state: Option<String>,
    /// To this party.
    pub party: Option<PartyId>,
    /// By this channel.
    pub channel: Option<String>,
    /// Before this one.
    pub before: Option<Uuid>,
}

/// The messages that fit, newest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, tenant: TenantId, filter: &Filter, max: i64) -> Result<Vec<Message>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from message m
         where tenant_id = $1 and ($2::uuid is null or id < $2) and ($3::uuid is null or party_id = $3)
             and ($4::text is null or channel = $4)
             and ($5::text is null or state = $5 or ($5 = 'unknown' and state = 'sending' and {ORPHANED}))
         order by id desc limit $6"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(filter.before)
        .bind(filter.party.map(|party| party.as_uuid()))
        .bind(&filter.channel)
        .bind(&filter.state)
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list messages")
}

/// Whether nobody is left who would say what became of `m`: the job that sent it was given up.
pub(super) const ORPHANED: &str = "not exists (
    select from effect e join job j on j.tenant_id = e.tenant_id and j.id = e.job_id
    where e.tenant_id = m.tenant_id and e.message_id = m.id and e.state = 'begun')";

/// Whether somebody has read any message of this request.
///
/// # Errors
/// When the database fails.
pub async fn is_read(db: &Db, tenant: TenantId, request: JobId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_scalar(
        "select exists (select from message where tenant_id = $1 and request_id = $2 and read_at is not null)",
    )
    .bind(tenant.as_uuid())
    .bind(request.as_uuid())
    .fetch_one(&mut *tx)
    .await
    .or_failed("see whether somebody has read it")
}

/// Something done outside.
#[derive(Debug, Clone, FromRow)]
pub struct Effect {
    /// From 1.
    #[sqlx(rename = "try")]
    pub number: i16,
    /// `begun`, `done`, `failed` or `unknown`.
    pub state: String,
    /// Who was asked.
    pub provider: String,
    /// What they call it.
    pub provider_id: Option<String>,
    /// What went wrong.
    pub detail: Option<String>,
    /// When it was written down, before they were asked.
    pub begun_at: DateTime<Utc>,
    /// When its end was.
    pub ended_at: Option<DateTime<Utc>>,
    /// The key of whoever said what had become of it.
    pub resolved_by: Option<String>,
}

/// What was done outside for a message, in order.
///
/// # Errors
/// When the database fails.
pub async fn effects(db: &Db, tenant: TenantId, id: MessageId) -> Result<Vec<Effect>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select try, state, provider, provider_id, detail, begun_at, ended_at, resolved_by from effect
         where tenant_id = $1 and message_id = $2 order by try",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("read what was done for a message")
}
