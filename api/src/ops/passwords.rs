//! Passwords and codes: made, kept and tried.

use argon2::{
    Argon2, PasswordHash, PasswordHasher, PasswordVerifier,
    password_hash::{self, Salt, SaltString},
};
use rand::{TryRngCore, rngs::OsRng};
use subtle::ConstantTimeEq;
use totp_rs::{Algorithm, TOTP};

use crate::limits::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, USER_EMAIL_CHARS_MAX};

const TOTP_STEP_S: u64 = 30;
const TOTP_DIGITS: usize = 6;
const TOTP_SECRET_BYTES: usize = 20;
/// Letters and digits that nobody takes for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const PASSWORD_CHARS: usize = 24;

/// Whether somebody may sign in with this address: one that is written like one.
pub fn is_email(text: &str) -> bool {
    let parts = text.split_once('@').is_some_and(|(who, at)| !who.is_empty() && !at.is_empty());
    parts
        && text.chars().count() <= USER_EMAIL_CHARS_MAX
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Whether a password may be taken: long enough to be worth trying, short enough to be tried.
pub fn is_password(text: &str) -> bool {
    text.chars().count() >= PASSWORD_CHARS_MIN && text.len() <= PASSWORD_BYTES_MAX
}

/// A password that nobody guesses: 120 random bits.
///
/// # Errors
/// When the system has no randomness to give.
pub fn new_password() -> Result<String, rand::rand_core::OsError> {
    let mut bytes = [0_u8; PASSWORD_CHARS];
    OsRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

/// What is stored of a password: argon2id with 19 MiB and two passes, as a PHC string.
///
/// # Errors
/// When the system has no randomness to give, or the password is longer than argon2 takes.
pub fn hash_password(password: &str) -> Result<String, password_hash::Error> {
    let mut salt = [0_u8; Salt::RECOMMENDED_LENGTH];
    OsRng.try_fill_bytes(&mut salt).map_err(|_| password_hash::Error::Crypto)?;
    let salt = SaltString::encode_b64(&salt)?;
    Argon2::default().hash_password(password.as_bytes(), &salt).map(|hash| hash.to_string())
}

/// Whether a password is the one that was stored. Where nothing was, it takes as long to say no.
pub(crate) fn is_right(password: &str, stored: Option<&str>) -> bool {
    // Of a password that nobody has.
    const NOBODYS: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$VL4Yw9JvVFy+VyQSEQqrxJXoqoYIhFkHCN8vLFqZLtA";
    let Ok(hash) = PasswordHash::new(stored.unwrap_or(NOBODYS)) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && stored.is_some()
}

/// What a code generator and we will both know.
///
/// # Errors
/// When the system has no randomness to give.
pub fn new_totp_secret() -> Result<[u8; 20], rand::rand_core::OsError> {
    let mut secret = [0_u8; TOTP_SECRET_BYTES];
    OsRng.try_fill_bytes(&mut secret)?;
    Ok(secret)
}

/// What a code generator reads, as text or as a picture of it.
pub fn totp_address(secret: &[u8], email: &str) -> String {
    generator(secret, email).get_url()
}

/// The code that a generator shows at a time, in seconds since 1970.
pub fn totp_code(secret: &[u8], at_s: u64) -> String {
    generator(secret, "").generate(at_s)
}

/// The time step that a code is of, if it is one of now, of the step before or of the next: clocks disagree.
pub(crate) fn totp_step(secret: &[u8], code: &str, now_s: u64) -> Option<i64> {
    let now = now_s / TOTP_STEP_S;
    (now.saturating_sub(1)..=now + 1)
        .find(|step| totp_code(secret, step * TOTP_STEP_S).as_bytes().ct_eq(code.as_bytes()).into())
        .and_then(|step| i64::try_from(step).ok())
}

fn generator(secret: &[u8], email: &str) -> TOTP {
    let (issuer, account) = (Some("Crewline".to_owned()), email.replace(':', " "));
    TOTP::new_unchecked(Algorithm::SHA1, TOTP_DIGITS, 1, TOTP_STEP_S, secret.to_vec(), issuer, account)
}

#[cfg(test)]
mod tests {
    use super::{hash_password, is_email, is_password, is_right, new_password, totp_code, totp_step};

    #[test]
    fn an_address_looks_like_one() {
        assert!(is_email("ann@acme.test"));
        assert!(
            ["", "ann", "@acme.test", "ann@", "ann b@acme.test", "a\n@b"]
                .into_iter()
                .all(|text| !is_email(text))
        );
    }

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let password = new_password().unwrap();
        assert!(is_password(&password) && !is_password("short") && !is_password(&"x".repeat(300)));
        let hash = hash_password(&password).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is_right(&password, Some(&hash)));
        assert!(!is_right("another password", Some(&hash)) && !is_right(&password, None));
    }

    /// RFC 6238, appendix B, cut to six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        assert_eq!(totp_code(secret, 59), "287082");
        assert_eq!(totp_code(secret, 1_111_111_109), "081804");
        assert_eq!(totp_step(secret, "287082", 59), Some(1));
        assert_eq!(totp_step(secret, "287082", 80), Some(1), "a clock may be half a minute late");
        assert_eq!(totp_step(secret, "287082", 95), None);
        assert_eq!(totp_step(secret, "", 59), None);
    }
}
