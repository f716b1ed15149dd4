//! Tenants and their API keys.

use chrono::{DateTime, Utc};
use jobs::{ApiKeyId, TenantId, UserId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    error::{OrFailed, StoreError},
};

/// A key as it is looked up by the prefix it was presented with.
#[derive(Debug, Clone)]
pub struct FoundKey {
    /// Which it is.
    pub id: ApiKeyId,
    /// Whose it is.
    pub tenant: TenantId,
    /// SHA-256 of its secret.
    pub secret_sha256: Vec<u8>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
    /// For whom it was made; none when for nobody, or for somebody who was taken out.
    pub person: Option<UserId>,
}

#[derive(FromRow)]
struct KeyRow {
    id: Uuid,
    tenant_id: Uuid,
    secret_sha256: Vec<u8>,
    scopes: Vec<String>,
    revoked_at: Option<DateTime<Utc>>,
    person_id: Option<Uuid>,
}

/// The key with this prefix, before anybody knows whose it is.
pub async fn find(db: &Db, prefix: &str) -> Result<Option<FoundKey>, StoreError> {
    let row: Option<KeyRow> = sqlx::query_as(
        "select id, tenant_id, secret_sha256, scopes, revoked_at, person_id from find_api_key($1)",
    )
    .bind(prefix)
    .fetch_optional(db.pool())
    .await
    .or_failed("look up an API key")?;
    Ok(row.map(|row| FoundKey {
        id: ApiKeyId::from_uuid(row.id),
        tenant: TenantId::from_uuid(row.tenant_id),
        secret_sha256: row.secret_sha256,
        scopes: row.scopes,
        revoked_at: row.revoked_at,
        person: row.person_id.map(UserId::from_uuid),
    }))
}

/// Notes that a key was used. Called at most once a minute for a key.
pub async fn touch(db: &Db, tenant: TenantId, key: ApiKeyId) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query("update api_key set last_used_at = now() where id = $1")
        .bind(key.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("note that a key was used")?;
    crate::db::commit(tx, "note that a key was used").await
}

/// A new key, as it is stored.
#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    /// Which it will be.
    pub id: ApiKeyId,
    /// What is printed before the secret.
    pub prefix: &'a str,
    /// SHA-256 of the secret.
    pub secret_sha256: [u8; 32],
    /// For people.
    pub name: &'a str,
    /// What it may do.
    pub scopes: &'a [String],
}

/// Makes a tenant. Needs the owner's role.
pub async fn create_tenant(db: &Db, slug: &str, name: &str) -> Result<TenantId, StoreError> {
    let tenant = TenantId::new();
    let made =
        sqlx::query("insert into tenant (id, slug, name) values ($1, $2, $3) on conflict (slug) do nothing")
            .bind(tenant.as_uuid())
            .bind(slug)
            .bind(name)
            .execute(db.pool())
            .await
            .or_failed("make a tenant")?;
    if made.rows_affected() == 0 {
        return Err(StoreError::TenantExists(slug.to_owned()));
    }
    Ok(tenant)
}

/// A tenant, for lists.
#[derive(Debug, Clone, FromRow)]
pub struct Tenant {
    id: Uuid,
    /// The short name.
    pub slug: String,
    /// The long name.
    pub name: String,
}

impl Tenant {
    /// Which it is.
    pub fn id(&self) -> TenantId {
        TenantId::from_uuid(self.id)
    }
}

/// Every tenant by slug. Needs the owner's role.
pub async fn tenants(db: &Db) -> Result<Vec<Tenant>, StoreError> {
    sqlx::query_as("select id, slug, name from tenant order by slug")
        .fetch_all(db.pool())
        .await
        .or_failed("list tenants")
}

/// The tenant called `slug`. Needs the owner's role.
pub async fn tenant_by_slug(db: &Db, slug: &str) -> Result<TenantId, StoreError> {
    let id: Option<Uuid> = sqlx::query_scalar("select id from tenant where slug = $1")
        .bind(slug)
        .fetch_optional(db.pool())
        .await
        .or_failed("find a tenant")?;
    id.map(TenantId::from_uuid).ok_or_else(|| StoreError::NoTenant(slug.to_owned()))
}

/// Stores a key that is made for `person`, or for nobody. Needs the owner's role; the caller writes down who did it.
pub async fn create_key(
    tx: &mut Tx,
    tenant: TenantId,
    key: &NewKey<'_>,
    person: Option<UserId>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into api_key (id, tenant_id, prefix, secret_sha256, name, scopes, person_id)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(key.id.as_uuid())
    .bind(tenant.as_uuid())
    .bind(key.prefix)
    .bind(key.secret_sha256.as_slice())
    .bind(key.name)
    .bind(key.scopes)
    .bind(person.map(|person| person.as_uuid()))
    .execute(&mut **tx)
    .await
    .or_failed("make an API key")?;
    Ok(())
}

/// A key, for lists: everything but its secret.
#[derive(Debug, Clone, FromRow)]
pub struct KeyLine {
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
    /// For whom it was made, by their address.
    pub person: Option<String>,
}

/// The keys of a tenant, oldest first. Needs the owner's role.
pub async fn keys(db: &Db, tenant: TenantId) -> Result<Vec<KeyLine>, StoreError> {
    sqlx::query_as(
        "select k.prefix, k.name, k.scopes, k.created_at, k.last_used_at, k.revoked_at, u.email as person
         from api_key k left join user_account u on u.id = k.person_id where k.tenant_id = $1 order by k.id",
    )
    .bind(tenant.as_uuid())
    .fetch_all(db.pool())
    .await
    .or_failed("list API keys")
}

/// Revokes the key with this prefix; false when there is none that was valid. Needs the owner's role; the caller writes down who
/// did it.
pub async fn revoke(tx: &mut Tx, prefix: &str) -> Result<bool, StoreError> {
    let revoked =
        sqlx::query("update api_key set revoked_at = now() where prefix = $1 and revoked_at is null")
            .bind(prefix)
            .execute(&mut **tx)
            .await
            .or_failed("revoke an API key")?;
    Ok(revoked.rows_affected() == 1)
}
