//! Master keys: from the environment, and never in the database. They wrap the data keys of tenants, and seal secrets.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{digest, hkdf};

use super::{
    Place,
    cipher::{Cipher, CipherError},
};
use crate::error::StoreError;

/// Bytes of the hash of a master key that name it.
const NAME_BYTES: usize = 8;
/// Bytes of a master key.
const MASTER_BYTES: usize = 32;

/// The master keys that a process was given: the present one, and for the time of a change the one before.
pub struct MasterKeys(Vec<Master>);

struct Master {
    name: Vec<u8>,
    /// The name in hexadecimal digits.
    id: String,
    cipher: Cipher,
}

/// A master key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a master key is the base64 of 32 random bytes, such as `openssl rand -base64 32` makes")]
pub struct BadMasterKey;

impl MasterKeys {
    /// Reads keys in base64: the present one, and the one before.
    pub fn parse(present: &str, before: Option<&str>) -> Result<Self, BadMasterKey> {
        [Some(present), before].into_iter().flatten().map(Master::parse).collect::<Result<_, _>>().map(Self)
    }

    /// The name of the key that wraps from now on. It tells nothing of the key.
    pub fn id(&self) -> &str {
        self.0.first().map(|master| master.id.as_str()).unwrap_or_default()
    }

    /// Whether the key called `id` is one of them.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|master| master.id == id)
    }

    /// Seals a secret for `place`, under the present key, whose name goes before it.
    pub(super) fn seal_secret(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let unusable = |_| StoreError::Undecipherable { what: place.name().to_owned() };
        let master = self.0.first().ok_or(CipherError).map_err(unusable)?;
        let sealed = master.cipher.seal(place.name(), plain).map_err(unusable)?;
        Ok([master.name.as_slice(), &sealed].concat())
    }

    /// Opens a secret that was sealed for `place`.
    pub(super) fn open_secret(&self, place: &Place, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let unusable = |_| StoreError::Undecipherable { what: place.name().to_owned() };
        let (name, sealed) = sealed.split_at_checked(NAME_BYTES).ok_or(CipherError).map_err(unusable)?;
        let no_key = || StoreError::NoMasterKey { master: hex::encode(name) };
        let master = self.0.iter().find(|master| master.name == name).ok_or_else(no_key)?;
        master.cipher.open(place.name(), sealed.to_vec()).map_err(unusable)
    }

    /// Wraps the data key called `name`, under the present key.
    pub(crate) fn wrap(&self, name: &str, data_key: &[u8]) -> Result<Vec<u8>, CipherError> {
        self.0.first().ok_or(CipherError)?.cipher.seal(name, data_key)
    }

    /// Unwraps the data key called `name`; none when `master` was not given to this process.
    pub(crate) fn unwrap(
        &self,
        master: &str,
        name: &str,
        wrapped: &[u8],
    ) -> Option<Result<Vec<u8>, CipherError>> {
        let found = self.0.iter().find(|known| known.id == master)?;
        Some(found.cipher.open(name, wrapped.to_vec()))
    }
}

impl Master {
    fn parse(text: &str) -> Result<Self, BadMasterKey> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| BadMasterKey)?;
        if bytes.len() != MASTER_BYTES {
            return Err(BadMasterKey);
        }
        let hash = digest::digest(&digest::SHA256, &[b"crewline master key ", bytes.as_slice()].concat());
        let name: Vec<u8> = hash.as_ref().iter().copied().take(NAME_BYTES).collect();
        Ok(Self {
            id: hex::encode(&name),
            name,
            cipher: Cipher::new(hkdf::Salt::new(hkdf::HKDF_SHA256, b"crewline wrap").extract(&bytes)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{BadMasterKey, MasterKeys};

    const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const TWO: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    #[test]
    fn only_thirty_two_bytes_are_a_master_key() {
        for text in ["", "short", "AAAA", "not base64!", &format!("{ONE}{ONE}")] {
            assert_eq!(MasterKeys::parse(text, None).err(), Some(BadMasterKey), "{text:?}");
        }
        assert!(MasterKeys::parse(&format!(" {ONE}\n"), None).is_ok());
        assert!(MasterKeys::parse(ONE, Some("x")).is_err());
    }

    #[test]
    fn what_is_wrapped_is_unwrapped_by_its_master_and_under_its_name_only() {
        let one = MasterKeys::parse(ONE, None).unwrap();
        let both = MasterKeys::parse(TWO, Some(ONE)).unwrap();
        assert_ne!(one.id(), both.id());
        let wrapped = one.wrap("acme/1", b"data key").unwrap();
        assert_eq!(both.unwrap(one.id(), "acme/1", &wrapped).unwrap().unwrap(), b"data key");
        assert!(both.unwrap(one.id(), "acme/2", &wrapped).unwrap().is_err());
        assert!(both.unwrap(both.id(), "acme/1", &wrapped).unwrap().is_err());
        assert!(one.unwrap(both.id(), "acme/1", &wrapped).is_none(), "it does not have that key");
    }
}
