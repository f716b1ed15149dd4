//! Names to addresses, of which all have to be public.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use webhooks::address::is_public;

use crate::error::NotPublic;

/// Who says what a name means.
pub(crate) type Names = fn(Name) -> Resolving;

/// As the system says.
pub(crate) fn by_system(name: Name) -> Resolving {
    Box::pin(async move {
        let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
        Ok(Box::new(found.into_iter()) as Addrs)
    })
}

/// Asks what a name means, and refuses what leads to our own network.
pub(crate) struct Guarded {
    pub(crate) loopback: bool,
    pub(crate) names: Names,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (loopback, found) = (self.loopback, (self.names)(name));
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            Ok(Box::new(all_public(found, loopback)?.into_iter()) as Addrs)
        })
    }
}

/// One that is not public is enough to refuse all: a name that means several things is not chosen from.
fn all_public(found: Vec<SocketAddr>, loopback: bool) -> Result<Vec<SocketAddr>, NotPublic> {
    match found.iter().find(|address| !may(address.ip(), loopback)) {
        Some(private) => Err(NotPublic(private.ip())),
        None => Ok(found),
    }
}

/// Whether an address may be spoken to.
pub(crate) fn may(address: IpAddr, loopback: bool) -> bool {
    is_public(address) || (loopback && address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_of_our_own_machine_is_refused() {
        let resolved = async |loopback| {
            Guarded { loopback, names: by_system }.resolve("localhost".parse().unwrap()).await
        };
        assert!(resolved(false).await.is_err());
        assert!(resolved(true).await.is_ok());
    }

    #[test]
    fn one_private_address_among_public_ones_refuses_all() {
        let all = |addresses: &[&str]| {
            let found = addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0));
            all_public(found.collect(), false).is_ok()
        };
        assert!(all(&["93.184.216.34", "2606:2800:220:1::1"]));
        for private in ["10.0.0.1", "169.254.169.254", "::1", "::ffff:192.168.0.1"] {
            assert!(!all(&["93.184.216.34", private]), "{private}");
        }
    }
}
