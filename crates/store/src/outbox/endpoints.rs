//! Who wants to be told what happens.

use chrono::{DateTime, Utc};
use jobs::{TenantId, WebhookEndpointId, kinds::webhook_deliver::WebhookDeliver};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
    limits::{self, Limit},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
    webhook_secrets::Pair,
};

/// Somebody who wants to be told.
#[derive(Debug, Clone, FromRow)]
pub struct Endpoint {
    id: Uuid,
    /// Where.
    pub url: String,
    /// Of what: patterns of types.
    pub event_types: Vec<String>,
    secret: Vec<u8>,
    previous: Option<Vec<u8>>,
    /// Until when messages are signed with the key of before too.
    pub previous_until: Option<DateTime<Utc>>,
    /// Since when it is told nothing.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Why not.
    pub disabled_reason: Option<String>,
    /// Since when nothing has got through to it.
    pub failing_since: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

pub(super) const COLUMNS: &str = "id, url, event_types, secret, previous, previous_until, disabled_at,
    disabled_reason, failing_since, created_at";

impl Endpoint {
    /// Which it is.
    pub fn id(&self) -> WebhookEndpointId {
        WebhookEndpointId::from_uuid(self.id)
    }
}

/// An endpoint that is about to be.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// Which it will be.
    pub id: WebhookEndpointId,
    /// Where.
    pub url: String,
    /// Of what.
    pub event_types: Vec<String>,
    /// What messages are signed with.
    pub key: String,
    /// Messages on their way to it at once.
    pub concurrency: u32,
    /// Who made it.
    pub by: String,
}

/// What became of the wish for a new endpoint.
#[derive(Debug, Clone)]
pub enum Created {
    /// It is there; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
    /// The tenant has as many as it may.
    TooMany,
}

/// Makes an endpoint for `tenant`, unless it has `endpoints_max` already.
///
/// # Errors
/// When the database fails, or the key cannot be sealed.
pub async fn create(
    db: &Db,
    tenant: TenantId,
    new: &NewEndpoint,
    endpoints_max: i64,
    key: Option<&Idempotency>,
    answer: impl FnOnce(&Endpoint) -> Answer,
) -> Result<Created, StoreError> {
    let sealed = db.seal_secret(&new.id.to_string(), &new.key)?;
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Created::Replayed(answer)),
        Taken::ForAnother => return Ok(Created::Mismatch),
    }
    let count: i64 = sqlx::query_scalar("select count(*) from webhook_endpoint where tenant_id = $1")
        .bind(tenant.as_uuid())
        .fetch_one(&mut *tx)
        .await
        .or_failed("count webhook endpoints")?;
    if count >= endpoints_max {
        return Ok(Created::TooMany);
    }
    let made = insert(&mut tx, tenant, new, sealed).await?;
    limits::upsert(&mut *tx, Some(tenant), &at_once(new.id, new.concurrency), &new.by).await?;
    let answer = answer(&made);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "make a webhook endpoint").await?;
    Ok(Created::New(answer))
}

async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    new: &NewEndpoint,
    sealed: Vec<u8>,
) -> Result<Endpoint, StoreError> {
    let sql = format!(
        "insert into webhook_endpoint (id, tenant_id, url, event_types, secret, created_by)
         values ($1, $2, $3, $4, $5, $6) returning {COLUMNS}"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(new.id.as_uuid())
        .bind(tenant.as_uuid())
        .bind(&new.url)
        .bind(&new.event_types)
        .bind(sealed)
        .bind(&new.by)
        .fetch_one(&mut **tx)
        .await
        .or_failed("make a webhook endpoint")
}

fn at_once(endpoint: WebhookEndpointId, concurrency: u32) -> Limit {
    Limit {
        name: limit_name(endpoint),
        queue: None,
        kind: None,
        key: Some(WebhookDeliver::key_of(endpoint)),
        concurrency: Some(concurrency),
        rate: None,
    }
}

fn limit_name(endpoint: WebhookEndpointId) -> String {
    format!("endpoint.{endpoint}")
}

/// The endpoint of `tenant` with this id.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &Db, tenant: TenantId, id: WebhookEndpointId) -> Result<Option<Endpoint>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from webhook_endpoint where tenant_id = $1 and id = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read a webhook endpoint")
}

/// The endpoints of `tenant`, oldest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, tenant: TenantId, max: i64) -> Result<Vec<Endpoint>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from webhook_endpoint where tenant_id = $1 order by id limit $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list webhook endpoints")
}

/// What messages to `endpoint` are signed with at `now`, opened: the present key first.
///
/// # Errors
/// When this process cannot open them.
pub fn keys(db: &Db, endpoint: &Endpoint, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    let pair = Pair {
        present: Some(&endpoint.secret),
        previous: endpoint.previous.as_deref(),
        previous_until: endpoint.previous_until,
    };
    pair.open(db, &endpoint.id().to_string(), now)
}

/// Signs with another key from now on, and with the one of before for `overlap_s` more seconds. None when this tenant has no
/// such endpoint.
///
/// # Errors
/// When the database fails, or the key cannot be sealed.
pub async fn rotate(
    db: &Db,
    tenant: TenantId,
    id: WebhookEndpointId,
    key: &str,
    overlap_s: u32,
) -> Result<Option<Endpoint>, StoreError> {
    let sealed = db.seal_secret(&id.to_string(), key)?;
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "update webhook_endpoint set previous = secret,
             previous_until = clock_timestamp() + make_interval(secs => $4), secret = $3
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    let changed = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .bind(sealed)
        .bind(f64::from(overlap_s))
        .fetch_optional(&mut *tx)
        .await
        .or_failed("change the key of a webhook endpoint")?;
    commit(tx, "change the key of a webhook endpoint").await?;
    Ok(changed)
}

/// Tells `id` what happens from now on; or nothing more, for `disabled`. None when this tenant has no such endpoint.
///
/// # Errors
/// When the database fails.
pub async fn enable(
    db: &Db,
    tenant: TenantId,
    id: WebhookEndpointId,
    disabled: Option<&str>,
) -> Result<Option<Endpoint>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "update webhook_endpoint set disabled_reason = $3, failing_since = null,
             disabled_at = case when $3::text is not null then coalesce(disabled_at, clock_timestamp()) end
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    let changed = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .bind(disabled)
        .fetch_optional(&mut *tx)
        .await
        .or_failed("switch a webhook endpoint")?;
    commit(tx, "switch a webhook endpoint").await?;
    Ok(changed)
}

/// Removes `id` with everything it was told; false when this tenant has no such endpoint.
///
/// # Errors
/// When the database fails.
pub async fn remove(db: &Db, tenant: TenantId, id: WebhookEndpointId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from webhook_endpoint where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("remove a webhook endpoint")?;
    sqlx::query("delete from limit_rule where tenant_id = $1 and name = $2")
        .bind(tenant.as_uuid())
        .bind(limit_name(id))
        .execute(&mut *tx)
        .await
        .or_failed("remove the limit of a webhook endpoint")?;
    commit(tx, "remove a webhook endpoint").await?;
    Ok(removed.rows_affected() == 1)
}
