//! What others told us: looking at it, having it looked at again, and what was not believed.

use ::jobs::{JobId, TenantId, WebhookEventId, WebhookRuleId, WebhookSourceId};
use axum::{
    Json as Body,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::inbox::{self, Event, Filter};
use utoipa::{IntoParams, ToSchema};

use super::{
    jobs::{page_size, read_cursor, write_cursor},
    webhook_sources::no_source,
};
use crate::{
    AppState,
    auth::{Reader, Retrier},
    extract::{Id, MaybeJson, Params},
    limits::{PAGE_DEFAULT, PAGE_MAX, WEBHOOK_JOBS_MAX, WEBHOOK_REPLAY_MAX},
    problem::{Code, FieldError, Problem, ProblemDocument},
    seeing::Shown,
};

/// The states of an event.
pub(crate) const STATES: [&str; 4] = ["received", "processed", "parked", "superseded"];

/// A webhook that came in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEvent)]
pub(crate) struct EventResource {
    /// Which it is.
    #[schema(value_type = String, example = "whe_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: WebhookEventId,
    /// As the sender names it; the hash of the body where it gives no name.
    event_id: String,
    /// What happened.
    event_type: String,
    /// `received`: nobody has looked at it. `processed`: it became jobs. `parked`: it did not, for `reason`. `superseded`: it did
    /// not, for a newer one about the same thing was processed before.
    state: String,
    /// Where it stands among those about the same thing, if its source says where to look: a number, or seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    /// Why it became nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How long its body is.
    body_bytes: i32,
    /// How often somebody had it looked at again.
    replays: i16,
    /// When it came.
    received_at: DateTime<Utc>,
    /// When it was looked at last.
    #[serde(skip_serializing_if = "Option::is_none")]
    processed_at: Option<DateTime<Utc>>,
}

impl EventResource {
    fn of(event: &Event) -> Self {
        Self {
            id: event.id(),
            event_id: event.event_id.clone(),
            event_type: event.event_type.clone(),
            state: event.state.clone(),
            sequence: event.sequence.clone(),
            reason: event.reason.clone(),
            body_bytes: event.body_bytes,
            replays: event.replays,
            received_at: event.received_at,
            processed_at: event.processed_at,
        }
    }
}

/// Which events are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventParams {
    /// `received`, `processed`, `parked` or `superseded`.
    state: Option<String>,
    /// Of exactly this type.
    event_type: Option<String>,
    /// Not before.
    since: Option<DateTime<Utc>>,
    /// Before.
    until: Option<DateTime<Utc>>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// A page of events, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookEventPage {
    /// The events, without their bodies.
    events: Vec<EventResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List what a source sent, newest first.
#[utoipa::path(
    get, path = "/v1/webhook-sources/{id}/events", tag = "Webhooks", operation_id = "list_webhook_events",
    params(("id" = String, Path, description = "The source"), EventParams),
    responses(
        (status = 200, description = "A page", body = WebhookEventPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_webhook_events(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<WebhookSourceId>,
    Params(params): Params<EventParams>,
) -> Result<Body<WebhookEventPage>, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let before = params.cursor.as_deref().map(read_cursor::<WebhookEventId>).transpose()?;
    if params.state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(Problem::new(Code::InvalidParameter, format!("state takes {}", STATES.join(", "))));
    }
    inbox::get(&app.db, caller.tenant, id).await?.ok_or_else(no_source)?;
    let filter = Filter {
        state: params.state,
        event_type: params.event_type,
        since: params.since,
        until: params.until,
    };
    let mut found = inbox::events(&app.db, caller.tenant, id, &filter, before, i64::from(limit) + 1).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.id()));
    Ok(Body(WebhookEventPage { events: found.iter().map(EventResource::of).collect(), next }))
}

/// A webhook that came in, whole.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookEventDetail {
    #[serde(flatten)]
    event: EventResource,
    /// Its headers, without those that prove who sent it. Left out for keys without the scope `payloads:read`.
    #[schema(value_type = Option<Object>)]
    headers: Option<Value>,
    /// Its body byte for byte, as base64. Left out for keys without the scope `payloads:read`.
    body_base64: Option<String>,
    /// The jobs it became.
    jobs: Vec<WebhookEventJob>,
}

/// A job that an event became.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookEventJob {
    /// The job.
    #[schema(value_type = String)]
    job: JobId,
    /// By which rule.
    #[schema(value_type = String)]
    rule: WebhookRuleId,
    /// Which time the event was looked at: 0 is the first.
    replay: i16,
}

/// Look at what was sent.
#[utoipa::path(
    get, path = "/v1/webhook-sources/{id}/events/{event}", tag = "Webhooks", operation_id = "get_webhook_event",
    params(("id" = String, Path, description = "The source"), ("event" = String, Path, description = "The event")),
    responses(
        (status = 200, description = "The event with its body and its jobs", body = WebhookEventDetail),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_webhook_event(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Path(path): Path<(String, String)>,
) -> Result<Shown<WebhookEventDetail>, Problem> {
    let (source, id) = ids(&path)?;
    let (event, body) = inbox::event(&app.db, caller.tenant, source, id).await?.ok_or_else(no_event)?;
    let jobs = inbox::jobs_of(&app.db, caller.tenant, id, WEBHOOK_JOBS_MAX).await?;
    let job = |of: inbox::EventJob| WebhookEventJob { job: of.job(), rule: of.rule(), replay: of.replay };
    let detail = WebhookEventDetail {
        event: EventResource::of(&event),
        headers: Some(event.headers.0),
        body_base64: Some(STANDARD.encode(body)),
        jobs: jobs.into_iter().map(job).collect(),
    };
    Ok(Shown(caller.sight(), detail))
}

fn ids((source, event): &(String, String)) -> Result<(WebhookSourceId, WebhookEventId), Problem> {
    source.parse().ok().zip(event.parse().ok()).ok_or_else(no_event)
}

fn no_event() -> Problem {
    Problem::not_found("event")
}

/// Which events are to be looked at again. Everything that is left out fits.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookReplay)]
pub(crate) struct ReplayBody {
    /// `received`, `processed`, `parked` or `superseded`; the last are meant only where it is said.
    #[serde(default)]
    #[schema(example = "parked")]
    state: Option<String>,
    /// Of exactly this type.
    #[serde(default)]
    event_type: Option<String>,
    /// Not before.
    #[serde(default)]
    since: Option<DateTime<Utc>>,
    /// Before.
    #[serde(default)]
    until: Option<DateTime<Utc>>,
    /// Those after this one: `next` of the answer before.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    after: Option<WebhookEventId>,
}

/// What will be looked at again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookReplayed {
    /// The events, oldest first.
    #[schema(value_type = Vec<String>)]
    pub(crate) events: Vec<WebhookEventId>,
    /// Send this as `after` for those that follow; none when there are no more.
    #[schema(value_type = Option<String>)]
    pub(crate) next: Option<WebhookEventId>,
}

/// Have events looked at again.
///
/// Up to 1,000, oldest first, from the bytes that were kept. The jobs they become are new ones, tagged `replay`, so use it when
/// jobs bear being done again. Send `since` and `until` for a range.
#[utoipa::path(
    post, path = "/v1/webhook-sources/{id}/events/replay", tag = "Webhooks", operation_id = "replay_webhook_events",
    params(("id" = String, Path, description = "The source")), request_body = ReplayBody,
    responses(
        (status = 202, description = "They will be looked at", body = WebhookReplayed),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"]), ("api_key" = ["queue:operate"])),
)]
pub(crate) async fn replay_webhook_events(
    State(app): State<AppState>,
    Retrier(caller): Retrier,
    Id(id): Id<WebhookSourceId>,
    MaybeJson(body): MaybeJson<ReplayBody>,
) -> Result<Response, Problem> {
    let answer = replay_range(&app, caller.tenant, id, body).await?;
    Ok((StatusCode::ACCEPTED, Body(answer)).into_response())
}

/// Has the events of `source` that fit `body` looked at again.
pub(crate) async fn replay_range(
    app: &AppState,
    tenant: TenantId,
    source: WebhookSourceId,
    body: ReplayBody,
) -> Result<WebhookReplayed, Problem> {
    if body.state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(Problem::invalid(vec![FieldError::new("/state", STATES.join(", "))]));
    }
    inbox::get(&app.db, tenant, source).await?.ok_or_else(no_source)?;
    let filter =
        Filter { state: body.state, event_type: body.event_type, since: body.since, until: body.until };
    let most = i64::from(WEBHOOK_REPLAY_MAX);
    let replayed = inbox::replay(&app.db, tenant, source, None, &filter, body.after, most).await?;
    Ok(WebhookReplayed { events: replayed.events, next: replayed.next })
}

/// Have one event looked at again.
#[utoipa::path(
    post, path = "/v1/webhook-sources/{id}/events/{event}/replay", tag = "Webhooks", operation_id = "replay_webhook_event",
    params(("id" = String, Path, description = "The source"), ("event" = String, Path, description = "The event")),
    responses(
        (status = 202, description = "It will be looked at", body = WebhookReplayed),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"]), ("api_key" = ["queue:operate"])),
)]
pub(crate) async fn replay_webhook_event(
    State(app): State<AppState>,
    Retrier(caller): Retrier,
    Path(path): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (source, id) = ids(&path)?;
    let filter = Filter::default();
    let replayed = inbox::replay(&app.db, caller.tenant, source, Some(id), &filter, None, 1).await?;
    if replayed.events.is_empty() {
        return Err(no_event());
    }
    let answer = WebhookReplayed { events: replayed.events, next: None };
    Ok((StatusCode::ACCEPTED, Body(answer)).into_response())
}

/// A message that was not believed, or not read to its end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookRefusal {
    /// When.
    refused_at: DateTime<Utc>,
    /// A stable word.
    #[schema(example = "wrong_signature")]
    code: String,
    /// Why.
    reason: String,
    /// Its headers, without those that prove who sent it.
    #[schema(value_type = Object)]
    headers: Value,
    /// How long its body was.
    body_bytes: i32,
}

/// The last messages that were not believed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookRefusals {
    /// Latest first, at most 50; of a flood, ten a second are written down.
    refusals: Vec<WebhookRefusal>,
}

/// See why webhooks were refused.
#[utoipa::path(
    get, path = "/v1/webhook-sources/{id}/refusals", tag = "Webhooks", operation_id = "list_webhook_refusals",
    params(("id" = String, Path, description = "The source")),
    responses(
        (status = 200, description = "The last of them", body = WebhookRefusals),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_webhook_refusals(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<WebhookSourceId>,
) -> Result<Body<WebhookRefusals>, Problem> {
    inbox::get(&app.db, caller.tenant, id).await?.ok_or_else(no_source)?;
    let found = inbox::refusals(&app.db, caller.tenant, id).await?;
    let told = |refused: inbox::Refused| WebhookRefusal {
        refused_at: refused.refused_at,
        code: refused.word,
        reason: refused.reason,
        headers: refused.headers.0,
        body_bytes: refused.body_bytes,
    };
    Ok(Body(WebhookRefusals { refusals: found.into_iter().map(told).collect() }))
}
