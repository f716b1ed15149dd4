//! Where a browser takes notices: what its Push API hands out, as `JSON.stringify(subscription)` writes it.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// Bytes of an uncompressed point of P-256, and how it begins (SEC 1, 2.3.3).
const POINT_BYTES: usize = 65;
const UNCOMPRESSED: u8 = 4;
/// Bytes of the secret that a browser shares (RFC 8291, 3.2).
const SECRET_BYTES: usize = 16;

/// A browser that takes notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Where its push service takes them.
    pub endpoint: String,
    /// With what they are sealed.
    pub keys: SubscriptionKeys,
}

/// With what notices to a browser are sealed, so that its push service cannot read them (RFC 8291).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionKeys {
    /// Its public key: a point of P-256, base64url.
    pub p256dh: String,
    /// A secret of 16 bytes, base64url.
    pub auth: String,
}

impl Subscription {
    /// Reads one; what else a browser writes into it is left out.
    ///
    /// # Errors
    /// Says what it takes.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let wants = "takes JSON.stringify of a PushSubscription: an endpoint, and keys with p256dh and auth";
        let subscription: Self = serde_json::from_str(text).map_err(|_| wants)?;
        let (point, secret) = (subscription.keys.point(), subscription.keys.secret());
        let holds = point.is_some_and(|point| point[0] == UNCOMPRESSED) && secret.is_some();
        if holds { Ok(subscription) } else { Err(wants) }
    }
}

impl SubscriptionKeys {
    /// The public key, if it is one.
    pub fn point(&self) -> Option<[u8; POINT_BYTES]> {
        bytes(&self.p256dh)
    }

    /// The secret, if it is one.
    pub fn secret(&self) -> Option<[u8; SECRET_BYTES]> {
        bytes(&self.auth)
    }
}

/// Browsers leave the padding out, some libraries write it.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = r#"{"endpoint":"https://push.example/1","expirationTime":null,"keys":{"p256dh":"BLn9b-VR0ca83knDNZ32dCHGyjJp-1riX9ZTN40MqV8K_LpQmLqxC_DoHvqvFXO_nGdAB4W9dogZb_sM-uV4JbY","auth":"_ordMnz7uTCmrpBTeUV4Bw"}}"#;

    #[test]
    fn what_a_browser_writes_is_read() {
        let read = Subscription::parse(WRITTEN).unwrap();
        assert_eq!(read.endpoint, "https://push.example/1");
        let again = serde_json::to_string(&read).unwrap();
        assert_eq!(Subscription::parse(&again), Ok(read));
        assert!(!again.contains("expirationTime"));
    }

    #[test]
    fn keys_that_seal_nothing_are_refused() {
        for (part, wrong) in [("BLn9b", "CLn9b"), ("BLn9b", ""), ("_ordM", "_or"), ("\"auth\"", "\"else\"")] {
            assert!(Subscription::parse(&WRITTEN.replace(part, wrong)).is_err(), "{wrong}");
        }
        assert!(Subscription::parse("a-token").is_err());
    }
}
