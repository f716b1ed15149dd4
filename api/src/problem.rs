//! Every error this API answers, as RFC 9457 problems with a stable code.
//!
//! A [`Problem`] travels to the outermost layer in the response's extensions: only there the request's id is known,
//! and only there it is written down, once, with everything that caused it.

use std::{error::Error, fmt, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use blob::BlobError;
use jobs::Invalid;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::StoreError;
use utoipa::ToSchema;

pub use crate::code::Code;

/// Longest text about one field.
const TEXT_CHARS_MAX: usize = 400;

/// A field that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Where: a JSON Pointer (RFC 6901) into the body, empty for the whole of it.
    #[schema(example = "/args/preset")]
    pub pointer: String,
    /// What to change.
    pub detail: String,
}

impl FieldError {
    /// An error at `pointer`.
    pub(crate) fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: storable(pointer.into()), detail: storable(detail.into()) }
    }

    /// A refusal by a kind's contract, whose pointers begin at the arguments.
    pub fn in_args(invalid: Invalid) -> Self {
        Self::new(format!("/args{}", invalid.pointer), invalid.reason)
    }
}

/// Both repeat what the client sent: bounded, and without the one character that Postgres cannot keep.
fn storable(text: String) -> String {
    if text.len() <= TEXT_CHARS_MAX && !text.contains('\0') {
        return text;
    }
    let mut short: String =
        text.chars().take(TEXT_CHARS_MAX).map(|c| if c == '\0' { '\u{FFFD}' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// How a problem looks on the wire.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// Where the code is explained.
    #[serde(rename = "type")]
    #[schema(example = "/docs/problems#invalid_body")]
    kind: String,
    /// What it is, the same for every problem of this code.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What to change this time.
    detail: String,
    /// The request's id, also in `X-Request-Id`.
    instance: String,
    /// A stable word.
    #[schema(value_type = String, example = "invalid_body")]
    code: Code,
    /// The fields that cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// What else belongs to this code, such as the `error` of a job.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    more: Map<String, Value>,
}

/// An error on its way to the client.
#[derive(Clone)]
pub(crate) struct Problem(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
    retry_after_s: Option<u64>,
    more: Map<String, Value>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem whose `detail` says what to change.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Arc::new(Inner {
            code,
            detail,
            errors: Vec::new(),
            retry_after_s: None,
            more: Map::new(),
            source: None,
        }))
    }

    /// Fields that cannot be used.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("{}: {}", one.pointer, one.detail),
            several => format!("{} fields cannot be used; see errors", several.len()),
        };
        Self::new(Code::InvalidBody, detail).with(|inner| inner.errors = errors)
    }

    /// No such thing, or none that this caller may know of.
    pub(crate) fn not_found(thing: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {thing}"))
    }

    /// Something that should not have happened; `source` goes to the log, never to the client.
    pub(crate) fn internal(source: impl Error + Send + Sync + 'static) -> Self {
        Self::new(
            Code::Internal,
            "the request could not be answered; it was written down under this instance",
        )
        .because(source)
    }

    /// An error of the database that several requests share.
    pub(crate) fn from_shared(error: Arc<StoreError>) -> Self {
        if error.is_transient() {
            return Self::new(Code::Unavailable, "the database does not answer")
                .retry_after(1)
                .because(error);
        }
        if error.is_unstorable() {
            let detail = "a text holds NUL, or a time lies outside of the years -4712 to 294276: neither can be stored or looked for";
            return Self::new(Code::InvalidParameter, detail).because(error);
        }
        if matches!(*error, StoreError::NoMasterKey { .. }) {
            let detail = "what is encrypted here needs a master key that this server was not given";
            return Self::new(Code::Unavailable, detail).retry_after(30).because(error);
        }
        Self::internal(error)
    }

    /// After how many seconds the client should try again.
    #[must_use]
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        self.with(|inner| inner.retry_after_s = Some(seconds))
    }

    /// A member beside the standard ones.
    #[must_use]
    pub(crate) fn member(self, name: &str, value: Value) -> Self {
        self.with(|inner| {
            inner.more.insert(name.to_owned(), value);
        })
    }

    /// What caused it, for the log.
    #[must_use]
    pub(crate) fn because(self, source: impl Error + Send + Sync + 'static) -> Self {
        self.with(|inner| inner.source = Some(Arc::new(source)))
    }

    /// Its code.
    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    /// What to change this time.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// After how many seconds to try again, if that may help.
    pub(crate) fn retry_after_s(&self) -> Option<u64> {
        self.0.retry_after_s
    }

    /// The fields that cannot be used.
    pub(crate) fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The answer to the request called `instance`. `headers` of the response that carried the problem are kept.
    pub(crate) fn render(&self, instance: &str, carrier: Response) -> Response {
        let inner = &self.0;
        let status = inner.code.status();
        let document = ProblemDocument {
            kind: format!("/docs/problems#{}", inner.code.word()),
            title: inner.code.title(),
            status: status.as_u16(),
            detail: inner.detail.clone(),
            instance: instance.to_owned(),
            code: inner.code,
            errors: inner.errors.clone(),
            more: inner.more.clone(),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let (mut parts, _) = carrier.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = inner.retry_after_s {
            parts.headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if inner.code == Code::Unauthenticated {
            parts
                .headers
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"crewline\""));
        }
        Response::from_parts(parts, Body::from(body))
    }

    /// The cause and its causes, on one line.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.0.detail.clone();
        let mut cause = self.0.source.as_ref().map(|source| &**source as &dyn Error);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.word(), self.chain())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::from_shared(Arc::new(error))
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        if error.is_transient() {
            return Self::new(Code::Unavailable, "the object store does not answer")
                .retry_after(1)
                .because(error);
        }
        Self::internal(error)
    }
}

/// An error of a job as problems carry it: the member `error`.
pub(crate) fn job_error(error: Option<&Value>) -> Value {
    error.cloned().unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, io};

    use axum::response::IntoResponse;
    use http_body_util::BodyExt;

    use super::{Code, FieldError, Problem, TEXT_CHARS_MAX};

    #[tokio::test]
    async fn what_went_wrong_inside_stays_inside() {
        let problem = Problem::internal(io::Error::other("password hunter2"));
        assert!(problem.chain().contains("hunter2"), "the log has it");
        let response = problem.render("req_1", problem.clone().into_response());
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (500, &"application/problem+json".parse().unwrap())
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("\"instance\":\"req_1\"") && !body.contains("hunter2"), "{body}");
    }

    #[test]
    fn every_code_has_a_word_of_its_own() {
        let words: HashSet<&str> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        assert!(
            Code::ALL.iter().all(|code| code.status().is_client_error() || code.status().is_server_error())
        );
    }

    #[test]
    fn what_is_repeated_to_the_client_is_bounded() {
        let error = FieldError::new("/a\0", "é".repeat(100_000));
        assert_eq!(error.pointer, "/a\u{FFFD}");
        assert_eq!(error.detail.chars().count(), TEXT_CHARS_MAX + 1);
    }
}
