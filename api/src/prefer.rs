//! `Prefer: wait=N` (RFC 7240).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::limits::WAIT_S_MAX;

static PREFER: HeaderName = HeaderName::from_static("prefer");
static APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the client wants to wait, cut to what we allow. A preference that cannot be read is ignored, as the
/// standard has it.
pub(crate) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all(&PREFER).into_iter().filter_map(|value| value.to_str().ok());
    let seconds = preferences.flat_map(|value| value.split(',')).find_map(|preference| {
        let (name, seconds) = preference.split(';').next()?.split_once('=')?;
        let seconds = seconds.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("wait").then(|| seconds.parse::<u64>().ok())?
    })?;
    Some(Duration::from_secs(seconds.min(WAIT_S_MAX)))
}

/// Says that we waited, and how long we would have.
pub(crate) fn applied(wait: Duration, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::try_from(format!("wait={}", wait.as_secs())) {
        headers.insert(APPLIED.clone(), value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::HeaderMap;

    use super::{PREFER, wait};

    #[test]
    fn a_wait_is_found_among_other_preferences_and_cut() {
        for (value, seconds) in [
            ("wait=5", Some(5)),
            ("respond-async, wait=10", Some(10)),
            ("handling=lenient; x=1, Wait = \"7\"", Some(7)),
            ("wait=86400", Some(30)),
            ("wait=soon", None),
            ("wait=-1", None),
            ("respond-async", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(PREFER.clone(), value.parse().unwrap());
            assert_eq!(wait(&headers), seconds.map(Duration::from_secs), "{value:?}");
        }
    }
}
