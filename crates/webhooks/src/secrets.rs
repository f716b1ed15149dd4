//! Secrets that both sides know, in the form their scheme writes them.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::signature::{ED25519_PUBLIC_KEY_LEN, UnparsedPublicKey};

use crate::scheme::Scheme;

/// What stands before a shared secret of Standard Webhooks, and before a public key.
const SHARED: &str = "whsec_";
const PUBLIC: &str = "whpk_";
/// Bytes of a shared secret of Standard Webhooks.
const STANDARD_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
/// Characters of a secret.
const SECRET_CHARS_MAX: usize = 500;

/// A secret that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Empty, or longer than any is.
    #[error("1 to {SECRET_CHARS_MAX} characters without spaces around them")]
    Length,
    /// Not in the form of Standard Webhooks.
    #[error("whsec_ and the base64 of 16 to 64 bytes, or whpk_ and the base64 of an Ed25519 key")]
    NotStandard,
}

/// A secret, ready to check signatures with.
#[derive(Clone)]
pub enum Secret {
    /// The key of an HMAC.
    Shared(Vec<u8>),
    /// The sender's Ed25519 key.
    Public(Vec<u8>),
}

impl Secret {
    /// Reads a secret as `scheme` writes it.
    ///
    /// # Errors
    /// When it is not in the form that the scheme asks for.
    pub fn parse(scheme: &Scheme, text: &str) -> Result<Self, BadSecret> {
        if text.is_empty() || text.trim() != text || text.chars().count() > SECRET_CHARS_MAX {
            return Err(BadSecret::Length);
        }
        if *scheme != Scheme::StandardWebhooks {
            return Ok(Self::Shared(text.as_bytes().to_vec()));
        }
        if let Some(key) = text.strip_prefix(PUBLIC) {
            let key = STANDARD.decode(key).map_err(|_| BadSecret::NotStandard)?;
            return if key.len() == ED25519_PUBLIC_KEY_LEN {
                Ok(Self::Public(key))
            } else {
                Err(BadSecret::NotStandard)
            };
        }
        let key = STANDARD.decode(text.strip_prefix(SHARED).unwrap_or(text));
        match key {
            Ok(key) if STANDARD_BYTES.contains(&key.len()) => Ok(Self::Shared(key)),
            _ => Err(BadSecret::NotStandard),
        }
    }

    pub(crate) fn shared(&self) -> Option<&[u8]> {
        match self {
            Self::Shared(key) => Some(key),
            Self::Public(_) => None,
        }
    }

    pub(crate) fn public(&self) -> Option<UnparsedPublicKey<&[u8]>> {
        match self {
            Self::Shared(_) => None,
            Self::Public(key) => Some(UnparsedPublicKey::new(&ring::signature::ED25519, key.as_slice())),
        }
    }
}
