//! Why a message is not believed, in words for whoever set the source up. The sender is told nothing.

/// Why a message is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header that the scheme needs is not there.
    #[error("the header {0} is missing")]
    NoHeader(String),
    /// A header is there, and nothing can be made of it.
    #[error("the header {header} cannot be read: {reason}")]
    Malformed {
        /// Which.
        header: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The message was signed with another secret, or changed on its way.
    #[error(
        "no signature fits any secret of this source; was the secret changed, or the body re-encoded by a proxy?"
    )]
    WrongSignature,
    /// Signed too long ago.
    #[error("signed {age_s} s ago, and {window_s} s are borne")]
    TooOld {
        /// How long ago.
        age_s: i64,
        /// How long is borne.
        window_s: i64,
    },
    /// Signed in the future.
    #[error("signed {ahead_s} s in the future: a clock is wrong")]
    TooNew {
        /// How far ahead.
        ahead_s: i64,
    },
    /// The body is not what the scheme sends.
    #[error("the body cannot be read: {0}")]
    Body(&'static str),
    /// The certificate is to be fetched from somewhere that is not Amazon.
    #[error("the certificate is not at an address of Amazon SNS")]
    ForeignCertificate,
    /// The certificate is none, is not of Amazon SNS, or its time is over.
    #[error("the certificate cannot be used: {0}")]
    BadCertificate(&'static str),
    /// The source has no secret that fits the scheme.
    #[error("the source has no secret that this scheme can use")]
    NoSecret,
}

impl Refusal {
    /// A stable word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NoHeader(_) => "header_missing",
            Self::Malformed { .. } => "header_malformed",
            Self::WrongSignature => "wrong_signature",
            Self::TooOld { .. } => "too_old",
            Self::TooNew { .. } => "too_new",
            Self::Body(_) => "unreadable_body",
            Self::ForeignCertificate => "foreign_certificate",
            Self::BadCertificate(_) => "bad_certificate",
            Self::NoSecret => "no_secret",
        }
    }
}
