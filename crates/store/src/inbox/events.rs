//! What others told us, and which jobs it became.

use chrono::{DateTime, NaiveDate, Utc};
use jobs::{JobId, TenantId, WebhookEventId, WebhookRuleId, WebhookSourceId};
use serde_json::Value;
use sqlx::{AssertSqlSafe, FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
    sealing::Place,
};

/// Events forgotten at once.
const PRUNE_MAX: i64 = 5_000;

/// A webhook that came in.
#[derive(Debug, Clone, FromRow)]
pub struct Event {
    id: Uuid,
    source_id: Uuid,
    /// As the sender names it.
    pub event_id: String,
    /// What happened.
    pub event_type: String,
    /// What everything that it becomes shares with others about the same thing.
    pub object_key: Option<String>,
    /// Where it stands among those about the same thing, as a decimal number.
    pub sequence: Option<String>,
    /// `received`, `processed`, `parked` or `superseded`.
    pub state: String,
    /// Why it became nothing.
    pub reason: Option<String>,
    /// Its headers, without those that prove who sent it.
    pub headers: Json<Value>,
    /// How long it is.
    pub body_bytes: i32,
    /// How often somebody had it looked at again.
    pub replays: i16,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// When it was looked at last.
    pub processed_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str =
    "id, source_id, event_id, event_type, object_key, sequence::text as sequence, state, reason, headers,
    octet_length(body) as body_bytes, replays, received_at, processed_at";

impl Event {
    /// Which it is.
    pub fn id(&self) -> WebhookEventId {
        WebhookEventId::from_uuid(self.id)
    }

    /// Who sent it.
    pub fn source(&self) -> WebhookSourceId {
        WebhookSourceId::from_uuid(self.source_id)
    }
}

/// Which events are meant. What is none is not looked at.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<String>,
    /// Of exactly this type.
    pub event_type: Option<String>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

/// The condition of a [`Filter`], whose parts are bound as the parameters 3 to 6.
pub(super) const FITS: &str = "tenant_id = $1 and source_id = $2 and ($3::text is null or state = $3)
    and ($4::text is null or event_type = $4) and ($5::timestamptz is null or received_at >= $5)
    and ($6::timestamptz is null or received_at < $6)";

/// Events of `source` that fit, newest first, before `before`, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn events(
    db: &Db,
    tenant: TenantId,
    source: WebhookSourceId,
    filter: &Filter,
    before: Option<WebhookEventId>,
    max: i64,
) -> Result<Vec<Event>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from webhook_event where {FITS} and ($7::uuid is null or id < $7) order by id desc limit $8"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(source.as_uuid())
        .bind(&filter.state)
        .bind(&filter.event_type)
        .bind(filter.since)
        .bind(filter.until)
        .bind(before.map(|before| before.as_uuid()))
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list webhooks that came in")
}

/// The event of `source` with this id, and its body.
///
/// # Errors
/// When the database fails, or this process cannot open the body.
pub async fn event(
    db: &Db,
    tenant: TenantId,
    source: WebhookSourceId,
    id: WebhookEventId,
) -> Result<Option<(Event, Vec<u8>)>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS}, body, body_under from webhook_event where tenant_id = $1 and source_id = $2 and id = $3"
    );
    let row: Option<WithBody> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(source.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read a webhook that came in")?;
    drop(tx);
    match row {
        None => Ok(None),
        Some(row) => row.open(db, tenant).await.map(Some),
    }
}

/// An event with its body as the row holds it.
#[derive(FromRow)]
pub(super) struct WithBody {
    #[sqlx(flatten)]
    event: Event,
    body: Vec<u8>,
    body_under: Option<i32>,
}

impl WithBody {
    pub(super) async fn open(self, db: &Db, tenant: TenantId) -> Result<(Event, Vec<u8>), StoreError> {
        let place = Place::of_webhook(self.event.id());
        let body = match self.body_under {
            None => self.body,
            Some(under) => db.open_bytes(tenant, &place, under, self.body).await?,
        };
        Ok((self.event, body))
    }
}

/// The event that a job looks at, whichever its source. For workers.
pub(super) async fn any(
    db: &Db,
    tenant: TenantId,
    id: WebhookEventId,
) -> Result<Option<WithBody>, StoreError> {
    let sql =
        format!("select {COLUMNS}, body, body_under from webhook_event where tenant_id = $1 and id = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(db.pool())
        .await
        .or_failed("read a webhook that came in")
}

/// A job that an event became.
#[derive(Debug, Clone, FromRow)]
pub struct EventJob {
    job_id: Uuid,
    rule_id: Uuid,
    /// Which time the event was looked at: 0 is the first.
    pub replay: i16,
}

impl EventJob {
    /// Which it is.
    pub fn job(&self) -> JobId {
        JobId::from_uuid(self.job_id)
    }

    /// By which rule.
    pub fn rule(&self) -> WebhookRuleId {
        WebhookRuleId::from_uuid(self.rule_id)
    }
}

/// The jobs that `event` became, in the order in which it was looked at, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn jobs_of(
    db: &Db,
    tenant: TenantId,
    event: WebhookEventId,
    max: i64,
) -> Result<Vec<EventJob>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select job_id, rule_id, replay from webhook_event_job where tenant_id = $1 and event_id = $2
         order by replay, rule_id limit $3",
    )
    .bind(tenant.as_uuid())
    .bind(event.as_uuid())
    .bind(max)
    .fetch_all(&mut *tx)
    .await
    .or_failed("list the jobs of a webhook")
}

/// Forgets events from before `keep_from`, up to 5,000; answers how many. For workers.
///
/// # Errors
/// When the database fails.
pub async fn prune(db: &Db, keep_from: NaiveDate) -> Result<u64, StoreError> {
    let forgotten = sqlx::query(
        "delete from webhook_event where id = any (array(
             select id from webhook_event where received_at < $1 order by received_at limit $2))",
    )
    .bind(keep_from)
    .bind(PRUNE_MAX)
    .execute(db.pool())
    .await
    .or_failed("forget old webhooks")?;
    Ok(forgotten.rows_affected())
}
