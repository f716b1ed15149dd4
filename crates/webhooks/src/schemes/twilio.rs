//! Twilio: an HMAC-SHA1 over the URL it called and the parameters of the form, or, for any other body, over the URL, whose
//! query then has the hash of the body. No time is signed.

use ring::digest::{SHA256, digest};
use url::Url;

use crate::{
    incoming::Incoming,
    mac,
    refusal::Refusal,
    scheme::{Algorithm, Encoding},
    verify::Trust,
};

const BODY_HASH: &str = "bodySHA256";

pub(crate) fn verify(incoming: &Incoming<'_>, trust: &Trust<'_>) -> Result<(), Refusal> {
    let signature = incoming.needed("x-twilio-signature")?;
    let keys = trust.keys()?;
    let url = Url::parse(incoming.url).map_err(|_| Refusal::Body("its URL is none"))?;
    let hash = url.query_pairs().find(|(name, _)| name == BODY_HASH).map(|(_, value)| value.into_owned());
    let parameters = if hash.is_some() { String::new() } else { parameters(incoming.body) };
    // The sender may or may not have named the port that goes with https.
    let spellings =
        [incoming.url.to_owned(), with_port(&url, incoming.url), without_port(&url, incoming.url)];
    let fits = |url: &&String| {
        let signed: [&[u8]; 2] = [url.as_bytes(), parameters.as_bytes()];
        mac::fits(Algorithm::Sha1, Encoding::Base64, &keys, &signed, signature)
    };
    if spellings.iter().filter(fits).count() == 0 {
        return Err(Refusal::WrongSignature);
    }
    match hash {
        Some(hash) if !hash.eq_ignore_ascii_case(&hex::encode(digest(&SHA256, incoming.body))) => {
            Err(Refusal::Body("bodySHA256 in the URL is not the hash of the body"))
        }
        _ => Ok(()),
    }
}

/// Every parameter of the form, by name and then value, one after the other; what is there twice counts once.
fn parameters(form: &[u8]) -> String {
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.into_iter().map(|(name, value)| name + &value).collect()
}

/// `text` with the port written out. Its other characters stay as they are: they are signed as they were sent.
fn with_port(url: &Url, text: &str) -> String {
    match (url.port(), url.port_or_known_default(), authority(text)) {
        (None, Some(port), Some(end)) => format!("{}:{port}{}", &text[..end], &text[end..]),
        _ => text.to_owned(),
    }
}

fn without_port(url: &Url, text: &str) -> String {
    let Some(end) = authority(text) else { return text.to_owned() };
    let head = &text[..end];
    let explicit = url.port_or_known_default().map(|port| format!(":{port}"));
    match explicit.and_then(|port| head.strip_suffix(port.as_str())) {
        Some(head) => format!("{head}{}", &text[end..]),
        None => text.to_owned(),
    }
}

/// Where the host and the port of a URL end.
fn authority(text: &str) -> Option<usize> {
    let start = text.find("://")? + 3;
    let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |at| start + at);
    Some(end)
}
