//! Sealing bytes under a key, bound to the place they belong to.
//!
//! AES-256-GCM with a random nonce. Each place gets a key of its own, derived from the key and the name of the place, so
//! the few times a place is written do not add up over a tenant's jobs: a random nonce is safe for billions of uses of one
//! key, and here one key sees a handful.

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::Prk,
    rand::{SecureRandom, SystemRandom},
};

/// The form of what is sealed, its first byte.
const FORM: u8 = 1;
/// What a derived key is for; another use would be another word.
const PURPOSE: &[u8] = b"crewline seal 1";

/// A key that seals.
#[derive(Clone)]
pub(super) struct Cipher(Prk);

/// Something that was sealed cannot be opened, or the other way round: a wrong key, a wrong place, a changed byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CipherError;

impl From<ring::error::Unspecified> for CipherError {
    fn from(_: ring::error::Unspecified) -> Self {
        Self
    }
}

impl Cipher {
    pub(super) fn new(key: Prk) -> Self {
        Self(key)
    }

    fn at(&self, place: &str) -> Result<LessSafeKey, CipherError> {
        let info = [PURPOSE, place.as_bytes()];
        let derived = self.0.expand(&info, &AES_256_GCM)?;
        Ok(LessSafeKey::new(UnboundKey::from(derived)))
    }

    /// Seals `plain` for `place`: form, nonce, what is encrypted, tag.
    pub(super) fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, CipherError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce)?;
        let mut hidden = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
        hidden.extend_from_slice(plain);
        let key = self.at(place)?;
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place.as_bytes()),
            &mut hidden,
        )?;
        Ok([&[FORM], nonce.as_slice(), hidden.as_slice()].concat())
    }

    /// Opens what was sealed for `place`.
    pub(super) fn open(&self, place: &str, mut sealed: Vec<u8>) -> Result<Vec<u8>, CipherError> {
        let head = 1 + NONCE_LEN;
        if sealed.first() != Some(&FORM) || sealed.len() < head {
            return Err(CipherError);
        }
        let nonce = Nonce::try_assume_unique_for_key(&sealed[1..head])?;
        let key = self.at(place)?;
        let plain = key.open_within(nonce, Aad::from(place.as_bytes()), &mut sealed, head..)?.len();
        sealed.truncate(plain);
        Ok(sealed)
    }
}

#[cfg(test)]
mod tests {
    use ring::hkdf::{HKDF_SHA256, Salt};

    use super::Cipher;

    fn cipher(key: &[u8]) -> Cipher {
        Cipher::new(Salt::new(HKDF_SHA256, b"test").extract(key))
    }

    #[test]
    fn what_is_sealed_opens_under_its_key_and_at_its_place_only() {
        let (mine, other) = (cipher(b"mine"), cipher(b"other"));
        let long = vec![7; 100_000];
        for plain in [b"".as_slice(), b"x", &long] {
            let sealed = mine.seal("acme/job_1/args", plain).unwrap();
            assert_ne!(sealed, mine.seal("acme/job_1/args", plain).unwrap(), "never the same twice");
            assert_eq!(mine.open("acme/job_1/args", sealed.clone()).unwrap(), plain);
            assert!(mine.open("acme/job_1/result", sealed.clone()).is_err());
            assert!(other.open("acme/job_1/args", sealed.clone()).is_err());
            for at in [0, 1, 12, sealed.len() - 1] {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert!(mine.open("acme/job_1/args", changed).is_err(), "byte {at}");
            }
            assert!(mine.open("acme/job_1/args", sealed[..12].to_vec()).is_err());
        }
        assert!(mine.open("p", Vec::new()).is_err());
    }
}
