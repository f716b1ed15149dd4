//! The data keys that a process holds, and how it learns of new ones.
//!
//! One short read every few seconds tells which tenants are encrypted and which key of theirs is the newest; the keys
//! themselves are read once. A tenant that is not encrypted costs a look into a map.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use jobs::TenantId;
use sqlx::FromRow;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    MasterKeys, Place,
    data_keys::{DataKey, Ring},
};
use crate::{
    db::Db,
    error::{OrFailed, StoreError},
    payload::Payload,
};

/// How long it is believed who is encrypted: a tenant that is encrypted from now on is so everywhere after this time.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// How soon a key that is not known may be looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The data keys a process holds.
#[derive(Default)]
pub(crate) struct Keyring {
    masters: Option<MasterKeys>,
    encrypted: RwLock<Option<(Encrypted, Instant)>>,
    rings: RwLock<HashMap<TenantId, Arc<Ring>>>,
    reading: Mutex<()>,
}

/// The newest data key of each tenant that has one.
type Encrypted = Arc<HashMap<TenantId, i32>>;

/// A tenant that is encrypted.
#[derive(FromRow)]
struct Sealing {
    tenant_id: Uuid,
    newest: i32,
    masters: Vec<String>,
}

impl Keyring {
    pub(crate) fn new(masters: MasterKeys) -> Self {
        Self { masters: Some(masters), ..Self::default() }
    }

    pub(crate) fn masters(&self) -> Result<&MasterKeys, StoreError> {
        self.masters.as_ref().ok_or(StoreError::NoMasterKey { master: "(any)".into() })
    }

    /// The master keys that this process was given, if it was.
    pub(crate) fn given(&self) -> Option<&MasterKeys> {
        self.masters.as_ref()
    }

    fn encrypted(&self, age: Duration) -> Option<Encrypted> {
        let known = self.encrypted.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(_, since)| since.elapsed() < age).map(|(encrypted, _)| encrypted.clone())
    }

    fn ring(&self, tenant: TenantId, newest: i32) -> Option<Arc<Ring>> {
        let rings = self.rings.read().unwrap_or_else(PoisonError::into_inner);
        rings.get(&tenant).filter(|ring| ring.has(newest)).cloned()
    }
}

impl Db {
    /// The keys of `tenant`; none for one whose payloads are plain.
    pub(crate) async fn ring(&self, tenant: TenantId) -> Result<Option<Arc<Ring>>, StoreError> {
        self.ring_not_older(tenant, KNOWN_FOR).await
    }

    async fn ring_not_older(&self, tenant: TenantId, age: Duration) -> Result<Option<Arc<Ring>>, StoreError> {
        if let Some(encrypted) = self.keyring().encrypted(age)
            && !encrypted.contains_key(&tenant)
        {
            return Ok(None);
        }
        // Boxed, so that what is rare does not make larger what is not.
        Box::pin(self.look_up(tenant, age)).await
    }

    async fn look_up(&self, tenant: TenantId, age: Duration) -> Result<Option<Arc<Ring>>, StoreError> {
        let encrypted = self.encrypted(age).await?;
        let Some(newest) = encrypted.get(&tenant).copied() else { return Ok(None) };
        if let Some(ring) = self.keyring().ring(tenant, newest) {
            return Ok(Some(ring));
        }
        let mut tx = self.aside_tenant(tenant).await?;
        let wrapped: Vec<DataKey> = sqlx::query_as(
            "select number, master, wrapped from tenant_key where tenant_id = $1 order by number",
        )
        .bind(tenant.as_uuid())
        .fetch_all(&mut *tx)
        .await
        .or_failed("read the keys of a tenant")?;
        let ring = Arc::new(Ring::unwrap(tenant, self.keyring().masters.as_ref(), &wrapped));
        let mut rings = self.keyring().rings.write().unwrap_or_else(PoisonError::into_inner);
        rings.insert(tenant, ring.clone());
        Ok(Some(ring))
    }

    /// Which tenants are encrypted, as it was not longer ago than `age`; or a little longer, while somebody reads it.
    async fn encrypted(&self, age: Duration) -> Result<Encrypted, StoreError> {
        if let Some(encrypted) = self.keyring().encrypted(age) {
            return Ok(encrypted);
        }
        let _reading = match (self.keyring().reading.try_lock(), self.keyring().encrypted(Duration::MAX)) {
            (Ok(reading), _) => reading,
            (Err(_), Some(before)) if age >= KNOWN_FOR => return Ok(before),
            (Err(_), _) => self.keyring().reading.lock().await,
        };
        if let Some(encrypted) = self.keyring().encrypted(age) {
            return Ok(encrypted);
        }
        let since = Instant::now();
        let newest = newest(self).await?;
        let encrypted: Encrypted =
            Arc::new(newest.iter().map(|one| (TenantId::from_uuid(one.tenant_id), one.newest)).collect());
        let mut known = self.keyring().encrypted.write().unwrap_or_else(PoisonError::into_inner);
        *known = Some((encrypted.clone(), since));
        Ok(encrypted)
    }

    /// The keys of `tenant`, read anew when `under` is not among them.
    async fn ring_with(&self, tenant: TenantId, under: i32) -> Result<Arc<Ring>, StoreError> {
        if let Some(ring) = self.ring(tenant).await?
            && ring.has(under)
        {
            return Ok(ring);
        }
        let gone = || StoreError::Undecipherable { what: format!("data key {under} of {tenant}") };
        self.ring_not_older(tenant, LOOK_AGAIN).await?.ok_or_else(gone)
    }

    /// Fails when the payloads of `tenant` are encrypted and this process cannot do it.
    pub(crate) async fn can_seal(&self, tenant: TenantId) -> Result<(), StoreError> {
        self.ring(tenant).await?.map_or(Ok(()), |ring| ring.check())
    }

    /// `payload` as its row holds it, opened if it is sealed there.
    pub(crate) async fn open(
        &self,
        tenant: TenantId,
        place: &Place,
        payload: Payload,
    ) -> Result<Payload, StoreError> {
        let Some(sealed) = payload.sealed() else { return Ok(payload) };
        self.ring_with(tenant, sealed.under).await?.open_payload(place, &sealed)
    }

    /// What an object of `tenant` is to hold for `plain`, and the data key it is sealed under, if it is.
    ///
    /// # Errors
    /// When the tenant's payloads are encrypted and this process cannot do it.
    pub async fn seal_bytes(
        &self,
        tenant: TenantId,
        place: &Place,
        plain: Vec<u8>,
    ) -> Result<(Vec<u8>, Option<i32>), StoreError> {
        let Some(ring) = self.ring(tenant).await? else { return Ok((plain, None)) };
        let (under, sealed) = ring.seal(place, &plain)?;
        Ok((sealed, Some(under)))
    }

    /// What was sealed under the data key `under`.
    ///
    /// # Errors
    /// When this process does not have the key, or the bytes are not what was sealed for this place.
    pub async fn open_bytes(
        &self,
        tenant: TenantId,
        place: &Place,
        under: i32,
        sealed: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        self.ring_with(tenant, under).await?.open(place, under, sealed)
    }
}

/// Who is encrypted, and what is needed for it. By a function, because requests see the rows of one tenant at a time.
async fn newest(db: &Db) -> Result<Vec<Sealing>, StoreError> {
    sqlx::query_as("select tenant_id, newest, masters from encrypted_tenants()")
        .fetch_all(db.aside())
        .await
        .or_failed("see which tenants are encrypted")
}

/// The master keys that secrets are sealed under.
async fn of_secrets(db: &Db) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar("select masters_of_secrets()")
        .fetch_all(db.aside())
        .await
        .or_failed("see which master keys secrets need")
}

/// Whether this process can unwrap every data key and open every secret there is.
///
/// # Errors
/// [`StoreError::NoMasterKey`] names the first master key that is missing.
pub async fn check(db: &Db) -> Result<(), StoreError> {
    let has = |master: &String| db.keyring().masters.as_ref().is_some_and(|masters| masters.has(master));
    let mut needed: Vec<String> = newest(db).await?.into_iter().flat_map(|one| one.masters).collect();
    needed.extend(of_secrets(db).await?);
    needed.sort_unstable();
    match needed.into_iter().find(|master| !has(master)) {
        Some(master) => Err(StoreError::NoMasterKey { master }),
        None => Ok(()),
    }
}
