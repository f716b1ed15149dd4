//! Notices on devices: Web Push (RFC 8030), sealed for the browser (RFC 8291), signed by this installation (RFC 8292).

use std::time::Duration;

use anyhow::Context;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Utc;
use jobs::MessageId;
use notify::{Inbox, Subscription};
use outbound::{Outbound, OutboundError};
use reqwest::Url;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde_json::json;

use super::{Answer, Carries, Letter, http::meaning_of, sealed};

/// How long a push service keeps a notice for a device that is away.
const KEPT: Duration = Duration::from_hours(24);
/// How long a signature holds; push services take none that holds longer than a day (RFC 8292, 2).
const SIGNED_FOR: Duration = Duration::from_hours(12);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 1_024;

/// Who sends notices, as push services see it (VAPID).
pub(super) struct Identity {
    key: EcdsaKeyPair,
    public: String,
    contact: String,
}

impl Identity {
    /// A key pair of P-256 as base64url, and whom push services turn to.
    pub(super) fn new(key: &str, public: &str, contact: &str) -> anyhow::Result<Self> {
        let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('='));
        let takes = "--vapid-key and --vapid-public-key take what `npx web-push generate-vapid-keys` prints";
        let (private, point) = (bytes(key).context(takes)?, bytes(public).context(takes)?);
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key =
            EcdsaKeyPair::from_private_key_and_public_key(algorithm, &private, &point, &SystemRandom::new());
        let contact = contact.trim().to_owned();
        anyhow::ensure!(
            contact.starts_with("mailto:") || contact.starts_with("https://"),
            "--vapid-contact takes mailto: and an address, or an https URL"
        );
        let public = BASE64_URL_SAFE_NO_PAD.encode(point);
        Ok(Self { key: key.ok().context(takes)?, public, contact })
    }

    /// The header `Authorization` of a request to `endpoint`.
    fn sign(&self, endpoint: &Url) -> Option<String> {
        let until = Utc::now().timestamp() + SIGNED_FOR.as_secs() as i64;
        let claims =
            json!({ "aud": endpoint.origin().ascii_serialization(), "exp": until, "sub": self.contact });
        let part = |part: String| BASE64_URL_SAFE_NO_PAD.encode(part);
        let head = json!({ "typ": "JWT", "alg": "ES256" });
        let signed = format!("{}.{}", part(head.to_string()), part(claims.to_string()));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        Some(format!("vapid t={signed}.{signature}, k={}", self.public))
    }
}

/// Sends notices to browsers.
pub struct Push {
    outbound: Outbound,
    identity: Identity,
}

impl Carries for Push {
    type What = Inbox;
    const NAME: &'static str = "web_push";

    /// To the browser whose subscription the address is.
    async fn send(&self, letter: &Letter<'_>, line: &Inbox) -> Answer {
        let Some((endpoint, authorization, body)) = self.prepared(letter.message, letter.address, line)
        else {
            return Answer::Failed(
                "the address is no subscription that a notice can be sealed for".to_owned(),
            );
        };
        let (ttl, topic) = (KEPT.as_secs().to_string(), letter.message.as_uuid().simple().to_string());
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-encoding", "aes128gcm"),
            ("content-type", "application/octet-stream"),
            ("ttl", &ttl),
            // The same message twice is one on a device that was away (RFC 8030, 5.4).
            ("topic", &topic),
        ];
        match self.outbound.post(&endpoint, &headers, body, ANSWER_BYTES_MAX).await {
            Ok(said) => meaning_of(said.status, said.retry_after_s.map(Duration::from_secs), &said.body),
            Err(error) if error.is_ours() => Answer::Failed(error.to_string()),
            Err(error @ OutboundError::SetUp(_)) => Answer::Refused(error.to_string()),
            Err(error) if error.is_connect() => Answer::Away(error.to_string(), None),
            Err(error) => Answer::Unknown(error.to_string()),
        }
    }
}

impl Push {
    pub(super) fn new(outbound: Outbound, identity: Identity) -> Self {
        Self { outbound, identity }
    }

    /// Where to, signed, and what.
    fn prepared(&self, message: MessageId, address: &str, line: &Inbox) -> Option<(String, String, Vec<u8>)> {
        let Subscription { endpoint, keys } = Subscription::parse(address).ok()?;
        let body = sealed::seal(&notice(message, line), &keys.point()?, &keys.secret()?).ok()?;
        let authorization = self.identity.sign(&endpoint.parse().ok()?)?;
        Some((endpoint, authorization, body))
    }
}

/// What a service worker gets: `tag` makes the same message one on the screen too. A long body ends where there is no room.
fn notice(message: MessageId, line: &Inbox) -> Vec<u8> {
    let said = |body: &str| {
        json!({ "title": line.title, "body": body, "url": line.url, "tag": message }).to_string().into_bytes()
    };
    let whole = said(&line.body);
    if whole.len() <= sealed::BYTES_MAX {
        return whole;
    }
    let ends: Vec<usize> = line.body.char_indices().map(|(at, _)| at).collect();
    let fits = |end: &usize| said(&format!("{}…", &line.body[..*end])).len() <= sealed::BYTES_MAX;
    let kept = ends[..ends.partition_point(fits)].last().copied().unwrap_or_default();
    said(&format!("{}…", &line.body[..kept]))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_notice_fits_and_is_cut_between_characters() {
        let line = |body: String| Inbox { title: "Erinnerung".to_owned(), body, url: None };
        let body_of = |line: &Inbox| {
            let notice = notice(MessageId::new(), line);
            assert!(notice.len() <= sealed::BYTES_MAX, "{}", notice.len());
            serde_json::from_slice::<Value>(&notice).unwrap()["body"].as_str().unwrap().to_owned()
        };
        assert_eq!(body_of(&line("kurz".to_owned())), "kurz");
        for long in ["é".repeat(5_000), "\"".repeat(5_000), "a\n".repeat(3_000)] {
            let cut = body_of(&line(long.clone()));
            assert!(cut.len() > 1_500 && long.starts_with(cut.strip_suffix('…').unwrap()), "{}", cut.len());
        }
    }
}
