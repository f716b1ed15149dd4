//! An HMAC as the operator describes it.

use crate::{incoming::Incoming, mac, refusal::Refusal, scheme::Generic, verify::Trust};

pub(crate) fn verify(scheme: &Generic, incoming: &Incoming<'_>, trust: &Trust<'_>) -> Result<(), Refusal> {
    let malformed =
        || Refusal::Malformed { header: scheme.header.clone(), reason: "it does not begin with the prefix" };
    let signature =
        incoming.needed(&scheme.header)?.trim().strip_prefix(scheme.prefix.as_str()).ok_or_else(malformed)?;
    let keys = trust.keys()?;
    let fits = |parts: &[&[u8]]| mac::fits(scheme.algorithm, scheme.encoding, &keys, parts, signature);
    let Some(name) = &scheme.timestamp_header else {
        return if fits(&[incoming.body]) { Ok(()) } else { Err(Refusal::WrongSignature) };
    };
    let at_s = incoming.seconds(name)?;
    let time = incoming.needed(name)?;
    if !fits(&[time.as_bytes(), b".", incoming.body]) {
        return Err(Refusal::WrongSignature);
    }
    trust.check_time(at_s)
}
