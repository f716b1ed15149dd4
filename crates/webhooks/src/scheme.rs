//! How a sender signs.

use serde::{Deserialize, Serialize};

/// How a sender signs what it sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scheme {
    /// `Stripe-Signature`.
    Stripe,
    /// `Mux-Signature`.
    Mux,
    /// `X-Twilio-Signature`, over the URL and the form, or the URL with the hash of the body.
    Twilio,
    /// `Cronofy-HMAC-SHA256`.
    Cronofy,
    /// `webhook-signature` or `svix-signature`: Resend, Svix and whoever keeps to Standard Webhooks.
    StandardWebhooks,
    /// `X-Hub-Signature-256`.
    Github,
    /// Signed by Amazon SNS with a certificate: what SES sends. There is no secret.
    Sns,
    /// An HMAC as the operator describes it.
    Generic(Generic),
}

/// An HMAC over the body, as the operator describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generic {
    /// The header that has the signature.
    pub header: String,
    /// Which HMAC.
    pub algorithm: Algorithm,
    /// How it is written.
    pub encoding: Encoding,
    /// What stands before it, such as `sha256=`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// The header with the seconds since 1970 at which it was signed. What is signed is then its text, a full stop, and the
    /// body; without it, the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<String>,
    /// The header with the event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_header: Option<String>,
    /// Where the event's id stands in the body: a JSON Pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_pointer: Option<String>,
    /// Where the event's type stands in the body: a JSON Pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_pointer: Option<String>,
}

/// Which HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// For old senders.
    Sha1,
    /// What nearly everybody uses.
    Sha256,
    /// The longer one.
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal digits.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// How old a message may be when its scheme signs the time, unless the operator says otherwise.
const WINDOW_S: u32 = 300;
/// SNS signs the time of publishing and tries again for an hour.
const SNS_WINDOW_S: u32 = 2 * 3_600;

impl Scheme {
    /// The word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Mux => "mux",
            Self::Twilio => "twilio",
            Self::Cronofy => "cronofy",
            Self::StandardWebhooks => "standard_webhooks",
            Self::Github => "github",
            Self::Sns => "sns",
            Self::Generic(_) => "generic",
        }
    }

    /// Whether there is a secret to check with.
    pub const fn has_secret(&self) -> bool {
        !matches!(self, Self::Sns)
    }

    /// How old a message may be, in seconds, unless the operator says otherwise.
    pub const fn window_s(&self) -> u32 {
        match self {
            Self::Sns => SNS_WINDOW_S,
            _ => WINDOW_S,
        }
    }
}
