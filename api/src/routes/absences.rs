//! Time off, and what calendars outside know.

use ::jobs::{AbsenceId, PartyId};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use matching::Span;
use serde::{Deserialize, Serialize};
use store::{
    people::{self, Absence, AbsenceKind, AbsenceMade},
    submit::Answer,
};
use utoipa::ToSchema;

use super::{
    memberships::no_membership,
    paging::Paging,
    schedules::PageParams,
    submit::{mismatch, replayed, respond},
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json, Params},
    idempotency,
    limits::{ABSENCE_DAYS_MAX, ABSENCES_MAX, BUSY_SPANS_MAX, NOTE_TEXT_CHARS_MAX},
    problem::{Code, FieldError, Problem, ProblemDocument},
};

const ROUTE: &str = "POST /v1/parties/{id}/absences";

/// From when until when.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stretch {
    /// From then.
    starts_at: DateTime<Utc>,
    /// Until then; what begins then does not touch it.
    ends_at: DateTime<Utc>,
}

impl Stretch {
    fn span(&self, pointer: &str) -> Result<Span, FieldError> {
        span(self.starts_at, self.ends_at, TimeDelta::days(ABSENCE_DAYS_MAX), pointer)
    }
}

/// A stretch of time that is not longer than `most`, in the whole microseconds that are kept of it.
pub(super) fn span(
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    most: TimeDelta,
    pointer: &str,
) -> Result<Span, FieldError> {
    let (from, until) = (from.trunc_subsecs(6), until.trunc_subsecs(6));
    if from < until && until - from <= most {
        return Ok(Span { from, until });
    }
    Err(FieldError::new(pointer, format!("comes after the beginning, by {} hours at most", most.num_hours())))
}

/// Time off.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeOffBody {
    /// From then.
    starts_at: DateTime<Utc>,
    /// Until then.
    ends_at: DateTime<Utc>,
    /// In words, at most 200 characters.
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
}

/// What a calendar outside says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalendarBody {
    /// When they are busy, all of it: what was said before is forgotten.
    busy: Vec<Stretch>,
}

/// Time in which somebody does not work.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Absence)]
pub(crate) struct AbsenceResource {
    /// Which it is.
    #[schema(value_type = String, example = "abs_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: AbsenceId,
    /// `time_off` or `busy`.
    kind: String,
    /// From then.
    starts_at: DateTime<Utc>,
    /// Until then.
    ends_at: DateTime<Utc>,
    /// In words.
    note: String,
    /// When it was noted.
    created_at: DateTime<Utc>,
}

impl AbsenceResource {
    fn of(row: Absence) -> Self {
        Self {
            id: row.id(),
            kind: row.kind,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            note: row.note,
            created_at: row.created_at,
        }
    }
}

/// Note time off.
///
/// It counts wherever they work; others learn that they are busy and nothing else.
#[utoipa::path(
    post, path = "/v1/parties/{id}/absences", tag = "People", operation_id = "add_absence", request_body = TimeOffBody,
    params(
        ("id" = String, Path, description = "The party"),
        ("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h"),
    ),
    responses(
        (status = 201, description = "It is noted", body = AbsenceResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn add_absence(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Id(party): Id<PartyId>,
    Json(body): Json<TimeOffBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &(party, &body), app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let stretch = Stretch { starts_at: body.starts_at, ends_at: body.ends_at };
    let during = stretch.span("/ends_at").map_err(|error| Problem::invalid(vec![error]))?;
    if body.note.chars().count() > NOTE_TEXT_CHARS_MAX {
        let error = FieldError::new("/note", format!("takes at most {NOTE_TEXT_CHARS_MAX} characters"));
        return Err(Problem::invalid(vec![error]));
    }
    let wanted = (AbsenceKind::TimeOff, during, body.note.as_str());
    let (db, tenant) = (&app.db, caller.tenant);
    let answer = |made| Answer::of(201, None, &AbsenceResource::of(made));
    match people::add_absence(db, tenant, party, wanted, ABSENCES_MAX, key.as_ref(), answer).await? {
        AbsenceMade::New(answer) => Ok(respond(answer)),
        AbsenceMade::Replayed(answer) => Ok(replayed(respond(answer))),
        AbsenceMade::Mismatch => Err(mismatch()),
        AbsenceMade::Refused if people::membership(db, tenant, party).await?.is_some() => Err(Problem::new(
            Code::TooMany,
            format!("a party has at most {ABSENCES_MAX} of them; remove old ones"),
        )),
        AbsenceMade::Refused => Err(no_membership()),
    }
}

/// Say what a calendar outside knows.
///
/// It takes the place of what it said before, and tells that the calendar was read now.
#[utoipa::path(
    put, path = "/v1/parties/{id}/calendar", tag = "People", operation_id = "read_calendar", request_body = CalendarBody,
    params(("id" = String, Path, description = "The party")),
    responses(
        (status = 204, description = "It is noted"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn read_calendar(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(party): Id<PartyId>,
    Json(body): Json<CalendarBody>,
) -> Result<StatusCode, Problem> {
    if body.busy.len() > BUSY_SPANS_MAX {
        let error = FieldError::new("/busy", format!("takes at most {BUSY_SPANS_MAX} stretches"));
        return Err(Problem::invalid(vec![error]));
    }
    let spans =
        body.busy.iter().enumerate().map(|(at, stretch)| stretch.span(&format!("/busy/{at}/ends_at")));
    let spans = spans.collect::<Result<Vec<Span>, _>>().map_err(|error| Problem::invalid(vec![error]))?;
    let noted = people::read_calendar(&app.db, caller.tenant, party, &spans).await?;
    if noted { Ok(StatusCode::NO_CONTENT) } else { Err(no_membership()) }
}

/// A page of absences, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AbsencePage {
    /// The absences.
    absences: Vec<AbsenceResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List the absences of somebody, newest first.
#[utoipa::path(
    get, path = "/v1/parties/{id}/absences", tag = "People", operation_id = "list_absences",
    params(("id" = String, Path, description = "The party"), PageParams),
    responses(
        (status = 200, description = "A page", body = AbsencePage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_absences(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(party): Id<PartyId>,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let paging = Paging::of(&params, |id: AbsenceId| id.as_uuid())?;
    let found = people::absences(&app.db, caller.tenant, party, paging.before, paging.most()).await?;
    let page = |found: Vec<Absence>, next| {
        Ok(AbsencePage { absences: found.into_iter().map(AbsenceResource::of).collect(), next })
    };
    paging.answer(&format!("/v1/parties/{party}/absences"), found, |row| row.id().to_string(), page)
}

/// Forget an absence.
#[utoipa::path(
    delete, path = "/v1/absences/{id}", tag = "People", operation_id = "remove_absence",
    params(("id" = String, Path, description = "The absence")),
    responses(
        (status = 204, description = "They are there again"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_absence(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<AbsenceId>,
) -> Result<StatusCode, Problem> {
    let removed = people::remove_absence(&app.db, caller.tenant, id).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("absence")) }
}
