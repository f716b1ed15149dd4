//! Where others send webhooks: kept byte for byte, answered at once, worked on afterwards.

use std::time::Instant;

use ::jobs::{TenantId, WebhookEventId, WebhookSourceId};
use axum::{
    Json as Body,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use serde::Serialize;
use serde_json::{Map, Value};
use store::inbox::{self, BODY_BYTES_MAX, NewEvent, NewRefusal, Received, Source};
use telemetry::trace_context::current_traceparent;
use utoipa::ToSchema;
use webhooks::{Identity, Incoming, Refusal, Scheme, Secret, Trust};

use crate::{
    AppState,
    extract::{self, Id},
    limits::{WEBHOOK_HEADER_BYTES_MAX, WEBHOOK_HEADERS_MAX},
    problem::{Code, Problem, ProblemDocument},
};

/// Words in names of headers that prove who sent a message. What proves it is not kept.
const PROOFS: [&str; 6] = ["signature", "hmac", "authorization", "cookie", "token", "secret"];

/// What became of a webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookReceipt)]
pub(crate) struct Receipt {
    /// The event.
    #[schema(value_type = String, example = "whe_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    event: WebhookEventId,
    /// It was here before, and nothing happens twice.
    duplicate: bool,
}

/// Send a webhook.
///
/// For those who tell us what happened to them. Needs no key: the signature is one. Answered when the message is kept, and
/// before anything is done about it.
#[utoipa::path(
    post, path = "/v1/hooks/{source}", tag = "Webhooks", operation_id = "receive_webhook",
    params(("source" = String, Path, description = "The source")),
    request_body(content = Vec<u8>, description = "As the sender signs it, up to 256 KiB", content_type = "application/octet-stream"),
    responses(
        (status = 202, description = "It is kept", body = Receipt),
        (status = 200, description = "It was kept before", body = Receipt),
        (status = "default", description = "A problem; 401 when it is not signed as the source signs, 429 when a source sends too much", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn receive_webhook(
    State(app): State<AppState>,
    Id(id): Id<WebhookSourceId>,
    request: Request,
) -> Result<Response, Problem> {
    let tenant = inbox::source_of(&app.db, id).await?.ok_or_else(no_source)?;
    // Asked once it is certain that there is such a source, so that nobody fills our memory with buckets of made-up ones.
    let allowance = app.hooks.take(id, Instant::now());
    if !allowance.allowed {
        let seconds = allowance.next_in_s;
        let detail = format!("this source sends too much at once; wait {seconds} s");
        return Err(Problem::new(Code::RateLimited, detail).retry_after(seconds));
    }
    let source = inbox::get(&app.db, tenant, id).await?.filter(|source| source.disabled_at.is_none());
    let source = source.ok_or_else(no_source)?;
    let (parts, body) = request.into_parts();
    let body = match extract::collect(body, &parts.headers, &app, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(problem) => {
            if let Some(word) = unread(problem.code()) {
                let reason = problem.detail().to_owned();
                write_down(&app, tenant, id, &parts.headers, word, reason, 0).await?;
            }
            return Err(problem);
        }
    };
    let scheme: Scheme = serde_json::from_value(source.scheme.0.clone()).map_err(Problem::internal)?;
    match judge(&app, &source, &scheme, &parts, &body).await? {
        Ok(identity) => keep(&app, tenant, &source, &scheme, identity, &parts.headers, body).await,
        Err(refusal) => {
            let (word, reason) = (refusal.word(), refusal.to_string());
            write_down(&app, tenant, id, &parts.headers, word, reason, body.len()).await?;
            Err(Problem::new(Code::SignatureRefused, "this is not signed as the source signs"))
        }
    }
}

/// The word for a body that was not read to its end.
fn unread(code: Code) -> Option<&'static str> {
    match code {
        Code::PayloadTooLarge => Some("too_large"),
        Code::BodyTimeout => Some("too_slow"),
        _ => None,
    }
}

fn no_source() -> Problem {
    Problem::not_found("webhook source")
}

/// Whether the message is from whom it says.
async fn judge(
    app: &AppState,
    source: &Source,
    scheme: &Scheme,
    parts: &Parts,
    body: &[u8],
) -> Result<Result<Identity, Refusal>, Problem> {
    let now = Utc::now();
    let texts = inbox::secrets(&app.db, source, now)?;
    let secrets: Vec<Secret> = texts.iter().filter_map(|text| Secret::parse(scheme, text).ok()).collect();
    let path = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |path| path.as_str());
    let url = format!("{}{path}", app.settings.public_url.trim_end_matches('/'));
    let headers: Vec<(String, String)> = texts_of(&parts.headers).collect();
    let incoming = Incoming { url: &url, headers: &headers, body };
    let certificate = match scheme {
        Scheme::Sns => match webhooks::certificate_url(body) {
            Ok(url) => Some(app.certificates.get(&url).await?),
            Err(refusal) => return Ok(Err(refusal)),
        },
        _ => None,
    };
    let trust = Trust {
        secrets: &secrets,
        certificate: certificate.as_deref(),
        window_s: source.window_s as u32,
        now_s: now.timestamp(),
    };
    Ok(webhooks::verify(scheme, &incoming, &trust))
}

/// Keeps the message together with the job that will look at it.
async fn keep(
    app: &AppState,
    tenant: TenantId,
    source: &Source,
    scheme: &Scheme,
    identity: Identity,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let read = source.order_pointer.as_deref().map(|pointer| (webhooks::read_body(&body), pointer));
    let object = read.as_ref().and_then(|(body, pointer)| object(body, pointer));
    let sequence = read
        .as_ref()
        .zip(source.sequence_pointer.as_deref())
        .and_then(|((body, _), pointer)| webhooks::sequence(body, pointer));
    let own = if let Scheme::Generic(generic) = scheme { Some(generic.header.as_str()) } else { None };
    let new = NewEvent {
        source: source.id(),
        event_id: identity.id,
        event_type: identity.event_type,
        object,
        sequence,
        headers: kept(headers, own),
        body: body.into(),
        traceparent: current_traceparent(),
    };
    let (status, event, duplicate) = match inbox::take(&app.db, tenant, new).await? {
        Received::New(event) => (StatusCode::ACCEPTED, event, false),
        Received::Before(event) => (StatusCode::OK, event, true),
    };
    Ok((status, Body(Receipt { event, duplicate })).into_response())
}

/// The thing that a message is about.
fn object(body: &Value, pointer: &str) -> Option<String> {
    match body.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Writes down for the operator why a message was not taken in.
async fn write_down(
    app: &AppState,
    tenant: TenantId,
    source: WebhookSourceId,
    headers: &HeaderMap,
    word: &'static str,
    reason: String,
    body_bytes: usize,
) -> Result<(), Problem> {
    tracing::debug!("A webhook of {source} was refused: {reason}");
    let refusal = NewRefusal { word, reason, headers: kept(headers, None), body_bytes };
    inbox::refuse(&app.db, tenant, source, &refusal).await?;
    Ok(())
}

/// The headers that are text.
fn texts_of(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
}

/// The headers that are kept: not too many, not too long, and none that proves who sent the message.
fn kept(headers: &HeaderMap, own: Option<&str>) -> Value {
    let is_proof = |name: &str| {
        PROOFS.iter().any(|proof| name.contains(proof))
            || own.is_some_and(|own| own.eq_ignore_ascii_case(name))
    };
    let kept = texts_of(headers).filter(|(name, _)| !is_proof(name)).take(WEBHOOK_HEADERS_MAX);
    let short = |value: String| Value::String(value.chars().take(WEBHOOK_HEADER_BYTES_MAX).collect());
    Value::Object(kept.map(|(name, value)| (name, short(value))).collect::<Map<_, _>>())
}
