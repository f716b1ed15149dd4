//! Where traces are looked at: not here, but in whatever collects them.

use std::{error::Error, fmt, str::FromStr};

use axum::http::Uri;

/// What a trace id is put in place of.
const PLACE: &str = "{trace_id}";
/// The longest address.
const BYTES_MAX: usize = 1_000;

/// The address of a trace, with `{trace_id}` where its id stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceUrl(String);

/// A text is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTraceUrl;

impl fmt::Display for NoTraceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an http or https address with {PLACE} in it, of up to {BYTES_MAX} bytes")
    }
}

impl Error for NoTraceUrl {}

impl TraceUrl {
    /// Where the trace with this id is looked at.
    pub(super) fn of(&self, trace_id: &str) -> String {
        self.0.replace(PLACE, trace_id)
    }
}

impl FromStr for TraceUrl {
    type Err = NoTraceUrl;

    fn from_str(text: &str) -> Result<Self, NoTraceUrl> {
        let url = Self(text.to_owned());
        let tried = url.of(&"0".repeat(32));
        let uri: Uri = tried.parse().map_err(|_| NoTraceUrl)?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty());
        let names_one = text.contains(PLACE) && !tried.contains(['{', '}', '"', '<', '>']);
        if is_web && names_one && text.len() <= BYTES_MAX { Ok(url) } else { Err(NoTraceUrl) }
    }
}

#[cfg(test)]
mod tests {
    use super::TraceUrl;

    #[test]
    fn an_address_leads_to_a_trace_or_is_refused_at_the_start() {
        let url: TraceUrl = "https://jaeger.example.com/trace/{trace_id}?uiFind=x".parse().unwrap();
        assert_eq!(url.of("4bf92f"), "https://jaeger.example.com/trace/4bf92f?uiFind=x");
        let long = format!("https://x.example/{{trace_id}}{}", "x".repeat(1_000));
        for wrong in [
            "",
            "https://jaeger.example.com/trace/",
            "jaeger.example.com/{trace_id}",
            "/trace/{trace_id}",
            "javascript:alert({trace_id})",
            "https://x.example/{trace_id}/{span_id}",
            "https://x.example/{trace_id} x",
            &long,
        ] {
            assert!(wrong.parse::<TraceUrl>().is_err(), "{wrong}");
        }
    }
}
