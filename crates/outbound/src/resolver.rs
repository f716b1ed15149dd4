//! Names to addresses, of which all have to be public.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use webhooks::address::is_public;

use crate::error::NotPublic;

/// Resolves as the system does, and refuses what leads to our own network.
pub(crate) struct Guarded {
    pub(crate) loopback: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One of them is enough to refuse all: a name that means several things is not chosen from.
            if let Some(private) = found.iter().find(|address| !may(address.ip(), loopback)) {
                return Err(NotPublic(private.ip()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address may be spoken to.
pub(crate) fn may(address: IpAddr, loopback: bool) -> bool {
    is_public(address) || (loopback && address.to_canonical().is_loopback())
}
