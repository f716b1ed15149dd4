//! Links to deliveries: `{delivery}.{when it ends}.{signature}`.
//!
//! The signature is HMAC-SHA256 (RFC 2104) under a secret of the delivery, so a link cannot be made up, cannot be made to
//! last longer, and ends with its secret. Whoever has a link has what it shows: it is in no log.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use jobs::DeliveryId;
use sha2::Sha256;
use store::deliveries::{self, Delivery};

use crate::{AppState, problem::Problem};

/// The address of `delivery`'s page.
pub(crate) fn address(public_url: &str, delivery: &Delivery) -> String {
    let end = delivery.expires_at.timestamp();
    let signature = signing(&delivery.link_secret, delivery.id(), end).finalize().into_bytes();
    format!("{public_url}/d/{}.{end}.{}", delivery.id(), BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn signing(secret: &[u8], delivery: DeliveryId, end: i64) -> Hmac<Sha256> {
    // A key that is shorter than a block of the hash stands for itself with zeros after it.
    let mut key = [0; 64];
    for (byte, of_secret) in key.iter_mut().zip(secret) {
        *byte = *of_secret;
    }
    <Hmac<Sha256> as Mac>::new(&key.into()).chain_update(format!("{delivery}.{end}"))
}

/// Why a link shows nothing.
#[derive(Debug)]
pub(super) enum Closed {
    /// There is no such link.
    Unknown,
    /// Its time is over, or it was taken back.
    Ended,
    /// What it will show is still being made.
    NotYet,
    /// A file was removed, or is held, since it was published.
    Withheld,
    /// What was said is empty, too long, or points outside the picture.
    Unsayable,
    /// Enough was said already.
    Full,
    /// It could not be looked up.
    Failed(Problem),
}

impl<E: Into<Problem>> From<E> for Closed {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The delivery that `link` opens.
pub(super) async fn open(app: &AppState, link: &str) -> Result<Delivery, Closed> {
    let (delivery, end, signature) = parse(link).ok_or(Closed::Unknown)?;
    let linked = deliveries::linked(&app.db, delivery).await?.ok_or(Closed::Unknown)?;
    signing(&linked.link_secret, delivery, end).verify_slice(&signature).map_err(|_| Closed::Unknown)?;
    let now = Utc::now();
    let ends_at = DateTime::from_timestamp(end, 0).unwrap_or_default().min(linked.expires_at);
    if linked.revoked_at.is_some() || ends_at <= now {
        return Err(Closed::Ended);
    }
    let delivery = deliveries::delivery(&app.db, linked.tenant(), delivery).await?.ok_or(Closed::Unknown)?;
    if delivery.manifest.is_none() { Err(Closed::NotYet) } else { Ok(delivery) }
}

fn parse(link: &str) -> Option<(DeliveryId, i64, Vec<u8>)> {
    let mut parts = link.split('.');
    let (delivery, end, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    parts.next().is_none().then_some((delivery.parse().ok()?, end.parse().ok()?, signature))
}
