//! Pauses of a tenant: what is not begun until somebody resumes it or its time is over.

use ::jobs::{PauseId, Queue};
use axum::{
    Json as Answer,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use store::pauses::{self, Pause, Scope};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::{Operator, Reader},
    extract::{Id, Json},
    limits::{PAUSE_DAYS_MAX, PAUSE_OWNER_CHARS_MAX, PAUSE_REASON_CHARS_MAX},
    problem::{FieldError, Problem, ProblemDocument},
};

/// What to pause: a queue, a kind, a kind in a queue, or with neither everything of the tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPause)]
pub(crate) struct PauseBody {
    /// Only jobs of this queue.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    queue: Option<Queue>,
    /// Only jobs of this kind.
    #[serde(default)]
    kind: Option<String>,
    /// Why, for whoever finds the work standing still.
    #[schema(example = "the printer is out of paper", min_length = 1, max_length = 500)]
    reason: String,
    /// Whom to ask; the API key unless given.
    #[serde(default)]
    #[schema(max_length = 200)]
    owner: Option<String>,
    /// Resumed by itself then; left out for until somebody does.
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
}

/// A pause.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pause)]
pub(crate) struct PauseResource {
    /// Which it is.
    #[schema(value_type = String, example = "pau_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: PauseId,
    /// It holds for every tenant; only who runs the installation ends it.
    whole_installation: bool,
    /// Only jobs of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    /// Only jobs of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Why.
    reason: String,
    /// Whom to ask.
    owner: String,
    /// Since when.
    created_at: DateTime<Utc>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
}

/// Every pause that concerns the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pauses {
    /// Oldest first.
    pauses: Vec<PauseResource>,
}

impl PauseResource {
    fn of(pause: Pause) -> Self {
        Self {
            id: pause.id(),
            whole_installation: pause.whole_installation,
            queue: pause.queue,
            kind: pause.kind,
            reason: pause.reason,
            owner: pause.paused_by,
            created_at: pause.created_at,
            expires_at: pause.expires_at,
        }
    }
}

impl PauseBody {
    fn check(&self, now: DateTime<Utc>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let fits = |text: &str, most: usize| {
            (1..=most).contains(&text.chars().count()) && !text.chars().any(|c| c == '\0')
        };
        if self.kind.as_deref().is_some_and(|kind| ::jobs::spec(kind).is_none()) {
            errors.push(FieldError::new("/kind", "no such kind; see GET /v1/kinds"));
        }
        if !fits(&self.reason, PAUSE_REASON_CHARS_MAX) {
            errors.push(FieldError::new("/reason", format!("1 to {PAUSE_REASON_CHARS_MAX} characters")));
        }
        if !self.owner.as_deref().is_none_or(|owner| fits(owner, PAUSE_OWNER_CHARS_MAX)) {
            errors.push(FieldError::new("/owner", format!("1 to {PAUSE_OWNER_CHARS_MAX} characters")));
        }
        if self.expires_at.is_some_and(|at| at <= now || at > now + TimeDelta::days(PAUSE_DAYS_MAX)) {
            errors.push(FieldError::new(
                "/expires_at",
                format!("in the future, at most {PAUSE_DAYS_MAX} days ahead"),
            ));
        }
        errors
    }
}

/// Pause a queue, a kind, or everything.
///
/// Nothing of it is begun from now on; what runs goes on. Pausing the same again takes the new reason and time.
#[utoipa::path(
    post, path = "/v1/pauses", tag = "Queues", operation_id = "pause", request_body = PauseBody,
    responses(
        (status = 201, description = "It is paused", body = PauseResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn pause(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Json(body): Json<PauseBody>,
) -> Result<Response, Problem> {
    let errors = body.check(Utc::now());
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let scope = Scope { queue: body.queue, kind: body.kind };
    let owner = body.owner.unwrap_or_else(|| caller.key.to_string());
    let id =
        pauses::pause(&app.db, Some(caller.tenant), &scope, &body.reason, &owner, body.expires_at).await?;
    tracing::info!(pause = %id, reason = body.reason, "Paused");
    let pauses = pauses::list(&app.db, caller.tenant).await?;
    let pause =
        pauses.into_iter().find(|pause| pause.id() == id).ok_or_else(|| Problem::not_found("pause"))?;
    Ok((StatusCode::CREATED, Answer(PauseResource::of(pause))).into_response())
}

/// List the pauses.
///
/// Those of the tenant, and those that hold for every tenant.
#[utoipa::path(
    get, path = "/v1/pauses", tag = "Queues", operation_id = "list_pauses",
    responses(
        (status = 200, description = "Every pause that concerns the tenant", body = Pauses),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_pauses(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Answer<Pauses>, Problem> {
    let pauses = pauses::list(&app.db, caller.tenant).await?;
    Ok(Answer(Pauses { pauses: pauses.into_iter().map(PauseResource::of).collect() }))
}

/// Resume what was paused.
#[utoipa::path(
    delete, path = "/v1/pauses/{id}", tag = "Queues", operation_id = "resume",
    params(("id" = String, Path, description = "The pause")),
    responses(
        (status = 204, description = "It is resumed"),
        (status = "default", description = "A problem; 404 also for a pause that holds for every tenant", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn resume(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(id): Id<PauseId>,
) -> Result<Response, Problem> {
    if !pauses::resume(&app.db, caller.tenant, id).await? {
        return Err(Problem::not_found("pause of this tenant"));
    }
    tracing::info!(pause = %id, "Resumed");
    Ok(StatusCode::NO_CONTENT.into_response())
}
