//! Those who are told what happens: making, reading, switching and removing them, changing their secrets, and trying them.

use ::jobs::{WebhookDeliveryId, WebhookEndpointId};
use axum::{
    Json as Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use store::{
    outbox::{self, Created, Endpoint},
    submit::Answer,
};
use utoipa::ToSchema;
use webhooks::SigningKey;

use super::{
    submit::{mismatch, replayed, respond},
    webhook_endpoint_body::{EndpointBody, EndpointResource, Signing},
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json, MaybeJson},
    idempotency,
    limits::{WEBHOOK_ENDPOINTS_MAX, WEBHOOK_OVERLAP_S, WEBHOOK_OVERLAP_S_MAX},
    problem::{Code, FieldError, Problem, ProblemDocument},
};

const ROUTE: &str = "POST /v1/webhook-endpoints";

/// Be told what happens.
///
/// From a few seconds after this on, what happens to jobs and deliveries is posted to `url`, signed as Standard Webhooks wants
/// it. `secret` is shown once.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints", tag = "Webhooks", operation_id = "create_webhook_endpoint", request_body = EndpointBody,
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 201, description = "It will be told; `secret` is shown once", body = EndpointResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn create_webhook_endpoint(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<EndpointBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let signing = body.signing.key()?;
    let new = body.check(app.settings.webhooks_loopback, &signing, caller.key.to_string())?;
    let secret = signing.for_receiver().map_err(Problem::internal)?;
    let answer = |made: &Endpoint| {
        let resource = EndpointResource::with_secret(made, &secret);
        Answer::of(201, Some(format!("/v1/webhook-endpoints/{}", made.id())), &resource)
    };
    match outbox::create(&app.db, caller.tenant, &new, WEBHOOK_ENDPOINTS_MAX, key.as_ref(), answer).await? {
        Created::New(answer) => Ok(respond(answer)),
        Created::Replayed(answer) => Ok(replayed(respond(answer))),
        Created::Mismatch => Err(mismatch()),
        Created::TooMany => {
            let detail = format!("a tenant has at most {WEBHOOK_ENDPOINTS_MAX} endpoints; remove one");
            Err(Problem::new(Code::TooMany, detail))
        }
    }
}

/// Every endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookEndpoints {
    /// Oldest first.
    endpoints: Vec<EndpointResource>,
}

/// List those who are told what happens.
#[utoipa::path(
    get, path = "/v1/webhook-endpoints", tag = "Webhooks", operation_id = "list_webhook_endpoints",
    responses(
        (status = 200, description = "All of them", body = WebhookEndpoints),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_webhook_endpoints(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Body<WebhookEndpoints>, Problem> {
    let found = outbox::list(&app.db, caller.tenant, WEBHOOK_ENDPOINTS_MAX).await?;
    Ok(Body(WebhookEndpoints { endpoints: found.iter().map(EndpointResource::of).collect() }))
}

/// Look at somebody who is told what happens.
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{id}", tag = "Webhooks", operation_id = "get_webhook_endpoint",
    params(("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The endpoint", body = EndpointResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_webhook_endpoint(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<WebhookEndpointId>,
) -> Result<Body<EndpointResource>, Problem> {
    let found = outbox::get(&app.db, caller.tenant, id).await?.ok_or_else(no_endpoint)?;
    Ok(Body(EndpointResource::of(&found)))
}

/// Another secret.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhookEndpointSecret)]
pub(crate) struct RotateBody {
    /// `v1` or `v1a`; as it is unless given.
    #[serde(default)]
    signing: Option<Signing>,
    /// For how many seconds messages are signed with the one of before too; a day unless given.
    #[serde(default)]
    #[schema(maximum = 604_800)]
    overlap_s: Option<u32>,
}

/// Change the secret that messages are signed with.
///
/// For a while they carry two signatures, of which either is enough. They are signed as before unless `signing` is given.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/secret", tag = "Webhooks", operation_id = "rotate_webhook_endpoint_secret",
    params(("id" = String, Path, description = "The endpoint")), request_body = RotateBody,
    responses(
        (status = 200, description = "The new `secret`, shown once", body = EndpointResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn rotate_webhook_endpoint_secret(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WebhookEndpointId>,
    MaybeJson(body): MaybeJson<RotateBody>,
) -> Result<Body<EndpointResource>, Problem> {
    let overlap_s = body.overlap_s.unwrap_or(WEBHOOK_OVERLAP_S);
    if overlap_s > WEBHOOK_OVERLAP_S_MAX {
        let detail = format!("at most {WEBHOOK_OVERLAP_S_MAX}");
        return Err(Problem::invalid(vec![FieldError::new("/overlap_s", detail)]));
    }
    let before = outbox::get(&app.db, caller.tenant, id).await?.ok_or_else(no_endpoint)?;
    let signing = match body.signing {
        Some(signing) => signing,
        None => present(&app, &before)?,
    };
    let key = signing.key()?;
    let secret = key.for_receiver().map_err(Problem::internal)?;
    let changed = outbox::rotate(&app.db, caller.tenant, id, &key.text(), overlap_s).await?;
    tracing::info!("The secret of {id} was changed");
    Ok(Body(EndpointResource::with_secret(&changed.ok_or_else(no_endpoint)?, &secret)))
}

/// How messages to `endpoint` are signed now.
fn present(app: &AppState, endpoint: &Endpoint) -> Result<Signing, Problem> {
    let keys = outbox::keys(&app.db, endpoint, Utc::now())?;
    let text = keys.first().map(String::as_str).unwrap_or_default();
    SigningKey::parse(text).map(|key| Signing::of(&key)).map_err(Problem::internal)
}

/// Tell an endpoint again what happens.
///
/// From now on. For what it missed, POST `recover`.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/enable", tag = "Webhooks", operation_id = "enable_webhook_endpoint",
    params(("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "It is told again", body = EndpointResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn enable_webhook_endpoint(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WebhookEndpointId>,
) -> Result<Body<EndpointResource>, Problem> {
    let changed = outbox::enable(&app.db, caller.tenant, id, None).await?.ok_or_else(no_endpoint)?;
    Ok(Body(EndpointResource::of(&changed)))
}

/// Tell an endpoint nothing more.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/disable", tag = "Webhooks", operation_id = "disable_webhook_endpoint",
    params(("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "It is told nothing more", body = EndpointResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn disable_webhook_endpoint(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WebhookEndpointId>,
) -> Result<Body<EndpointResource>, Problem> {
    let reason = format!("switched off by {}", caller.key);
    let changed = outbox::enable(&app.db, caller.tenant, id, Some(&reason)).await?.ok_or_else(no_endpoint)?;
    Ok(Body(EndpointResource::of(&changed)))
}

/// A test on its way.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookTest {
    /// The delivery: GET it to see how it went.
    #[schema(value_type = String)]
    delivery: WebhookDeliveryId,
}

/// Try an endpoint.
///
/// Sends it a message of the type `webhook_endpoint.test`, whatever it wants to be told of.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/test", tag = "Webhooks", operation_id = "test_webhook_endpoint",
    params(("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 202, description = "It is on its way", body = WebhookTest),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn test_webhook_endpoint(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WebhookEndpointId>,
) -> Result<Response, Problem> {
    let delivery = outbox::test(&app.db, caller.tenant, id).await?.ok_or_else(no_endpoint)?;
    Ok((StatusCode::ACCEPTED, Body(WebhookTest { delivery })).into_response())
}

/// Remove an endpoint.
///
/// With everything it was told.
#[utoipa::path(
    delete, path = "/v1/webhook-endpoints/{id}", tag = "Webhooks", operation_id = "remove_webhook_endpoint",
    params(("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_webhook_endpoint(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WebhookEndpointId>,
) -> Result<StatusCode, Problem> {
    if !outbox::remove(&app.db, caller.tenant, id).await? {
        return Err(no_endpoint());
    }
    tracing::info!("{id} was removed");
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn no_endpoint() -> Problem {
    Problem::not_found("webhook endpoint")
}
