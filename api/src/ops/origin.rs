//! Where a request comes from: from a page of ours or of others, and from which address.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use crate::{
    problem::{Code, Problem},
    server::Peer,
};

/// Refuses what a page of somebody else had the browser send. Browsers say so themselves; the token in the form is for
/// those that do not.
pub(super) fn ours(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let site = text("sec-fetch-site").unwrap_or("same-origin");
    let host = text(header::HOST.as_str()).unwrap_or_default();
    let has_our_origin = text(header::ORIGIN.as_str())
        .is_none_or(|origin| origin.split_once("://").is_some_and(|(_, of)| of == host));
    if matches!(site, "same-origin" | "none") && has_our_origin {
        return Ok(());
    }
    Err(Problem::new(Code::NotAllowed, "this came from another site; do it on the page itself"))
}

/// Whether a link of another site led here, so that the browser held back its cookie.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    site.is_some_and(|site| matches!(site, "cross-site" | "same-site"))
}

/// The network that a request comes from: an address, of IPv6 the 64 bits that a household has. Of what
/// `X-Forwarded-For` says only what `proxies` of ours have added counts.
pub(super) fn network(headers: &HeaderMap, peer: Option<Peer>, proxies: u8) -> String {
    let peer = peer.map_or(IpAddr::from([0; 4]), |Peer(address)| address);
    let added: Vec<IpAddr> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|address| address.trim().parse().ok())
        .collect();
    let told = usize::from(proxies).checked_sub(1).and_then(|back| added.iter().rev().nth(back)).copied();
    match told.unwrap_or(peer).to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::{network, ours};
    use crate::server::Peer;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_our_own_pages_may_send_forms() {
        let host = ("host", "crewline.test");
        for ok in
            [&[host][..], &[host, ("origin", "https://crewline.test"), ("sec-fetch-site", "same-origin")]]
        {
            assert!(ours(&headers(ok)).is_ok(), "{ok:?}");
        }
        for wrong in [
            ("origin", "https://evil.test"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(ours(&headers(&[host, wrong])).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_address_is_believed_from_our_own_proxies_only() {
        let peer = Some(Peer("10.0.0.1".parse().unwrap()));
        let forwarded = headers(&[("x-forwarded-for", "6.6.6.6, 7.7.7.7, 2001:db8:1:2:3::4")]);
        assert_eq!(network(&forwarded, peer, 0), "10.0.0.1");
        assert_eq!(network(&forwarded, peer, 1), "2001:db8:1:2");
        assert_eq!(network(&forwarded, peer, 2), "7.7.7.7");
        assert_eq!(network(&headers(&[]), peer, 1), "10.0.0.1");
    }
}
