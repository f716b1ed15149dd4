//! Signing what goes out, as Standard Webhooks wants it: `v1` is an HMAC-SHA256, `v1a` an Ed25519 signature.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair},
};

use crate::mac;

/// Bytes of a secret that is made here.
const SHARED_BYTES: usize = 32;
/// Bytes that an Ed25519 key pair grows from.
const SEED_BYTES: usize = 32;

/// What a message is signed with.
#[derive(Clone)]
pub enum SigningKey {
    /// A secret both sides know: `v1`.
    Shared(Vec<u8>),
    /// The seed of a key pair, of which the other side knows the public half: `v1a`.
    Private(Vec<u8>),
}

/// The system has no randomness to give, or what was kept is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key cannot be made or read")]
pub struct BadKey;

impl SigningKey {
    /// A fresh secret: 32 random bytes.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn shared() -> Result<Self, BadKey> {
        random::<SHARED_BYTES>().map(Self::Shared)
    }

    /// A fresh key pair.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn private() -> Result<Self, BadKey> {
        random::<SEED_BYTES>().map(Self::Private)
    }

    /// Reads what [`SigningKey::text`] wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let read = |text: &str| STANDARD.decode(text).map_err(|_| BadKey);
        match (text.strip_prefix("whsec_"), text.strip_prefix("whsk_")) {
            (Some(secret), _) => read(secret).map(Self::Shared),
            (_, Some(seed)) => read(seed).map(Self::Private),
            _ => Err(BadKey),
        }
    }

    /// As it is kept: `whsec_…` or `whsk_…`.
    pub fn text(&self) -> String {
        match self {
            Self::Shared(secret) => format!("whsec_{}", STANDARD.encode(secret)),
            Self::Private(seed) => format!("whsk_{}", STANDARD.encode(seed)),
        }
    }

    /// What the other side checks with: the secret itself, or `whpk_` and the public key.
    ///
    /// # Errors
    /// When what was kept is no key.
    pub fn for_receiver(&self) -> Result<String, BadKey> {
        match self {
            Self::Shared(_) => Ok(self.text()),
            Self::Private(seed) => {
                let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BadKey)?;
                Ok(format!("whpk_{}", STANDARD.encode(pair.public_key())))
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Result<String, BadKey> {
        match self {
            Self::Shared(secret) => Ok(format!("v1,{}", STANDARD.encode(mac::sha256(secret, &[message])))),
            Self::Private(seed) => {
                let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BadKey)?;
                Ok(format!("v1a,{}", STANDARD.encode(pair.sign(message))))
            }
        }
    }
}

fn random<const BYTES: usize>() -> Result<Vec<u8>, BadKey> {
    let mut bytes = vec![0; BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| BadKey)?;
    Ok(bytes)
}

/// The headers of a signed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// `webhook-id`: the same however often the message is sent.
    pub id: String,
    /// `webhook-timestamp`: when this try was signed.
    pub timestamp: String,
    /// `webhook-signature`: one for each key that holds.
    pub signature: String,
}

/// Signs `body` as the message `id`, sent at `at_s` seconds since 1970, under each of `keys`.
///
/// # Errors
/// When one of them is no key.
pub fn sign(id: &str, at_s: i64, body: &[u8], keys: &[SigningKey]) -> Result<Headers, BadKey> {
    let timestamp = at_s.to_string();
    let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(&message)).collect::<Result<_, _>>()?;
    Ok(Headers { id: id.to_owned(), timestamp, signature: signatures.join(" ") })
}
