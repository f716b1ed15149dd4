//! The outermost layer: every request gets an id, a span, a time limit, metrics, and an answer whatever happens.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use rand::Rng;
use telemetry::{fields, metrics as names, trace_context};
use tracing::{Instrument, Span, field::Empty};

use crate::{
    limits::{ANSWER_TIMEOUT, COMPLETE_TIMEOUT},
    prefer,
    problem::{Code, Problem},
};

/// Carries the id of a request, both ways.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const REQUEST_ID_BYTES_MAX: usize = 128;
const UNMATCHED: &str = "unmatched";

/// Answers `request` and writes down how.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(request.headers());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| UNMATCHED.to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let span = span(&request, &route, &id);
    let limit = time_limit(&request, &route);
    let traceparent =
        request.headers().get("traceparent").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let answering = AssertUnwindSafe(tokio::time::timeout(limit, next.run(request)));
    let answering = trace_context::carry(traceparent.as_deref(), answering.catch_unwind());
    let mut response = match answering.instrument(span.clone()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => too_slow(limit),
        Err(panic) => panicked(&*panic),
    };
    if let Some(problem) = problem_of(&mut response) {
        span.in_scope(|| write_down(&problem, &method, &route));
        response = problem.render(&id, response);
    }
    finish(response.headers_mut(), &id);
    span.record(fields::HTTP_STATUS, response.status().as_u16());
    measure(&method, route, response.status(), began.elapsed());
    response
}

fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_plain = |text: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        (1..=REQUEST_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
    };
    given.filter(is_plain).map_or_else(|| format!("req_{:032x}", rand::rng().random::<u128>()), str::to_owned)
}

fn span(request: &Request, route: &str, id: &str) -> Span {
    let span = tracing::info_span!(
        "http.request",
        { fields::REQUEST_ID } = id,
        { fields::HTTP_METHOD } = %request.method(),
        { fields::HTTP_ROUTE } = route,
        { fields::HTTP_STATUS } = Empty,
        { fields::TENANT_ID } = Empty,
    );
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(traceparent) = header("traceparent") {
        trace_context::set_parent_with_state(&span, traceparent, header("tracestate"));
    }
    span
}

fn time_limit(request: &Request, route: &str) -> Duration {
    if route.ends_with("/complete") {
        return COMPLETE_TIMEOUT;
    }
    ANSWER_TIMEOUT + prefer::wait(request.headers()).unwrap_or_default()
}

fn too_slow(limit: Duration) -> Response {
    let seconds = limit.as_secs();
    Problem::new(Code::Slow, format!("no answer was found within {seconds} s")).retry_after(1).into_response()
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Problem::internal(std::io::Error::other(format!("a panic: {}", text.unwrap_or("without a message"))))
        .into_response()
}

/// The problem that a response carries, or stands for: layers that are not ours answer with bare statuses.
pub(crate) fn problem_of(response: &mut Response) -> Option<Problem> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Some(problem);
    }
    let status = response.status();
    let is_document = response.headers().contains_key(header::CONTENT_TYPE);
    (status.is_client_error() && !is_document).then(|| match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(Code::MethodNotAllowed, "use a method that the Allow header lists")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::PayloadTooLarge, "send a smaller body"),
        StatusCode::NOT_FOUND => Problem::not_found("path"),
        _ => Problem::new(Code::InvalidParameter, "the request could not be understood"),
    })
}

/// Writes a problem down, once.
pub(crate) fn write_down(problem: &Problem, method: &Method, route: &str) {
    let code = problem.code();
    if code.status().is_server_error() {
        tracing::error!(
            { fields::ERROR } = problem.chain(),
            problem.code = code.word(),
            "Could not answer {method} {route}"
        );
    } else {
        tracing::debug!(problem.code = code.word(), "Refused {method} {route}");
    }
}

fn finish(headers: &mut HeaderMap, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID.clone(), value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    // Answers hold a tenant's data. What may be kept says so itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
}

fn measure(method: &Method, route: String, status: StatusCode, took: Duration) {
    let method = method_label(method);
    metrics::histogram!(
        names::HTTP_REQUEST_DURATION_SECONDS, names::LABEL_ROUTE => route.clone(), names::LABEL_METHOD => method
    )
    .record(took.as_secs_f64());
    metrics::counter!(
        names::HTTP_REQUESTS_TOTAL, names::LABEL_ROUTE => route, names::LABEL_METHOD => method,
        names::LABEL_STATUS => status.as_str().to_owned()
    )
    .increment(1);
}

/// Methods are the client's to invent; labels are not.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
