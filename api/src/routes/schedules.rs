//! Schedules: making, reading, changing and removing them.

use ::jobs::{ScheduleId, TenantId};
use axum::{
    Json as Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use schedule::ZONES_RELEASE;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::{
    payload::Field,
    schedules::{self, Changed, Created, Schedule},
    submit::Answer,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    jobs::{link_next, page_size, read_cursor, write_cursor},
    submit::{mismatch, replayed, respond},
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{self, Id, Json, Params},
    idempotency,
    limits::{PAGE_DEFAULT, PAGE_MAX, SCHEDULES_MAX},
    problem::{Code, FieldError, Problem, ProblemDocument},
    seeing::{Shown, Sight},
    timetable::{self, ScheduleBody, ScheduleResource, SlotResource},
};

const ROUTE: &str = "POST /v1/schedules";

/// Make a schedule.
///
/// Its first slot is the next from now on. Send the same `Idempotency-Key` again when you did not get an answer.
#[utoipa::path(
    post, path = "/v1/schedules", tag = "Schedules", operation_id = "create_schedule", request_body = ScheduleBody,
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 201, description = "It is there, with its next slots", body = ScheduleResource),
        (status = "default", description = "A problem; 409 when the name is taken", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn create_schedule(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<ScheduleBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let wanted = body.check().map_err(Problem::invalid)?;
    let by = caller.key.to_string();
    let created =
        schedules::create(&app.db, caller.tenant, &wanted, &by, SCHEDULES_MAX, key.as_ref(), answer).await?;
    match created {
        Created::New(answer) => Ok(respond(answer)),
        Created::Replayed(answer) => Ok(replayed(respond(answer))),
        Created::Mismatch => Err(mismatch()),
        Created::NameTaken => Err(name_taken(&wanted.name)),
        Created::TooMany => {
            let detail = format!("a tenant has at most {SCHEDULES_MAX} schedules; remove one");
            Err(Problem::new(Code::TooMany, detail))
        }
    }
}

fn answer(made: &Schedule) -> Answer {
    Answer::of(201, Some(format!("/v1/schedules/{}", made.id())), &ScheduleResource::of(made))
}

fn name_taken(name: &str) -> Problem {
    Problem::new(Code::NameTaken, format!("another schedule is called {name}"))
}

/// Where to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Where the page before ended: its `next`.
    pub(super) cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub(super) limit: Option<u16>,
}

/// A page of schedules, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SchedulePage {
    /// The schedules, without their slots ahead.
    schedules: Vec<ScheduleResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List schedules, newest first.
#[utoipa::path(
    get, path = "/v1/schedules", tag = "Schedules", operation_id = "list_schedules", params(PageParams),
    responses(
        (status = 200, description = "A page", body = SchedulePage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_schedules(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let before = params.cursor.as_deref().map(read_cursor).transpose()?;
    let mut found = schedules::list(&app.db, caller.tenant, before, i64::from(limit) + 1).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.id()));
    let link = next.as_ref().and_then(|next| link_next("/v1/schedules", limit, next));
    let schedules = found.iter().map(ScheduleResource::line).collect();
    let mut response = Shown(caller.sight(), SchedulePage { schedules, next }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

/// Look at a schedule.
#[utoipa::path(
    get, path = "/v1/schedules/{id}", tag = "Schedules", operation_id = "get_schedule",
    params(("id" = String, Path, description = "The schedule")),
    responses(
        (status = 200, description = "The schedule, in plain words too, with its next ten slots", body = ScheduleResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_schedule(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<ScheduleId>,
) -> Result<Shown<ScheduleResource>, Problem> {
    let stands = find(&app, caller.tenant, id).await?;
    Ok(Shown(caller.sight(), ScheduleResource::of(&stands)))
}

async fn find(app: &AppState, tenant: TenantId, id: ScheduleId) -> Result<Schedule, Problem> {
    schedules::get(&app.db, tenant, id).await?.ok_or_else(no_schedule)
}

/// A schedule with what `patch` changes, by somebody who has this sight of it: whoever may not see what it hands on cannot have it handed
/// to other work.
fn patched(stands: &Schedule, patch: Map<String, Value>, sight: Sight) -> Result<Value, Problem> {
    let is_other_kind = patch.get("kind").is_some_and(|kind| *kind != stands.kind);
    if is_other_kind || patch.contains_key("args") {
        sight.check()?;
    }
    let mut asked = serde_json::to_value(ScheduleBody::of(stands)).map_err(Problem::internal)?;
    let before = asked["args"].take();
    asked["args"] = if is_other_kind && !sight.private {
        json!({})
    } else {
        sight.value(&stands.kind, Field::Args, before.clone())
    };
    json_patch::merge(&mut asked, &Value::Object(patch));
    asked["args"] = sight.made(&stands.kind, &before, asked["args"].take())?;
    Ok(asked)
}

pub(super) fn no_schedule() -> Problem {
    Problem::not_found("schedule")
}

/// Change a schedule.
///
/// The body is a JSON merge patch (RFC 7396): what it names changes, `null` takes something back to what it is when left
/// out. Arguments take the scope `payloads:read` as well. With `version`, the change is refused if somebody else has changed the schedule since you read that version.
/// Another time or zone holds from now on.
#[utoipa::path(
    patch, path = "/v1/schedules/{id}", tag = "Schedules", operation_id = "change_schedule",
    params(("id" = String, Path, description = "The schedule")),
    request_body(content = Object, description = "Any of the fields of a new schedule, and `version`", example = json!({"cron": "0 3 * * *", "version": 1})),
    responses(
        (status = 200, description = "The schedule as it is now", body = ScheduleResource),
        (status = "default", description = "A problem; 409 when somebody else changed it, or the name is taken", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn change_schedule(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<ScheduleId>,
    Json(mut patch): Json<Map<String, Value>>,
) -> Result<Shown<ScheduleResource>, Problem> {
    let stands = find(&app, caller.tenant, id).await?;
    let version = match patch.remove("version") {
        None => stands.version,
        Some(version) => {
            version.as_i64().and_then(|version| i32::try_from(version).ok()).ok_or_else(|| {
                Problem::invalid(vec![FieldError::new(
                    "/version",
                    "the number that the schedule was read with",
                )])
            })?
        }
    };
    let asked = patched(&stands, patch, caller.sight())?;
    let body: ScheduleBody = extract::parse(asked.to_string().as_bytes())?;
    let wanted = body.check().map_err(Problem::invalid)?;
    let by = caller.key.to_string();
    match schedules::change(&app.db, caller.tenant, id, version, &wanted, &by).await? {
        Changed::Done(changed) => Ok(Shown(caller.sight(), ScheduleResource::of(&changed))),
        Changed::Meanwhile => Err(Problem::new(
            Code::ChangedMeanwhile,
            "the schedule is not of this version any more; look at it again",
        )),
        Changed::NameTaken => Err(name_taken(&wanted.name)),
        Changed::NotFound => Err(no_schedule()),
    }
}

/// Remove a schedule.
///
/// With its history. Jobs that it made go on.
#[utoipa::path(
    delete, path = "/v1/schedules/{id}", tag = "Schedules", operation_id = "remove_schedule",
    params(("id" = String, Path, description = "The schedule")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_schedule(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<ScheduleId>,
) -> Result<StatusCode, Problem> {
    if !schedules::remove(&app.db, caller.tenant, id).await? {
        return Err(no_schedule());
    }
    tracing::info!(schedule.id = %id, "{id} was removed");
    Ok(StatusCode::NO_CONTENT)
}

/// An expression to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SchedulePreviewRequest)]
pub(crate) struct PreviewBody {
    /// When: five fields, six with seconds first, or a nickname such as `@daily`.
    #[schema(example = "30 2 * * *", max_length = 200)]
    cron: String,
    /// By which clock; UTC unless given.
    #[serde(default)]
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// After which moment; now unless given. To see what happens when the clock changes.
    #[serde(default)]
    after: Option<DateTime<Utc>>,
}

/// What an expression means.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SchedulePreview)]
pub(crate) struct PreviewResource {
    /// In plain words.
    description: String,
    /// By which clock.
    timezone: String,
    /// The next ten slots.
    next_fires: Vec<SlotResource>,
    /// The release of the IANA database that knows the clock.
    zones_release: &'static str,
}

/// Try an expression.
///
/// Answers what it means and when it comes due. Nothing is stored, so this POST needs no `Idempotency-Key`.
#[utoipa::path(
    post, path = "/v1/schedules/preview", tag = "Schedules", operation_id = "preview_schedule", request_body = PreviewBody,
    responses(
        (status = 200, description = "What it means", body = PreviewResource),
        (status = "default", description = "A problem; its pointer says what is wrong", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn preview_schedule(
    _: Reader,
    Json(body): Json<PreviewBody>,
) -> Result<Body<PreviewResource>, Problem> {
    let timezone = body.timezone.as_deref().unwrap_or("UTC");
    let (cron, zone) = timetable::read_times(&body.cron, timezone).map_err(Problem::invalid)?;
    Ok(Body(PreviewResource {
        description: cron.describe(),
        timezone: zone.name().to_owned(),
        next_fires: timetable::next_fires(&cron, zone, body.after.unwrap_or_else(Utc::now)),
        zones_release: ZONES_RELEASE,
    }))
}
