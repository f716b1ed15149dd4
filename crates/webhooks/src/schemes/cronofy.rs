//! Cronofy: one signature of the body for each secret that is in use, separated by commas. No time is signed; a message
//! says only that something changed, so one that comes twice does no harm.

use crate::{
    incoming::Incoming,
    mac,
    refusal::Refusal,
    scheme::{Algorithm, Encoding},
    verify::Trust,
};

/// Signatures looked at in one header.
const SIGNATURES_MAX: usize = 16;

pub(crate) fn verify(incoming: &Incoming<'_>, trust: &Trust<'_>) -> Result<(), Refusal> {
    let header = incoming.needed("cronofy-hmac-sha256")?;
    let keys = trust.keys()?;
    let signatures = header.split(',').take(SIGNATURES_MAX);
    let fits =
        |signature: &&str| mac::fits(Algorithm::Sha256, Encoding::Base64, &keys, &[incoming.body], signature);
    if signatures.filter(fits).count() == 0 { Err(Refusal::WrongSignature) } else { Ok(()) }
}
