//! Those who send us webhooks: making, reading, switching and removing them, and changing their secrets.

use ::jobs::WebhookSourceId;
use axum::{
    Json as Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::{Deserialize, Serialize};
use store::{
    inbox::{self, Created, Source},
    submit::Answer,
};
use utoipa::ToSchema;
use webhooks::Scheme;

use super::{
    submit::{mismatch, replayed, respond},
    webhook_source_body::{SourceBody, SourceResource, check_secret},
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json},
    idempotency,
    limits::{WEBHOOK_OVERLAP_S, WEBHOOK_OVERLAP_S_MAX, WEBHOOK_SOURCES_MAX},
    problem::{Code, FieldError, Problem, ProblemDocument},
};

const ROUTE: &str = "POST /v1/webhook-sources";

/// Take webhooks from somebody.
///
/// Give `url` to the sender. Until rules say what events become, they are kept and parked.
#[utoipa::path(
    post, path = "/v1/webhook-sources", tag = "Webhooks", operation_id = "create_webhook_source",
    request_body(content = SourceBody, example = json!({
        "name": "resend", "scheme": {"type": "standard_webhooks"}, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    })),
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 201, description = "It may send", body = SourceResource),
        (status = "default", description = "A problem; 409 when the name is taken", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn create_webhook_source(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<SourceBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let new = body.check(caller.key.to_string())?;
    let answer = |made: &Source| {
        let resource = SourceResource::of(made, &app.settings.public_url);
        Answer::of(201, Some(format!("/v1/webhook-sources/{}", made.id())), &resource)
    };
    match inbox::create(&app.db, caller.tenant, &new, WEBHOOK_SOURCES_MAX, key.as_ref(), answer).await? {
        Created::New(answer) => Ok(respond(answer)),
        Created::Replayed(answer) => Ok(replayed(respond(answer))),
        Created::Mismatch => Err(mismatch()),
        Created::NameTaken => {
            Err(Problem::new(Code::NameTaken, format!("another source is called {}", new.name)))
        }
        Created::TooMany => {
            let detail = format!("a tenant has at most {WEBHOOK_SOURCES_MAX} sources; remove one");
            Err(Problem::new(Code::TooMany, detail))
        }
    }
}

/// Every source.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookSources {
    /// Oldest first.
    sources: Vec<SourceResource>,
}

/// List those who send us webhooks.
#[utoipa::path(
    get, path = "/v1/webhook-sources", tag = "Webhooks", operation_id = "list_webhook_sources",
    responses(
        (status = 200, description = "All of them", body = WebhookSources),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_webhook_sources(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Body<WebhookSources>, Problem> {
    let found = inbox::list(&app.db, caller.tenant, WEBHOOK_SOURCES_MAX).await?;
    let url = &app.settings.public_url;
    Ok(Body(WebhookSources { sources: found.iter().map(|source| SourceResource::of(source, url)).collect() }))
}

/// Look at somebody who sends us webhooks.
#[utoipa::path(
    get, path = "/v1/webhook-sources/{id}", tag = "Webhooks", operation_id = "get_webhook_source",
    params(("id" = String, Path, description = "The source")),
    responses(
        (status = 200, description = "The source; its secret is never shown", body = SourceResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_webhook_source(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<WebhookSourceId>,
) -> Result<Body<SourceResource>, Problem> {
    let found = inbox::get(&app.db, caller.tenant, id).await?.ok_or_else(no_source)?;
    Ok(Body(SourceResource::of(&found, &app.settings.public_url)))
}

/// Another secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhookSecret)]
pub(crate) struct SecretBody {
    /// What the sender signs with from now on.
    secret: String,
    /// For how many seconds the one of before holds too; a day unless given, 0 for not at all.
    #[serde(default)]
    #[schema(maximum = 604_800)]
    overlap_s: Option<u32>,
}

/// Change a secret.
///
/// The one of before holds for a while too, so that nothing is refused while the sender changes over.
#[utoipa::path(
    post, path = "/v1/webhook-sources/{id}/secret", tag = "Webhooks", operation_id = "rotate_webhook_secret",
    params(("id" = String, Path, description = "The source")), request_body = SecretBody,
    responses(
        (status = 200, description = "The new one holds", body = SourceResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn rotate_webhook_secret(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WebhookSourceId>,
    Json(body): Json<SecretBody>,
) -> Result<Body<SourceResource>, Problem> {
    let stands = inbox::get(&app.db, caller.tenant, id).await?.ok_or_else(no_source)?;
    let scheme: Scheme = serde_json::from_value(stands.scheme.0).map_err(Problem::internal)?;
    let overlap_s = body.overlap_s.unwrap_or(WEBHOOK_OVERLAP_S);
    let mut errors: Vec<FieldError> = check_secret(&scheme, Some(&body.secret)).into_iter().collect();
    if overlap_s > WEBHOOK_OVERLAP_S_MAX {
        errors.push(FieldError::new("/overlap_s", format!("at most {WEBHOOK_OVERLAP_S_MAX}")));
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let changed = inbox::rotate(&app.db, caller.tenant, id, &body.secret, overlap_s).await?;
    tracing::info!("The secret of {id} was changed");
    Ok(Body(SourceResource::of(&changed.ok_or_else(no_source)?, &app.settings.public_url)))
}

/// Take webhooks of a source again.
#[utoipa::path(
    post, path = "/v1/webhook-sources/{id}/enable", tag = "Webhooks", operation_id = "enable_webhook_source",
    params(("id" = String, Path, description = "The source")),
    responses(
        (status = 200, description = "It may send", body = SourceResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn enable_webhook_source(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WebhookSourceId>,
) -> Result<Body<SourceResource>, Problem> {
    let changed = inbox::enable(&app.db, caller.tenant, id, true).await?.ok_or_else(no_source)?;
    Ok(Body(SourceResource::of(&changed, &app.settings.public_url)))
}

/// Take no more webhooks of a source.
///
/// Its sender is answered 404. What it sent stays.
#[utoipa::path(
    post, path = "/v1/webhook-sources/{id}/disable", tag = "Webhooks", operation_id = "disable_webhook_source",
    params(("id" = String, Path, description = "The source")),
    responses(
        (status = 200, description = "Nothing more is taken", body = SourceResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn disable_webhook_source(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WebhookSourceId>,
) -> Result<Body<SourceResource>, Problem> {
    let changed = inbox::enable(&app.db, caller.tenant, id, false).await?.ok_or_else(no_source)?;
    Ok(Body(SourceResource::of(&changed, &app.settings.public_url)))
}

/// Remove a source.
///
/// With its rules and everything it sent. Jobs that it became go on.
#[utoipa::path(
    delete, path = "/v1/webhook-sources/{id}", tag = "Webhooks", operation_id = "remove_webhook_source",
    params(("id" = String, Path, description = "The source")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_webhook_source(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WebhookSourceId>,
) -> Result<StatusCode, Problem> {
    if !inbox::remove(&app.db, caller.tenant, id).await? {
        return Err(no_source());
    }
    tracing::info!("{id} was removed");
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn no_source() -> Problem {
    Problem::not_found("webhook source")
}
