//! Which URLs may be called at all, as far as that shows before a name is resolved.

use std::net::IpAddr;

use url::{Host, Url};

use crate::resolver::may;

/// Bytes of a URL.
pub const URL_BYTES_MAX: usize = 2_000;

/// Why a URL may not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// It is none.
    #[error("an absolute URL of up to {URL_BYTES_MAX} bytes")]
    NoUrl,
    /// It is not https.
    #[error("the URL has to begin with https://")]
    NotHttps,
    /// A name and a password stand in it.
    #[error("the URL must not have a user or a password in it")]
    HasUser,
    /// It names an address that is not public.
    #[error("{0} is not a public address")]
    NotPublic(String),
}

/// The URL, if it may be called. With `loopback`, also `http` to this very machine.
///
/// # Errors
/// Says why not.
pub fn check(text: &str, loopback: bool) -> Result<Url, BadTarget> {
    let url = read(text, loopback)?;
    if let Some(Host::Domain(name)) = url.host()
        && is_local(name)
    {
        return Err(BadTarget::NotPublic(name.to_owned()));
    }
    match address(&url) {
        Some(address) if !may(address, loopback) => Err(BadTarget::NotPublic(address.to_string())),
        _ => Ok(url),
    }
}

/// The URL, if an operator may have it called: wherever it leads, by https, or `http` to this very machine.
pub(crate) fn check_configured(text: &str) -> Result<Url, BadTarget> {
    read(text, true)
}

/// A URL that says in a way that we take where it leads. With `loopback`, that may be `http` to this very machine.
fn read(text: &str, loopback: bool) -> Result<Url, BadTarget> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= URL_BYTES_MAX).ok_or(BadTarget::NoUrl)?;
    url.host().ok_or(BadTarget::NoUrl)?;
    let is_here = address(&url).is_some_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if loopback && is_here => {}
        _ => return Err(BadTarget::NotHttps),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadTarget::HasUser);
    }
    Ok(url)
}

/// The address that stands in place of a name.
fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

/// Names that are no names of the internet, whatever a resolver says about them.
fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || [".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_to_public_addresses_is_called() {
        for url in [
            "https://example.com/hook",
            "https://example.com:8443/hook?x=1",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
        ] {
            assert!(check(url, false).is_ok(), "{url}");
        }
        // Spelled in every way that a URL knows.
        for url in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://db.internal/",
            "https://printer.local/",
            "https://0/",
            "https://[fd00:ec2::254]/",
        ] {
            assert!(
                matches!(check(url, false), Err(BadTarget::NotPublic(_))),
                "{url}: {:?}",
                check(url, false)
            );
        }
        for url in ["http://example.com/", "ftp://example.com/", "http://127.0.0.1/"] {
            assert_eq!(check(url, false), Err(BadTarget::NotHttps), "{url}");
        }
        assert_eq!(check("https://a:b@example.com/", false), Err(BadTarget::HasUser));
        assert_eq!(check("example.com", false), Err(BadTarget::NoUrl));
    }

    #[test]
    fn what_an_operator_configured_may_be_private_and_not_in_the_open() {
        for url in [
            "https://10.0.0.1/realms/acme",
            "https://sso.internal/",
            "https://id.example.com",
            "http://127.0.0.1:1/",
        ] {
            assert!(check_configured(url).is_ok(), "{url}");
        }
        for url in ["http://10.0.0.1/", "http://sso.internal/", "http://id.example.com/", "ftp://127.0.0.1/"]
        {
            assert_eq!(check_configured(url), Err(BadTarget::NotHttps), "{url}");
        }
        assert_eq!(check_configured("https://a:b@sso.internal/"), Err(BadTarget::HasUser));
        assert_eq!(check_configured("sso.internal"), Err(BadTarget::NoUrl));
    }

    #[test]
    fn loopback_lets_this_machine_through_and_nothing_else() {
        assert!(check("http://127.0.0.1:8080/", true).is_ok());
        for url in ["http://10.0.0.1/", "http://example.com/", "https://10.0.0.1/"] {
            assert!(check(url, true).is_err(), "{url}");
        }
    }
}
