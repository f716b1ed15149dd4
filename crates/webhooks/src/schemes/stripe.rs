//! Stripe, and Mux, which does the same under another name: `t=…,v1=…`, several `v1` while a secret changes.

use crate::{
    incoming::{Incoming, seconds},
    mac,
    refusal::Refusal,
    scheme::{Algorithm, Encoding},
    verify::Trust,
};

/// Signatures looked at in one header.
const SIGNATURES_MAX: usize = 16;

pub(crate) fn verify(name: &str, incoming: &Incoming<'_>, trust: &Trust<'_>) -> Result<(), Refusal> {
    let header = incoming.needed(name)?;
    let parts: Vec<(&str, &str)> =
        header.split(',').filter_map(|part| part.trim().split_once('=')).take(2 * SIGNATURES_MAX).collect();
    let malformed = |reason| Refusal::Malformed { header: name.to_owned(), reason };
    let (_, time) = parts.iter().find(|(key, _)| *key == "t").ok_or_else(|| malformed("it has no t"))?;
    let at_s = seconds(name, time)?;
    // `v0` is for tests of the sender, and what is not known is not looked at: neither may ever be enough.
    let mut signatures =
        parts.iter().filter(|(key, _)| *key == "v1").map(|(_, value)| *value).take(SIGNATURES_MAX).peekable();
    if signatures.peek().is_none() {
        return Err(malformed("it has no v1"));
    }
    let keys = trust.keys()?;
    let signed: [&[u8]; 3] = [time.as_bytes(), b".", incoming.body];
    let fits = |signature| mac::fits(Algorithm::Sha256, Encoding::Hex, &keys, &signed, signature);
    if signatures.filter(|signature| fits(signature)).count() == 0 {
        return Err(Refusal::WrongSignature);
    }
    trust.check_time(at_s)
}
