//! What a push service is handed but cannot read: Message Encryption for Web Push (RFC 8291), in one record of the
//! `aes128gcm` content encoding (RFC 8188).

use ring::{
    aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
    rand::{SecureRandom, SystemRandom},
};

/// The record size that is written down; a push service must take a body of that size (RFC 8291, 4).
const RECORD_BYTES: u32 = 4_096;
const SALT_BYTES: usize = 16;
/// Ends the last record (RFC 8188, 2).
const LAST: u8 = 2;
/// What sealing adds: the header with a key of 65 bytes, the delimiter, and the tag of the cipher.
const ADDED_BYTES: usize = SALT_BYTES + 4 + 1 + 65 + 1 + 16;
/// The longest that can be sealed.
pub(super) const BYTES_MAX: usize = RECORD_BYTES as usize - ADDED_BYTES;

/// Seals `plain` for the browser whose public key is `point` and whose secret is `secret`.
///
/// # Errors
/// When `point` is none of P-256, or `plain` is too long.
pub(super) fn seal(plain: &[u8], point: &[u8], secret: &[u8]) -> Result<Vec<u8>, Unspecified> {
    if plain.len() > BYTES_MAX {
        return Err(Unspecified);
    }
    let random = SystemRandom::new();
    let ours = EphemeralPrivateKey::generate(&ECDH_P256, &random)?;
    let our_point = ours.compute_public_key()?;
    let shared = |shared: &[u8]| {
        let info = [b"WebPush: info\0", point, our_point.as_ref()];
        derive::<32>(&Salt::new(HKDF_SHA256, secret).extract(shared), &info)
    };
    let ikm = agree_ephemeral(ours, &UnparsedPublicKey::new(&ECDH_P256, point), shared)??;
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt)?;
    let prk = Salt::new(HKDF_SHA256, &salt).extract(&ikm);
    let key = UnboundKey::new(&AES_128_GCM, &derive::<16>(&prk, &[b"Content-Encoding: aes128gcm\0"])?)?;
    let nonce = derive::<NONCE_LEN>(&prk, &[b"Content-Encoding: nonce\0"])?;

    let mut record = [plain, &[LAST]].concat();
    LessSafeKey::new(key).seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::empty(),
        &mut record,
    )?;
    let key_id = our_point.as_ref();
    Ok([&salt, RECORD_BYTES.to_be_bytes().as_slice(), &[key_id.len() as u8], key_id, &record].concat())
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand (RFC 5869).
fn derive<const N: usize>(prk: &Prk, info: &[&[u8]]) -> Result<[u8; N], Unspecified> {
    let mut out = [0; N];
    prk.expand(info, Length(N))?.fill(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_has_the_size_that_was_promised() {
        let theirs = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
        let point = theirs.compute_public_key().unwrap();
        assert_eq!(
            seal(&[7; BYTES_MAX], point.as_ref(), &[1; 16]).map(|sealed| sealed.len()),
            Ok(RECORD_BYTES as usize)
        );
        assert!(seal(&[7; BYTES_MAX + 1], point.as_ref(), &[1; 16]).is_err());
        assert!(seal(b"x", &[4; 65], &[1; 16]).is_err(), "not on the curve");
    }
}
