//! What a request carries, checked on the way in. Every refusal is a problem.

use std::{str::FromStr, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, header, request::Parts},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    AppState,
    limits::{BATCH_BODY_BYTES_MAX, BATCH_TURN, BODY_BYTES_MAX},
    numbers::too_long_integer,
    problem::{Code, FieldError, Problem},
};

/// So much of an integer that cannot be used is told back.
const INTEGER_CHARS_SHOWN: usize = 40;

/// A JSON body of up to [`BODY_BYTES_MAX`].
pub(crate) struct Json<T>(pub T);

/// A JSON body of up to [`BATCH_BODY_BYTES_MAX`], of which only so many are held at once.
pub(crate) struct LargeJson<T> {
    pub(crate) body: T,
    /// Held until the body has been worked off.
    pub(crate) place: OwnedSemaphorePermit,
}

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Problem> {
        read(request, app, BODY_BYTES_MAX).await.and_then(|body| parse(&body)).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for LargeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Problem> {
        let Ok(Ok(place)) = tokio::time::timeout(BATCH_TURN, app.batches.clone().acquire_owned()).await
        else {
            let detail = "too many batches arrive at once; wait 1 s, or send fewer at a time";
            return Err(Problem::new(Code::Overloaded, detail).retry_after(1));
        };
        let body = read(request, app, BATCH_BODY_BYTES_MAX).await.and_then(|body| parse(&body))?;
        Ok(Self { body, place })
    }
}

/// A body that may be left out; then it is the default.
pub(crate) struct MaybeJson<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<AppState> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Problem> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            let (parts, body) = request.into_parts();
            let body = collect(body, &parts.headers, app, BODY_BYTES_MAX).await?;
            return if body.is_empty() { Ok(Self(T::default())) } else { Err(not_json()) };
        }
        let body = read(request, app, BODY_BYTES_MAX).await?;
        if body.is_empty() { Ok(Self(T::default())) } else { parse(&body).map(Self) }
    }
}

fn not_json() -> Problem {
    Problem::new(Code::UnsupportedMediaType, "send the body with `Content-Type: application/json`")
}

async fn read(request: Request, app: &AppState, bytes_max: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    if !is_json(&parts.headers) {
        return Err(not_json());
    }
    collect(body, &parts.headers, app, bytes_max).await
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
        || (kind.to_ascii_lowercase().starts_with("application/")
            && kind.to_ascii_lowercase().ends_with("+json"))
}

/// A body of up to `bytes_max`, whatever it holds.
pub(crate) async fn collect(
    body: Body,
    headers: &HeaderMap,
    app: &AppState,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(Code::PayloadTooLarge, format!("a body here takes at most {bytes_max} bytes"));
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(too_large());
    }
    let limit = Duration::from_millis(app.settings.body_read_timeout_ms);
    match tokio::time::timeout(limit, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(Code::BodyTimeout, "the body broke off; send it again")),
        Err(_) => Err(Problem::new(
            Code::BodyTimeout,
            format!("the body did not arrive within {} s", limit.as_secs()),
        )),
    }
}

/// Reads JSON into `T`, naming where it went wrong.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let malformed = |error: &serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        let reason = reason(error);
        Problem::new(Code::MalformedJson, format!("line {line}, column {column}: {reason}"))
    };
    let parsed =
        serde_path_to_error::deserialize(&mut reader).map_err(|error| match error.inner().classify() {
            serde_json::error::Category::Data => {
                Problem::invalid(vec![FieldError::new(pointer(error.path()), reason(error.inner()))])
            }
            _ => malformed(error.inner()),
        })?;
    reader.end().map_err(|error| malformed(&error))?;
    if let Some(integer) = too_long_integer(body) {
        let shown: String = integer.chars().take(INTEGER_CHARS_SHOWN).collect();
        let detail = format!("the integer {shown} does not fit into 64 bits; send it as a string");
        return Err(Problem::invalid(vec![FieldError::new("", detail)]));
    }
    Ok(parsed)
}

/// Reads a document that a form of ours was made into, as if it had been sent.
pub(crate) fn typed<T: DeserializeOwned>(document: &serde_json::Value) -> Result<T, Problem> {
    parse(document.to_string().as_bytes())
}

/// What is wrong, without the position, which is told apart.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// A path of serde as a JSON Pointer (RFC 6901).
pub(crate) fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

/// The id in the path. A text that is no id names nothing, so it is not found.
pub(crate) struct Id<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| Problem::not_found("id"))?;
        // A NUL is in no id, and in no text that the database knows.
        let plain = Some(text.0).filter(|text| !text.contains('\0'));
        plain.and_then(|text| text.parse().ok()).map(Self).ok_or_else(|| Problem::not_found("id"))
    }
}

/// The query, strictly: a parameter nobody reads is a mistake worth telling.
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                let text = rejection.body_text();
                let reason = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(Problem::new(Code::InvalidParameter, format!("the query cannot be used: {reason}")))
            }
        }
    }
}
