//! Turning a tenant's encryption on, and changing its keys.

use jobs::TenantId;
use ring::rand::{SecureRandom, SystemRandom};

use super::data_keys::{DataKey, name};
use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
};

/// Bytes of a data key.
const DATA_KEY_BYTES: usize = 32;

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrapped {
    /// The data key that seals from now on.
    pub newest: i32,
    /// Older keys that are under the present master key now.
    pub rewrapped: usize,
}

/// Encrypts what is stored of `tenant` from now on; false when it was so before. For the owner.
pub async fn encrypt(db: &Db, tenant: TenantId) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    if !keys_of(&mut tx, tenant).await?.is_empty() {
        return Ok(false);
    }
    add(db, &mut tx, tenant, 1).await?;
    commit(tx, "encrypt a tenant").await?;
    Ok(true)
}

/// Gives `tenant` a new data key and wraps those it has under the present master key; none when it is not encrypted.
/// For the owner.
pub async fn rotate(db: &Db, tenant: TenantId) -> Result<Option<Rewrapped>, StoreError> {
    let mut tx = db.begin().await?;
    let keys = keys_of(&mut tx, tenant).await?;
    let Some(last) = keys.last().map(|key| key.number) else { return Ok(None) };
    let mut rewrapped = 0;
    for key in keys {
        rewrapped += usize::from(rewrap(db, &mut tx, tenant, &key).await?);
    }
    add(db, &mut tx, tenant, last + 1).await?;
    commit(tx, "change the keys of a tenant").await?;
    Ok(Some(Rewrapped { newest: last + 1, rewrapped }))
}

async fn keys_of(tx: &mut Tx, tenant: TenantId) -> Result<Vec<DataKey>, StoreError> {
    // Two that change keys at once go one after the other.
    sqlx::query("select from tenant where id = $1 for update")
        .bind(tenant.as_uuid())
        .execute(&mut **tx)
        .await
        .or_failed("take the keys of a tenant in hand")?;
    sqlx::query_as(
        "select tenant_id, number, master, wrapped from tenant_key where tenant_id = $1 order by number",
    )
    .bind(tenant.as_uuid())
    .fetch_all(&mut **tx)
    .await
    .or_failed("read the keys of a tenant")
}

async fn add(db: &Db, tx: &mut Tx, tenant: TenantId, number: i32) -> Result<(), StoreError> {
    let name = name(tenant, number);
    let unusable = || StoreError::Undecipherable { what: name.clone() };
    let mut key = [0; DATA_KEY_BYTES];
    SystemRandom::new().fill(&mut key).map_err(|_| unusable())?;
    let masters = db.keyring().masters()?;
    let wrapped = masters.wrap(&name, &key).map_err(|_| unusable())?;
    sqlx::query("insert into tenant_key (tenant_id, number, master, wrapped) values ($1, $2, $3, $4)")
        .bind(tenant.as_uuid())
        .bind(number)
        .bind(masters.id())
        .bind(wrapped)
        .execute(&mut **tx)
        .await
        .or_failed("keep a key of a tenant")?;
    Ok(())
}

async fn rewrap(db: &Db, tx: &mut Tx, tenant: TenantId, key: &DataKey) -> Result<bool, StoreError> {
    let masters = db.keyring().masters()?;
    if key.master == masters.id() {
        return Ok(false);
    }
    let name = name(tenant, key.number);
    let unusable = || StoreError::Undecipherable { what: name.clone() };
    let opened = masters.unwrap(&key.master, &name, &key.wrapped);
    let plain = opened.ok_or_else(|| StoreError::NoMasterKey { master: key.master.clone() })?;
    let wrapped = masters.wrap(&name, &plain.map_err(|_| unusable())?).map_err(|_| unusable())?;
    sqlx::query("update tenant_key set master = $3, wrapped = $4 where tenant_id = $1 and number = $2")
        .bind(tenant.as_uuid())
        .bind(key.number)
        .bind(masters.id())
        .bind(wrapped)
        .execute(&mut **tx)
        .await
        .or_failed("wrap a key of a tenant anew")?;
    Ok(true)
}
