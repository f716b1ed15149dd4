//! GitHub: `X-Hub-Signature-256: sha256=<hex>` over the body. No time is signed.

use crate::{
    incoming::Incoming,
    mac,
    refusal::Refusal,
    scheme::{Algorithm, Encoding},
    verify::Trust,
};

const HEADER: &str = "x-hub-signature-256";

pub(crate) fn verify(incoming: &Incoming<'_>, trust: &Trust<'_>) -> Result<(), Refusal> {
    let malformed =
        || Refusal::Malformed { header: HEADER.to_owned(), reason: "it does not begin with sha256=" };
    let signature = incoming.needed(HEADER)?.strip_prefix("sha256=").ok_or_else(malformed)?;
    let fits = mac::fits(Algorithm::Sha256, Encoding::Hex, &trust.keys()?, &[incoming.body], signature);
    if fits { Ok(()) } else { Err(Refusal::WrongSignature) }
}
