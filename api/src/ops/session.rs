//! The cookie that a browser keeps of a session, and what is made from it.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite, time::Duration as CookieAge};
use rand::{TryRngCore, rngs::OsRng};
use sha2::{Digest, Sha256};

use super::guard::digest;
use crate::{
    limits::{BROWSER_KNOWN_DAYS_MAX, SIGN_IN_TRIP_TTL},
    problem::Problem,
};

const NAME: &str = "crewline_session";
/// What is kept of a trip to an issuer.
const TRIP: &str = "crewline_trip";
const TOKEN_BYTES: usize = 32;

/// Another token: 256 random bits.
pub(super) fn new_token() -> Result<String, Problem> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(Problem::internal)?;
    Ok(hex::encode(bytes))
}

/// The token that the browser kept.
pub(super) fn token(headers: &HeaderMap) -> Option<String> {
    kept(headers, NAME)
}

/// What the browser kept of a trip to an issuer.
pub(super) fn trip(headers: &HeaderMap) -> Option<String> {
    kept(headers, TRIP)
}

fn kept(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let ours = all.flat_map(Cookie::split_parse).flatten().find(|cookie| cookie.name() == name)?;
    let is_token =
        ours.value().len() == TOKEN_BYTES * 2 && ours.value().bytes().all(|b| b.is_ascii_hexdigit());
    is_token.then(|| ours.value().to_owned())
}

/// What is stored of a token.
pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// What forms of this session carry: made from the token, and nothing of it can be made from this.
pub(super) fn csrf(token: &str) -> String {
    hex::encode(digest(&["csrf", token]))
}

/// Has the browser keep a token. It stays after the session is over: by it the browser is known again.
pub(super) fn keep(token: &str, public_url: &str) -> HeaderValue {
    cookie((NAME, token), super::ROOT, public_url, CookieAge::days(BROWSER_KNOWN_DAYS_MAX))
}

/// Has the browser keep what it comes back by.
pub(super) fn keep_trip(token: &str, public_url: &str) -> HeaderValue {
    cookie((TRIP, token), super::SIGN_IN, public_url, CookieAge::seconds(SIGN_IN_TRIP_TTL.as_secs() as i64))
}

/// A cookie that no script reads, and that browsers keep to themselves when a request comes from elsewhere.
pub(super) fn cookie(kept: (&str, &str), path: &str, public_url: &str, age: CookieAge) -> HeaderValue {
    let cookie = Cookie::build(kept)
        .path(path)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(public_url.starts_with("https://"))
        .max_age(age);
    HeaderValue::try_from(cookie.to_string()).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::{csrf, keep, keep_trip, new_token, token, trip};

    #[test]
    fn a_cookie_comes_back_and_nothing_else_is_one() {
        let made = new_token().unwrap();
        let kept = keep(&made, "https://crewline.test").to_str().unwrap().to_owned();
        assert!(
            kept.contains("HttpOnly") && kept.contains("SameSite=Strict") && kept.contains("Secure"),
            "{kept}"
        );
        assert!(!keep(&made, "http://127.0.0.1:8080").to_str().unwrap().contains("Secure"));
        let read = |cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("cookie", cookie.parse().unwrap());
            token(&headers)
        };
        assert_eq!(read(&format!("a=b; crewline_session={made}; c=d")), Some(made.clone()));
        assert_eq!(read("crewline_session=short"), None);
        let away = keep_trip(&made, "https://crewline.test").to_str().unwrap().to_owned();
        assert!(away.contains("HttpOnly; SameSite=Strict; Secure; Path=/ops/sign-in"), "{away}");
        let mut headers = HeaderMap::new();
        headers.insert("cookie", away.split(';').next().unwrap().parse().unwrap());
        assert_eq!((trip(&headers), token(&headers)), (Some(made.clone()), None));
        assert_ne!(csrf(&made), made);
    }
}
