//! What can go wrong with a request to somewhere else.

use std::{error::Error, net::IpAddr};

use crate::target::BadTarget;

/// A request that was not answered.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// TLS could not be set up.
    #[error("could not set up requests to the outside")]
    SetUp(#[source] reqwest::Error),
    /// The address is none that may be spoken to.
    #[error(transparent)]
    Target(BadTarget),
    /// The name belongs to an address that is not public.
    #[error(transparent)]
    NotPublic(NotPublic),
    /// No answer came in time.
    #[error("no answer came in time")]
    Slow(#[source] reqwest::Error),
    /// It could not be reached, or broke off.
    #[error("it could not be reached, or broke off")]
    Unreachable(#[source] reqwest::Error),
}

/// A name belongs to an address that is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its name belongs to {0}, which is not a public address")]
pub struct NotPublic(pub IpAddr);

impl OutboundError {
    pub(crate) fn of(error: reqwest::Error) -> Self {
        if let Some(refused) = find(&error) {
            return Self::NotPublic(refused);
        }
        // The URL is the tenant's, and may have a secret in it.
        let error = error.without_url();
        if error.is_timeout() { Self::Slow(error) } else { Self::Unreachable(error) }
    }

    /// Whether we refused, rather than the other side.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Target(_) | Self::NotPublic(_))
    }

    /// Whether no connection came about, so that nothing was said.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Slow(error) | Self::Unreachable(error) if error.is_connect())
    }

    /// A stable word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::SetUp(_) => "set_up",
            Self::Target(_) => "bad_address",
            Self::NotPublic(_) => "address_not_public",
            Self::Slow(_) => "timeout",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

/// What the resolver said, beneath what reqwest made of it.
fn find(error: &reqwest::Error) -> Option<NotPublic> {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<NotPublic>() {
            return Some(*refused);
        }
        cause = error.source();
    }
    None
}
