//! Links by which a recipient ends messages of a category: `{contact point}.{category}.{signature}`.
//!
//! The signature is HMAC-SHA256 (RFC 2104) under a secret of the contact point, so a link cannot be made up and speaks of
//! one address and one category only. It is short, because headers that are folded have lost their signature before.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use jobs::{Category, ContactPointId};
use sha2::Sha256;

/// Bytes of the signature that are kept: 128 bits cannot be guessed.
const SIGNATURE_BYTES: usize = 16;
/// Bytes of a block of the hash: a shorter key stands for itself with zeros after it.
const BLOCK_BYTES: usize = 64;

/// What a link says before anybody has checked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Whose address.
    pub contact: ContactPointId,
    /// Messages of what sort.
    pub category: Category,
    signature: Vec<u8>,
}

impl Token {
    /// Reads a link; none when it has another shape.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (contact, category, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let has_ended = parts.next().is_none() && signature.len() == SIGNATURE_BYTES;
        has_ended.then_some(Self {
            contact: contact.parse().ok()?,
            category: category.parse().ok()?,
            signature,
        })
    }
}

/// The link's last part in its address.
pub fn sign(secret: &[u8], contact: ContactPointId, category: Category) -> String {
    let signature = signing(secret, contact, category).finalize().into_bytes();
    let signature = BASE64_URL_SAFE_NO_PAD.encode(&signature[..SIGNATURE_BYTES]);
    format!("{contact}.{category}.{signature}")
}

/// Whether `token` was signed with `secret`, in constant time.
pub fn verify(secret: &[u8], token: &Token) -> bool {
    signing(secret, token.contact, token.category).verify_truncated_left(&token.signature).is_ok()
}

fn signing(secret: &[u8], contact: ContactPointId, category: Category) -> Hmac<Sha256> {
    let mut key = [0; BLOCK_BYTES];
    for (byte, of_secret) in key.iter_mut().zip(secret) {
        *byte = *of_secret;
    }
    <Hmac<Sha256> as Mac>::new(&key.into()).chain_update(format!("unsubscribe.{contact}.{category}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_speaks_of_one_address_and_one_category() {
        let (contact, secret) = (ContactPointId::new(), [7; 32]);
        let link = sign(&secret, contact, Category::Social);
        let token = Token::parse(&link).unwrap();
        assert_eq!((token.contact, token.category), (contact, Category::Social));
        assert!(verify(&secret, &token) && !verify(&[8; 32], &token));
        let moved = link.replacen("social", "bulk", 1);
        assert!(!verify(&secret, &Token::parse(&moved).unwrap()));
        let other = link.replacen(&contact.to_string(), &ContactPointId::new().to_string(), 1);
        assert!(!verify(&secret, &Token::parse(&other).unwrap()));
        for wrong in ["", "x.y.z", &link[..link.len() - 2], &format!("{link}.1")] {
            assert_eq!(Token::parse(wrong), None, "{wrong}");
        }
    }
}
