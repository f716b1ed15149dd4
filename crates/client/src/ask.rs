//! One request, as often as it has to be sent.

use std::fmt::Write as _;

use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

use crate::Error;

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) body: Option<Body>,
    /// It takes an `Idempotency-Key`.
    pub(crate) is_keyed: bool,
    /// It takes `Prefer: wait`.
    pub(crate) is_waiting: bool,
    /// It is answered by a redirect.
    pub(crate) leads_elsewhere: bool,
    /// The id of the last event, for a stream that goes on.
    pub(crate) last_event_id: Option<String>,
}

/// What is sent with it.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Json(Vec<u8>),
    Bytes(Vec<u8>),
}

impl Ask {
    pub(crate) fn new(method: Method, path: &str) -> Self {
        let path = path.to_owned();
        Self {
            method,
            path,
            body: None,
            is_keyed: false,
            is_waiting: false,
            leads_elsewhere: false,
            last_event_id: None,
        }
    }

    /// With `value` where the path has `{name}`.
    pub(crate) fn at(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.path = self.path.replace(&format!("{{{name}}}"), &segment(value.as_ref()));
        self
    }

    pub(crate) fn query(mut self, pairs: Vec<(&'static str, String)>) -> Self {
        if !pairs.is_empty() {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            self.path = format!("{}?{query}", self.path);
        }
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        self.body = Some(Body::Json(serde_json::to_vec(body).map_err(Error::Unsent)?));
        Ok(self)
    }

    pub(crate) fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = Some(Body::Bytes(body));
        self
    }

    pub(crate) fn keyed(mut self) -> Self {
        self.is_keyed = true;
        self
    }

    pub(crate) fn waiting(mut self) -> Self {
        self.is_waiting = true;
        self
    }

    /// Whether sending it twice does no more than sending it once.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.is_keyed || [Method::GET, Method::PUT, Method::DELETE, Method::HEAD].contains(&self.method)
    }
}

/// `value` as one segment of a path, whatever is in it.
fn segment(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"_~-".contains(&byte) || (byte == b'.' && value.len() > 2) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A value of the query.
pub(crate) fn written(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_put_into_a_path_stays_one_segment() {
        let ask = Ask::new(Method::GET, "/v1/jobs/{id}/why");
        for (id, path) in [
            ("job_0192", "/v1/jobs/job_0192/why"),
            ("../keys?x=1#y", "/v1/jobs/..%2Fkeys%3Fx%3D1%23y/why"),
            ("..", "/v1/jobs/%2E%2E/why"),
            ("media.rendition", "/v1/jobs/media.rendition/why"),
            ("ä b", "/v1/jobs/%C3%A4%20b/why"),
        ] {
            assert_eq!(ask.clone().at("id", id).path, path);
        }
    }

    #[test]
    fn a_query_is_escaped_and_left_out_when_it_is_empty() {
        let ask = Ask::new(Method::GET, "/v1/jobs");
        assert_eq!(ask.clone().query(Vec::new()).path, "/v1/jobs");
        let pairs = vec![("tag", written(&"a&b=c d")), ("limit", written(&20))];
        assert_eq!(ask.query(pairs).path, "/v1/jobs?tag=a%26b%3Dc+d&limit=20");
    }

    #[test]
    fn only_what_does_no_harm_is_sent_twice() {
        assert!(Ask::new(Method::PUT, "/v1/limits/x").is_repeatable());
        assert!(!Ask::new(Method::POST, "/v1/pauses").is_repeatable());
        assert!(Ask::new(Method::POST, "/v1/jobs").keyed().is_repeatable());
    }
}
