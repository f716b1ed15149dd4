//! Message authentication codes, compared in constant time.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;

use crate::scheme::{Algorithm, Encoding};

impl Algorithm {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            // Some senders know no other. As an HMAC it is not broken.
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

impl Encoding {
    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
        }
    }
}

/// Whether `signature` is that of `parts`, one after the other, under any of `keys`. Every key is tried, whichever fits.
pub(crate) fn fits(
    algorithm: Algorithm,
    encoding: Encoding,
    keys: &[&[u8]],
    parts: &[&[u8]],
    signature: &str,
) -> bool {
    let Some(signature) = encoding.decode(signature.trim()) else { return false };
    let message = parts.concat();
    let fitting = keys.iter().filter(|key| {
        let key = hmac::Key::new(algorithm.hmac(), key);
        hmac::verify(&key, &message, &signature).is_ok()
    });
    fitting.count() > 0
}

/// The HMAC-SHA256 of `parts`, one after the other.
pub(crate) fn sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, &parts.concat()).as_ref().to_vec()
}
