//! Which addresses may be spoken to when somebody else chose them. Whoever names our own network in a URL must not reach it
//! through us.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use ipnet::{Ipv4Net, Ipv6Net};

/// Everything of IANA's registry of special addresses that is not the internet at large, multicast, what is kept for
/// later, and where one cloud answers about its machines at a public address.
const NOT_PUBLIC_V4: [&str; 19] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// Where all public addresses are, as long as IANA has given out nothing else.
const GLOBAL_UNICAST_V6: &str = "2000::/3";

/// What of that is not public: protocols, documentation, and tunnels, which hide an address of version 4.
const NOT_PUBLIC_V6: [&str; 4] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

/// What translates to version 4: the last 32 bits say where to.
const NAT64: &str = "64:ff9b::/96";

static NETS_V4: LazyLock<Vec<Ipv4Net>> =
    LazyLock::new(|| NOT_PUBLIC_V4.iter().filter_map(|net| net.parse().ok()).collect());
static NETS_V6: LazyLock<Vec<Ipv6Net>> =
    LazyLock::new(|| NOT_PUBLIC_V6.iter().filter_map(|net| net.parse().ok()).collect());
static GLOBAL: LazyLock<Option<Ipv6Net>> = LazyLock::new(|| GLOBAL_UNICAST_V6.parse().ok());
static TRANSLATED: LazyLock<Option<Ipv6Net>> = LazyLock::new(|| NAT64.parse().ok());

/// Whether `address` is one of the internet at large.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NETS_V4.iter().any(|net| net.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    if TRANSLATED.is_some_and(|net| net.contains(&address)) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    GLOBAL.is_some_and(|net| net.contains(&address)) && !NETS_V6.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_net_of_the_tables_is_one() {
        assert_eq!((NETS_V4.len(), NETS_V6.len()), (NOT_PUBLIC_V4.len(), NOT_PUBLIC_V6.len()));
        assert!(GLOBAL.is_some() && TRANSLATED.is_some());
    }

    #[test]
    fn our_own_network_is_not_public_however_it_is_spelled() {
        for address in [
            "127.0.0.1",
            "127.255.255.255",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address} was taken for public");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address} was not taken for public");
        }
    }

    proptest! {
        #[test]
        fn a_mapped_address_is_what_it_maps_to(bits: u32) {
            let plain = Ipv4Addr::from(bits);
            let mapped = IpAddr::V6(plain.to_ipv6_mapped());
            prop_assert_eq!(is_public(mapped), is_public(IpAddr::V4(plain)));
        }

        #[test]
        fn what_the_standard_library_calls_private_is_not_public(bits: u32) {
            let plain = Ipv4Addr::from(bits);
            let special = plain.is_private() || plain.is_loopback() || plain.is_link_local() || plain.is_multicast()
                || plain.is_documentation() || plain.is_broadcast() || plain.is_unspecified();
            prop_assert!(!special || !is_public(IpAddr::V4(plain)));
        }
    }
}
