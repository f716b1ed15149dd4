//! Tenants and keys over HTTP. Whoever asks is a key, and the functions of the database look up whether it may; where the
//! database is, [`crate::keys`] needs no key.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use jobs::{ApiKeyId, Queue, TenantId, UserId};
use serde_json::{Value, json};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::{
    audit,
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
    keys::NewKey,
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// A tenant.
#[derive(Debug, Clone, FromRow)]
pub struct Tenant {
    id: Uuid,
    /// Its short name.
    pub slug: String,
    /// Its long name.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// What it counts in queues, where that is not 1.
    pub weights: Json<BTreeMap<String, f32>>,
}

impl Tenant {
    /// Which it is.
    pub fn id(&self) -> TenantId {
        TenantId::from_uuid(self.id)
    }
}

/// Up to `most` tenants, newest first, as the key `by` may see them: all, or none.
pub async fn tenants(
    db: &Db,
    by: ApiKeyId,
    before: Option<Uuid>,
    most: i64,
) -> Result<Vec<Tenant>, StoreError> {
    sqlx::query_as(
        "select id, slug, name, created_at, weights from tenants_of_installation($1, null, $2, $3)",
    )
    .bind(by.as_uuid())
    .bind(before)
    .bind(most)
    .fetch_all(db.pool())
    .await
    .or_failed("list tenants")
}

/// The tenant with this short name, if the key `by` may see it.
pub async fn tenant(db: &Db, by: ApiKeyId, slug: &str) -> Result<Option<Tenant>, StoreError> {
    sqlx::query_as("select id, slug, name, created_at, weights from tenants_of_installation($1, $2, null, 1)")
        .bind(by.as_uuid())
        .bind(slug)
        .fetch_optional(db.pool())
        .await
        .or_failed("find a tenant")
}

/// Makes a tenant, or says something else of the one that has this short name: whether it is new; none when the key `by` may not.
/// Queues without a weight keep the one they have. Written down in the chain of the installation.
pub async fn put_tenant(
    db: &Db,
    by: ApiKeyId,
    slug: &str,
    name: &str,
    weights: &BTreeMap<Queue, f32>,
) -> Result<Option<bool>, StoreError> {
    let (queues, numbers): (Vec<&str>, Vec<f32>) =
        weights.iter().map(|(queue, weight)| (queue.name(), *weight)).unzip();
    let mut tx = db.begin().await?;
    let is_new: Option<bool> = sqlx::query_scalar("select put_tenant($1, $2, $3, $4, $5, $6)")
        .bind(by.as_uuid())
        .bind(TenantId::new().as_uuid())
        .bind(slug)
        .bind(name)
        .bind(queues)
        .bind(numbers)
        .fetch_one(&mut *tx)
        .await
        .or_failed("make a tenant")?;
    if let Some(is_new) = is_new {
        let action = if is_new { "tenant.create" } else { "tenant.change" };
        note(&mut tx, by, action, slug, &json!({ "name": name, "weights": weights })).await?;
        commit(tx, "make a tenant").await?;
    }
    Ok(is_new)
}

/// What a key did, as it is written down.
async fn note(
    tx: &mut Tx,
    by: ApiKeyId,
    action: &str,
    target: &str,
    after: &Value,
) -> Result<(), StoreError> {
    let said = json!({ "by": by, "action": action, "target": target, "after": after, "outcome": "done" });
    audit::note(tx, &said).await.map(drop)
}

/// A key: everything but its secret.
#[derive(Debug, Clone, FromRow)]
pub struct Key {
    id: Uuid,
    /// What is printed before the secret.
    pub prefix: String,
    /// For people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
    person_id: Option<Uuid>,
}

impl Key {
    /// Which it is.
    pub fn id(&self) -> ApiKeyId {
        ApiKeyId::from_uuid(self.id)
    }

    /// For whom it was made.
    pub fn person(&self) -> Option<UserId> {
        self.person_id.map(UserId::from_uuid)
    }
}

/// Up to `most` keys of `tenant`, newest first.
pub async fn keys(
    db: &Db,
    tenant: TenantId,
    before: Option<Uuid>,
    most: i64,
) -> Result<Vec<Key>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select id, prefix, name, scopes, created_at, last_used_at, revoked_at, person_id from api_key
         where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3",
    )
    .bind(tenant.as_uuid())
    .bind(before)
    .bind(most)
    .fetch_all(&mut *tx)
    .await
    .or_failed("list API keys")
}

/// What became of the wish for a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// It is made; this is the answer, as it is kept.
    New(Answer),
    /// The request was answered before: this is how.
    Replayed(Answer),
    /// The idempotency key was used for another request.
    Mismatch,
    /// The tenant has as many as it may.
    TooMany,
    /// Whoever asks may not.
    Refused,
}

/// Who asks for something, and under which idempotency key.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The tenant of the key that asks.
    pub tenant: TenantId,
    /// The key.
    pub by: ApiKeyId,
    /// So that asking again does nothing again.
    pub once: Option<&'a Idempotency>,
}

/// Makes a key of `tenant`, unless that has `most` valid ones. Written down in the tenant's chain.
pub async fn make_key(
    db: &Db,
    asking: Asking<'_>,
    tenant: TenantId,
    new: &NewKey<'_>,
    most: i64,
    answer: impl FnOnce(&Key) -> Answer,
) -> Result<Made, StoreError> {
    let mut tx = db.tenant(asking.tenant).await?;
    match take_key(db, &mut tx, asking.tenant, asking.once).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Made::Replayed(answer)),
        Taken::ForAnother => return Ok(Made::Mismatch),
    }
    act_for(&mut tx, tenant).await?;
    let made: Option<bool> = sqlx::query_scalar("select make_key($1, $2, $3, $4, $5, $6, $7)")
        .bind(asking.by.as_uuid())
        .bind(new.id.as_uuid())
        .bind(new.prefix)
        .bind(new.secret_sha256.as_slice())
        .bind(new.name)
        .bind(new.scopes)
        .bind(most)
        .fetch_one(&mut *tx)
        .await
        .or_failed("make an API key")?;
    match made {
        None => return Ok(Made::Refused),
        Some(false) => return Ok(Made::TooMany),
        Some(true) => {}
    }
    let key: Key = sqlx::query_as(
        "select id, prefix, name, scopes, created_at, last_used_at, revoked_at, person_id from api_key where id = $1",
    )
    .bind(new.id.as_uuid())
    .fetch_one(&mut *tx)
    .await
    .or_failed("read an API key")?;
    let after = json!({ "name": new.name, "scopes": new.scopes });
    note(&mut tx, asking.by, "key.create", &new.id.to_string(), &after).await?;
    act_for(&mut tx, asking.tenant).await?;
    let answer = answer(&key);
    keep_answer(db, &mut tx, asking.tenant, asking.once, &answer).await?;
    commit(tx, "make an API key").await?;
    Ok(Made::New(answer))
}

/// What the transaction does from here on, it does for `tenant`.
async fn act_for(tx: &mut Tx, tenant: TenantId) -> Result<(), StoreError> {
    sqlx::query("select set_config('crewline.tenant_id', $1, true)")
        .bind(tenant.as_uuid().to_string())
        .execute(&mut **tx)
        .await
        .or_failed("act for a tenant")?;
    Ok(())
}

/// Revokes a key of `tenant`: whether there is one; none when the key `by` may not. A key that was revoked before stays so.
pub async fn revoke_key(
    db: &Db,
    by: ApiKeyId,
    tenant: TenantId,
    key: ApiKeyId,
) -> Result<Option<bool>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let revoked: Option<bool> = sqlx::query_scalar("select revoke_key($1, $2)")
        .bind(by.as_uuid())
        .bind(key.as_uuid())
        .fetch_one(&mut *tx)
        .await
        .or_failed("revoke an API key")?;
    if revoked == Some(true) {
        note(&mut tx, by, "key.revoke", &key.to_string(), &Value::Null).await?;
        commit(tx, "revoke an API key").await?;
    }
    Ok(revoked)
}
