//! Holding a schedule, letting it go on, running it now, and what became of its slots.

use ::jobs::{JobId, ScheduleId};
use axum::{
    Json as Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use schedule::Zone;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{
    schedules::{self, Fire, Ran, Run},
    submit::Answer,
};
use telemetry::trace_context::current_traceparent;
use utoipa::ToSchema;

use super::{
    jobs::{link_next, page_size, read_cursor, write_cursor},
    schedules::{PageParams, no_schedule},
    submit::{mismatch, replayed, respond},
};
use crate::{
    AppState,
    auth::{Reader, Retrier},
    extract::{Id, Json, Params},
    idempotency,
    limits::{PAGE_DEFAULT, PAGE_MAX, PAUSE_REASON_CHARS_MAX},
    problem::{FieldError, Problem, ProblemDocument},
    resource,
    seeing::Shown,
    timetable::ScheduleResource,
};

const RUN_ROUTE: &str = "POST /v1/schedules/{id}/run";

/// Why a schedule is to stand still.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSchedulePause)]
pub(crate) struct PauseBody {
    /// Why, for whoever wonders where its jobs are.
    #[schema(example = "stocktaking until Monday", min_length = 1, max_length = 500)]
    reason: String,
}

/// Pause a schedule.
///
/// Slots that come in a pause get no jobs, not later either. Jobs that it made go on. One that is paused takes the new
/// reason.
#[utoipa::path(
    post, path = "/v1/schedules/{id}/pause", tag = "Schedules", operation_id = "pause_schedule", request_body = PauseBody,
    params(("id" = String, Path, description = "The schedule")),
    responses(
        (status = 200, description = "It stands still", body = ScheduleResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"]), ("api_key" = ["queue:operate"])),
)]
pub(crate) async fn pause_schedule(
    State(app): State<AppState>,
    Retrier(caller): Retrier,
    Id(id): Id<ScheduleId>,
    Json(body): Json<PauseBody>,
) -> Result<Shown<ScheduleResource>, Problem> {
    if !(1..=PAUSE_REASON_CHARS_MAX).contains(&body.reason.chars().count()) || body.reason.contains('\0') {
        let detail = format!("1 to {PAUSE_REASON_CHARS_MAX} characters without U+0000");
        return Err(Problem::invalid(vec![FieldError::new("/reason", detail)]));
    }
    let by = caller.key.to_string();
    let paused = schedules::pause(&app.db, caller.tenant, id, &body.reason, &by).await?;
    let paused = paused.ok_or_else(no_schedule)?;
    tracing::info!(schedule.id = %id, "{id} was paused");
    Ok(Shown(caller.sight(), ScheduleResource::of(&paused)))
}

/// Resume a schedule.
///
/// It goes on with the next slot from now on.
#[utoipa::path(
    post, path = "/v1/schedules/{id}/resume", tag = "Schedules", operation_id = "resume_schedule",
    params(("id" = String, Path, description = "The schedule")),
    responses(
        (status = 200, description = "It goes on", body = ScheduleResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"]), ("api_key" = ["queue:operate"])),
)]
pub(crate) async fn resume_schedule(
    State(app): State<AppState>,
    Retrier(caller): Retrier,
    Id(id): Id<ScheduleId>,
) -> Result<Shown<ScheduleResource>, Problem> {
    let resumed = schedules::resume(&app.db, caller.tenant, id, &caller.key.to_string()).await?;
    let resumed = resumed.ok_or_else(no_schedule)?;
    tracing::info!(schedule.id = %id, "{id} was resumed");
    Ok(Shown(caller.sight(), ScheduleResource::of(&resumed)))
}

/// A run that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScheduleRun)]
pub(crate) struct RunResource {
    /// The schedule.
    #[schema(value_type = String)]
    schedule: ScheduleId,
    /// When.
    at: DateTime<Utc>,
    /// Its job.
    #[schema(value_type = String)]
    job: JobId,
    /// The same work was there already, and this is it.
    existing: bool,
}

/// Run a schedule now.
///
/// Makes a job at once, whatever its slots, its pause and its overlap policy say. Its slots stay where they are. Send the
/// same `Idempotency-Key` again when you did not get an answer.
#[utoipa::path(
    post, path = "/v1/schedules/{id}/run", tag = "Schedules", operation_id = "run_schedule",
    params(
        ("id" = String, Path, description = "The schedule"),
        ("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h"),
    ),
    responses(
        (status = 202, description = "It has a job; `Location` is where to follow it", body = RunResource),
        (status = "default", description = "A problem; 422 when the kind does not take the arguments any more", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"]), ("api_key" = ["queue:operate"])),
)]
pub(crate) async fn run_schedule(
    State(app): State<AppState>,
    Retrier(caller): Retrier,
    Id(id): Id<ScheduleId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = json!({"schedule": id});
    let key = idempotency::read(&headers, RUN_ROUTE, &asked, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let (by, trace) = (caller.key.to_string(), current_traceparent());
    let answer = |run: &Run| {
        let body = RunResource { schedule: id, at: run.at, job: run.job, existing: run.is_duplicate };
        Answer::of(202, Some(resource::location(run.job)), &body)
    };
    let ran =
        schedules::run_now(&app.db, caller.tenant, id, &by, trace.as_deref(), key.as_ref(), answer).await?;
    match ran {
        Ran::Now(answer) => Ok(respond(answer)),
        Ran::Replayed(answer) => Ok(replayed(respond(answer))),
        Ran::Mismatch => Err(mismatch()),
        Ran::Refused(reason) => Err(Problem::invalid(vec![FieldError::new("", reason)])),
        Ran::NotFound => Err(no_schedule()),
    }
}

/// What became of a slot, or of several in a row.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fire)]
pub(crate) struct FireResource {
    /// The slot; of a run by hand, the moment.
    slot: DateTime<Utc>,
    /// What the clock of the zone showed.
    local: String,
    /// The last of several slots without jobs that this tells of.
    #[serde(skip_serializing_if = "Option::is_none")]
    through: Option<DateTime<Utc>>,
    /// `enqueued`: it has a job. `manual`: somebody ran it by hand. `duplicate`: the same work was there already, as
    /// `job`. `skipped_overlap`: a job before it had not ended. `missed`: nobody was there to take it. `paused`: the
    /// schedule stood still. `refused`: the kind did not take the arguments.
    #[schema(example = "enqueued")]
    outcome: String,
    /// Its job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    job: Option<JobId>,
    /// When that was decided.
    fired_at: DateTime<Utc>,
    /// The API key that ran it by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A page of what became of slots, latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FirePage {
    /// What became of them.
    fires: Vec<FireResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List what became of slots, latest first.
#[utoipa::path(
    get, path = "/v1/schedules/{id}/fires", tag = "Schedules", operation_id = "list_fires",
    params(("id" = String, Path, description = "The schedule"), PageParams),
    responses(
        (status = 200, description = "A page", body = FirePage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_fires(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<ScheduleId>,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let before: Option<DateTime<Utc>> = params.cursor.as_deref().map(read_cursor).transpose()?;
    let stands = schedules::get(&app.db, caller.tenant, id).await?.ok_or_else(no_schedule)?;
    let found = schedules::fires(&app.db, caller.tenant, id, before, i64::from(limit) + 1).await?;
    let mut found = found.ok_or_else(no_schedule)?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.slot.to_rfc3339()));
    let link = next.as_ref().and_then(|next| link_next(&format!("/v1/schedules/{id}/fires"), limit, next));
    let zone = stands.zone().unwrap_or(Zone::UTC);
    let fires = found.into_iter().map(|fire| FireResource::of(fire, zone)).collect();
    let mut response = Body(FirePage { fires, next }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

impl FireResource {
    fn of(fire: Fire, zone: Zone) -> Self {
        Self {
            job: fire.job(),
            local: zone.local(fire.slot),
            slot: fire.slot,
            through: fire.through,
            outcome: fire.outcome,
            fired_at: fire.fired_at,
            by: fire.fired_by,
            reason: fire.reason,
        }
    }
}
