//! Who sends us webhooks.

use chrono::{DateTime, Utc};
use jobs::{Channel, TenantId, WebhookSourceId};
use serde_json::Value;
use sqlx::{AssertSqlSafe, FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
    limits::{self, Limit},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
    webhook_secrets::Pair,
};

/// Somebody who sends us webhooks.
#[derive(Debug, Clone, FromRow)]
pub struct Source {
    id: Uuid,
    /// Unique among a tenant's sources.
    pub name: String,
    /// How it signs.
    pub scheme: Json<Value>,
    /// How old a message may be, in seconds.
    pub window_s: i32,
    /// Where in a body the thing stands that a message is about.
    pub order_pointer: Option<String>,
    /// Where what grows with each event about that thing stands.
    pub sequence_pointer: Option<String>,
    /// The channel whose provider it is.
    pub feedback: Option<String>,
    /// The topic of Amazon SNS that is believed.
    pub feedback_topic: Option<String>,
    secret: Option<Vec<u8>>,
    previous: Option<Vec<u8>>,
    /// Until when the secret of before holds too.
    pub previous_until: Option<DateTime<Utc>>,
    /// Since when nothing is taken from it.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Messages that were not believed and written down.
    pub refusals: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, name, scheme, window_s, order_pointer, sequence_pointer, feedback, feedback_topic, secret, previous, previous_until, disabled_at, refusals, created_at";

impl Source {
    /// Which it is.
    pub fn id(&self) -> WebhookSourceId {
        WebhookSourceId::from_uuid(self.id)
    }
}

/// A source that is about to be.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// Which it will be.
    pub id: WebhookSourceId,
    /// Unique among a tenant's sources.
    pub name: String,
    /// How it signs.
    pub scheme: Value,
    /// How old a message may be, in seconds.
    pub window_s: u32,
    /// Where in a body the thing stands that a message is about.
    pub order_pointer: Option<String>,
    /// Where what grows with each event about that thing stands.
    pub sequence_pointer: Option<String>,
    /// The channel whose provider it is.
    pub feedback: Option<Channel>,
    /// The topic of Amazon SNS that is believed.
    pub feedback_topic: Option<String>,
    /// What it signs with, as the sender shows it.
    pub secret: Option<String>,
    /// Who made it.
    pub by: String,
}

/// What became of the wish for a new source.
#[derive(Debug, Clone)]
pub enum Created {
    /// It is there; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
    /// The tenant has another source of this name.
    NameTaken,
    /// The tenant has as many as it may.
    TooMany,
}

/// Makes a source for `tenant`, unless it has `sources_max` already.
///
/// # Errors
/// When the database fails, or the secret cannot be sealed.
pub async fn create(
    db: &Db,
    tenant: TenantId,
    new: &NewSource,
    sources_max: i64,
    key: Option<&Idempotency>,
    answer: impl FnOnce(&Source) -> Answer,
) -> Result<Created, StoreError> {
    let owner = new.id.to_string();
    let secret = new.secret.as_deref().map(|secret| db.seal_secret(&owner, secret)).transpose()?;
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Created::Replayed(answer)),
        Taken::ForAnother => return Ok(Created::Mismatch),
    }
    let count: i64 = sqlx::query_scalar("select count(*) from webhook_source where tenant_id = $1")
        .bind(tenant.as_uuid())
        .fetch_one(&mut *tx)
        .await
        .or_failed("count webhook sources")?;
    if count >= sources_max {
        return Ok(Created::TooMany);
    }
    let Some(made) = insert(&mut tx, tenant, new, secret).await? else { return Ok(Created::NameTaken) };
    if new.order_pointer.is_some() {
        limits::upsert(&mut *tx, Some(tenant), &one_at_a_time(new.id), &new.by).await?;
    }
    let answer = answer(&made);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "make a webhook source").await?;
    Ok(Created::New(answer))
}

async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    new: &NewSource,
    secret: Option<Vec<u8>>,
) -> Result<Option<Source>, StoreError> {
    let sql = format!(
        "insert into webhook_source (id, tenant_id, name, scheme, window_s, order_pointer, secret, created_by,
             feedback, feedback_topic, sequence_pointer)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (tenant_id, name) do nothing returning {COLUMNS}"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(new.id.as_uuid())
        .bind(tenant.as_uuid())
        .bind(&new.name)
        .bind(Json(&new.scheme))
        .bind(new.window_s as i32)
        .bind(&new.order_pointer)
        .bind(secret)
        .bind(&new.by)
        .bind(new.feedback.map(Channel::name))
        .bind(&new.feedback_topic)
        .bind(&new.sequence_pointer)
        .fetch_optional(&mut **tx)
        .await
        .or_failed("make a webhook source")
}

/// Everything about one thing goes one at a time.
fn one_at_a_time(source: WebhookSourceId) -> Limit {
    Limit {
        name: limit_name(source),
        queue: None,
        kind: None,
        key: Some(super::concurrency_key(source, "*")),
        concurrency: Some(1),
        rate: None,
    }
}

fn limit_name(source: WebhookSourceId) -> String {
    format!("hook.{source}")
}

/// Whose the source is that a URL names; none when there is none such.
///
/// # Errors
/// When the database fails.
pub async fn source_of(db: &Db, source: WebhookSourceId) -> Result<Option<TenantId>, StoreError> {
    let tenant: Option<Uuid> = sqlx::query_scalar("select find_webhook_source($1)")
        .bind(source.as_uuid())
        .fetch_one(db.pool())
        .await
        .or_failed("look up a webhook source")?;
    Ok(tenant.map(TenantId::from_uuid))
}

/// The source of `tenant` with this id.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &Db, tenant: TenantId, source: WebhookSourceId) -> Result<Option<Source>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from webhook_source where tenant_id = $1 and id = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(source.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read a webhook source")
}

/// The sources of `tenant`, oldest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, tenant: TenantId, max: i64) -> Result<Vec<Source>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from webhook_source where tenant_id = $1 order by id limit $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list webhook sources")
}

/// The secrets of `source` that hold at `now`, opened: the present one first.
///
/// # Errors
/// When this process cannot open them.
pub fn secrets(db: &Db, source: &Source, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    let pair = Pair {
        present: source.secret.as_deref(),
        previous: source.previous.as_deref(),
        previous_until: source.previous_until,
    };
    pair.open(db, &source.id().to_string(), now)
}

/// Gives `source` another secret; the one of before holds for `overlap_s` more seconds. None when this tenant has no such
/// source.
///
/// # Errors
/// When the database fails, or the secret cannot be sealed.
pub async fn rotate(
    db: &Db,
    tenant: TenantId,
    source: WebhookSourceId,
    secret: &str,
    overlap_s: u32,
) -> Result<Option<Source>, StoreError> {
    let secret = db.seal_secret(&source.to_string(), secret)?;
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "update webhook_source set previous = secret,
             previous_until = case when secret is not null then clock_timestamp() + make_interval(secs => $4) end,
             secret = $3
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    let changed = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(source.as_uuid())
        .bind(secret)
        .bind(f64::from(overlap_s))
        .fetch_optional(&mut *tx)
        .await
        .or_failed("change the secret of a webhook source")?;
    commit(tx, "change the secret of a webhook source").await?;
    Ok(changed)
}

/// Takes messages of `source` again, or no more. None when this tenant has no such source.
///
/// # Errors
/// When the database fails.
pub async fn enable(
    db: &Db,
    tenant: TenantId,
    source: WebhookSourceId,
    enabled: bool,
) -> Result<Option<Source>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "update webhook_source set disabled_at = case when not $3 then coalesce(disabled_at, clock_timestamp()) end
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    let changed = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(source.as_uuid())
        .bind(enabled)
        .fetch_optional(&mut *tx)
        .await
        .or_failed("switch a webhook source")?;
    commit(tx, "switch a webhook source").await?;
    Ok(changed)
}

/// Removes `source` with everything it sent; false when this tenant has no such source. Jobs that it became go on.
///
/// # Errors
/// When the database fails.
pub async fn remove(db: &Db, tenant: TenantId, source: WebhookSourceId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from webhook_source where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(source.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("remove a webhook source")?;
    sqlx::query("delete from limit_rule where tenant_id = $1 and name = $2")
        .bind(tenant.as_uuid())
        .bind(limit_name(source))
        .execute(&mut *tx)
        .await
        .or_failed("remove the limit of a webhook source")?;
    commit(tx, "remove a webhook source").await?;
    Ok(removed.rows_affected() == 1)
}
