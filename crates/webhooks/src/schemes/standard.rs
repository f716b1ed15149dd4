//! Standard Webhooks, also under the names Svix gave the headers: `v1` is an HMAC, `v1a` an Ed25519 signature, and there
//! may be several of each.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    incoming::{Incoming, seconds},
    mac,
    refusal::Refusal,
    scheme::{Algorithm, Encoding},
    secrets::Secret,
    verify::Trust,
};

/// Signatures looked at in one header.
const SIGNATURES_MAX: usize = 16;

/// A header under its plain name, or under Svix's.
pub(crate) fn header<'a>(incoming: &Incoming<'a>, name: &str) -> Option<&'a str> {
    let plain = incoming.header(&format!("webhook-{name}"));
    plain.or_else(|| incoming.header(&format!("svix-{name}")))
}

pub(crate) fn verify(incoming: &Incoming<'_>, trust: &Trust<'_>) -> Result<(), Refusal> {
    let needed =
        |name: &str| header(incoming, name).ok_or_else(|| Refusal::NoHeader(format!("webhook-{name}")));
    let (id, time, signatures) = (needed("id")?, needed("timestamp")?, needed("signature")?);
    let at_s = seconds("webhook-timestamp", time)?;
    if trust.secrets.is_empty() {
        return Err(Refusal::NoSecret);
    }
    let parts: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", incoming.body];
    let message = parts.concat();
    let keys: Vec<&[u8]> = trust.secrets.iter().filter_map(Secret::shared).collect();
    let fits = |signature: &&str| match signature.split_once(',') {
        Some(("v1", signature)) => {
            mac::fits(Algorithm::Sha256, Encoding::Base64, &keys, &[&message], signature)
        }
        Some(("v1a", signature)) => STANDARD.decode(signature).is_ok_and(|signature| {
            let publics = trust.secrets.iter().filter_map(Secret::public);
            publics.filter(|key| key.verify(&message, &signature).is_ok()).count() > 0
        }),
        _ => false,
    };
    if signatures.split_ascii_whitespace().take(SIGNATURES_MAX).filter(fits).count() == 0 {
        return Err(Refusal::WrongSignature);
    }
    trust.check_time(at_s)
}
