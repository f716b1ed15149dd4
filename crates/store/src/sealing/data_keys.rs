//! The data keys of one tenant, unwrapped.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use jobs::TenantId;
use ring::hkdf::{HKDF_SHA256, Salt};
use serde_json::Value;

use super::{Place, cipher::Cipher, master::MasterKeys};
use crate::{
    error::StoreError,
    payload::{Payload, Sealed},
};

/// A data key as the database has it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct DataKey {
    pub(super) number: i32,
    pub(super) master: String,
    pub(super) wrapped: Vec<u8>,
}

/// The name under which a data key is wrapped.
pub(super) fn name(tenant: TenantId, number: i32) -> String {
    format!("{tenant}/{number}")
}

/// The keys of a tenant whose payloads are encrypted.
pub(crate) struct Ring {
    tenant: TenantId,
    /// The one that seals.
    newest: i32,
    keys: HashMap<i32, Result<Cipher, StoreError>>,
}

impl Ring {
    pub(super) fn unwrap(tenant: TenantId, masters: Option<&MasterKeys>, wrapped: &[DataKey]) -> Self {
        let keys: HashMap<i32, Result<Cipher, StoreError>> =
            wrapped.iter().map(|one| (one.number, unwrap(tenant, masters, one))).collect();
        Self { tenant, newest: keys.keys().max().copied().unwrap_or_default(), keys }
    }

    pub(crate) fn has(&self, number: i32) -> bool {
        self.keys.contains_key(&number)
    }

    /// Fails when this process cannot seal.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.key(self.newest).map(drop)
    }

    fn key(&self, number: i32) -> Result<&Cipher, StoreError> {
        match self.keys.get(&number) {
            Some(Ok(cipher)) => Ok(cipher),
            Some(Err(StoreError::NoMasterKey { master })) => {
                Err(StoreError::NoMasterKey { master: master.clone() })
            }
            _ => Err(self.damaged(&format!("data key {number}"))),
        }
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Undecipherable { what: format!("{what} of {}", self.tenant) }
    }

    /// Seals `plain` under the newest key, whose number is answered.
    pub(crate) fn seal(&self, place: &Place, plain: &[u8]) -> Result<(i32, Vec<u8>), StoreError> {
        let sealed = self.key(self.newest)?.seal(&self.at(place), plain);
        Ok((self.newest, sealed.map_err(|_| self.damaged(place.name()))?))
    }

    /// Opens what was sealed under the key `under`.
    pub(crate) fn open(&self, place: &Place, under: i32, sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.key(under)?.open(&self.at(place), sealed).map_err(|_| self.damaged(place.name()))
    }

    /// What is sealed is bound to: whose it is, and where it belongs.
    fn at(&self, place: &Place) -> String {
        format!("{}/{}", self.tenant, place.name())
    }

    /// `payload` as its row should hold it; none when it is in that form already.
    pub(crate) fn seal_payload(
        &self,
        place: &Place,
        payload: &Payload,
    ) -> Result<Option<Payload>, StoreError> {
        payload.inline().map(|value| self.seal_value(place, value)).transpose()
    }

    /// `value` encrypted inside its row.
    pub(crate) fn seal_value(&self, place: &Place, value: &Value) -> Result<Payload, StoreError> {
        let (under, sealed) = self.seal(place, value.to_string().as_bytes())?;
        Ok(Payload::of_sealed(&Sealed { under, text: STANDARD.encode(sealed) }))
    }

    /// What is sealed inside a row, opened.
    pub(crate) fn open_payload(&self, place: &Place, sealed: &Sealed) -> Result<Payload, StoreError> {
        let damaged = || self.damaged(place.name());
        let bytes = STANDARD.decode(&sealed.text).map_err(|_| damaged())?;
        let plain = self.open(place, sealed.under, bytes)?;
        serde_json::from_slice(&plain).map(Payload::Inline).map_err(|_| damaged())
    }
}

fn unwrap(tenant: TenantId, masters: Option<&MasterKeys>, one: &DataKey) -> Result<Cipher, StoreError> {
    let no_key = || StoreError::NoMasterKey { master: one.master.clone() };
    let name = name(tenant, one.number);
    let opened = masters.and_then(|masters| masters.unwrap(&one.master, &name, &one.wrapped));
    let key = opened.ok_or_else(no_key)?.map_err(|_| StoreError::Undecipherable { what: name })?;
    Ok(Cipher::new(Salt::new(HKDF_SHA256, b"crewline data").extract(&key)))
}
