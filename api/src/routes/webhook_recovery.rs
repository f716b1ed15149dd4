//! Telling an endpoint once more: what it missed, or all it was told in a range.

use ::jobs::{TenantId, WebhookEndpointId, WebhookMessageId};
use axum::{
    Json as Body,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::outbox::{self, Filter};
use utoipa::ToSchema;

use super::webhook_endpoints::no_endpoint;
use crate::{
    AppState,
    auth::Retrier,
    extract::{Id, Json},
    limits::WEBHOOK_RECOVER_MAX,
    problem::{FieldError, Problem, ProblemDocument},
};

/// What is told once more; what is pending is on its way.
const STATES: [&str; 2] = ["failed", "delivered"];

/// What is to be told once more. Everything that is left out fits.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookRecovery)]
pub(crate) struct RecoverBody {
    /// What happened before is left out.
    since: DateTime<Utc>,
    /// And what happened from then on.
    #[serde(default)]
    until: Option<DateTime<Utc>>,
    /// Of exactly this type.
    #[serde(default)]
    #[schema(example = "job.discarded")]
    event_type: Option<String>,
    /// `failed`, unless given: what was given up. `delivered`: what got through.
    #[serde(default)]
    #[schema(example = "failed")]
    state: Option<String>,
    /// Those after this one: `next` of the answer before.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    after: Option<WebhookMessageId>,
}

/// What will be told again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookRecovered {
    /// Messages on their way, oldest first, at most 1,000.
    pub(crate) messages: usize,
    /// Send this as `after` for those that follow; none when there are no more.
    #[schema(value_type = Option<String>)]
    pub(crate) next: Option<WebhookMessageId>,
}

/// Tell an endpoint what it missed.
///
/// What was given up since then; or, by `until`, `event_type` and `state`, what of a range is wanted. Each message goes out under its
/// `webhook-id` of before.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/recover", tag = "Webhooks", operation_id = "recover_webhook_deliveries",
    params(("id" = String, Path, description = "The endpoint")), request_body = RecoverBody,
    responses(
        (status = 202, description = "They are on their way", body = WebhookRecovered),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"]), ("api_key" = ["queue:operate"])),
)]
pub(crate) async fn recover_webhook_deliveries(
    State(app): State<AppState>,
    Retrier(caller): Retrier,
    Id(id): Id<WebhookEndpointId>,
    Json(body): Json<RecoverBody>,
) -> Result<Response, Problem> {
    let answer = recover(&app, caller.tenant, id, body).await?;
    Ok((StatusCode::ACCEPTED, Body(answer)).into_response())
}

/// Tells `endpoint` once more what fits `body`.
pub(crate) async fn recover(
    app: &AppState,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    body: RecoverBody,
) -> Result<WebhookRecovered, Problem> {
    let state = body.state.unwrap_or_else(|| STATES[0].to_owned());
    if !STATES.contains(&state.as_str()) {
        return Err(Problem::invalid(vec![FieldError::new("/state", STATES.join(", "))]));
    }
    outbox::get(&app.db, tenant, endpoint).await?.ok_or_else(no_endpoint)?;
    let filter = Filter {
        state: Some(state),
        event_type: body.event_type,
        since: Some(body.since),
        until: body.until,
    };
    let most = WEBHOOK_RECOVER_MAX;
    let told = outbox::recover(&app.db, tenant, endpoint, &filter, body.after, most).await?;
    Ok(WebhookRecovered { messages: told.messages, next: told.next })
}
