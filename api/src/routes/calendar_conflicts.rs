//! Where calendars outside and what is booked here disagree.

use ::jobs::{BookingId, CalendarConflictId, CalendarLinkId, PartyId};
use axum::{Json as Body, extract::State, response::Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::calendars::{self, Conflict, ConflictFilter, Keep, Resolved};
use utoipa::{IntoParams, ToSchema};

use super::{paging::Paging, schedules::PageParams};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json, Params},
    problem::{Code, Problem, ProblemDocument},
};

/// A disagreement, for a person to see to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarConflict)]
pub(crate) struct ConflictResource {
    /// Which it is.
    #[schema(value_type = String, example = "ccf_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: CalendarConflictId,
    /// With which calendar; with one of them, where several of the same person have the same appointment.
    #[schema(value_type = String)]
    link: CalendarLinkId,
    /// Whose it is.
    #[schema(value_type = String)]
    party: PartyId,
    /// About which booking.
    #[schema(value_type = String)]
    booking: BookingId,
    /// `overlap`: the calendar has something else at its time. `edited`, `removed`: somebody did that to the booking there.
    kind: String,
    /// When it was found.
    found_at: DateTime<Utc>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<DateTime<Utc>>,
    /// How: `gone` by itself, `ours` or `theirs` by a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<String>,
}

impl ConflictResource {
    fn of(row: Conflict) -> Self {
        Self {
            id: row.id(),
            link: row.link(),
            party: row.party(),
            booking: row.booking(),
            kind: row.kind,
            found_at: row.found_at,
            resolved_at: row.resolved_at,
            resolution: row.resolution,
        }
    }
}

/// Which conflicts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConflictParams {
    /// Also those that are over; not unless given.
    #[serde(default)]
    all: bool,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// A page of conflicts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CalendarConflictPage {
    /// The conflicts.
    conflicts: Vec<ConflictResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List conflicts with calendars, newest first.
#[utoipa::path(
    get, path = "/v1/calendar-conflicts", tag = "Calendars", operation_id = "list_calendar_conflicts",
    params(ConflictParams),
    responses(
        (status = 200, description = "A page", body = CalendarConflictPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_calendar_conflicts(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(ConflictParams { all, cursor, limit }): Params<ConflictParams>,
) -> Result<Response, Problem> {
    let paging = Paging::of(&PageParams { cursor, limit }, |id: CalendarConflictId| id.as_uuid())?;
    let wanted = if all { ConflictFilter::All } else { ConflictFilter::Open };
    let found = calendars::conflicts(&app.db, caller.tenant, wanted, paging.before, paging.most()).await?;
    let page = |found: Vec<Conflict>, next| {
        Ok(CalendarConflictPage { conflicts: found.into_iter().map(ConflictResource::of).collect(), next })
    };
    let path = if all { "/v1/calendar-conflicts?all=true" } else { "/v1/calendar-conflicts" };
    paging.answer(path, found, |row| row.id().to_string(), page)
}

/// Which side holds.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CalendarKeep)]
pub(crate) enum KeepWord {
    /// What is booked here: it is written into the calendar again.
    Ours,
    /// What stands in the calendar: it is left as it is.
    Theirs,
}

/// A word about a conflict.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CalendarConflictResolution)]
pub(crate) struct ResolveBody {
    /// Which side holds.
    keep: KeepWord,
}

/// Say which side holds.
///
/// An overlap is only put away by it: move the booking, or the appointment. To say the same again changes nothing.
#[utoipa::path(
    post, path = "/v1/calendar-conflicts/{id}/resolve", tag = "Calendars", operation_id = "resolve_calendar_conflict",
    params(("id" = String, Path, description = "The conflict")), request_body = ResolveBody,
    responses(
        (status = 200, description = "So it is", body = ConflictResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn resolve_calendar_conflict(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<CalendarConflictId>,
    Json(body): Json<ResolveBody>,
) -> Result<Body<ConflictResource>, Problem> {
    let keep = match body.keep {
        KeepWord::Ours => Keep::Ours,
        KeepWord::Theirs => Keep::Theirs,
    };
    match calendars::resolve(&app.db, caller.tenant, id, keep).await? {
        Resolved::Done(found) => Ok(Body(ConflictResource::of(found))),
        Resolved::Over(found) => {
            let current = serde_json::to_value(ConflictResource::of(found)).map_err(Problem::internal)?;
            Err(Problem::new(Code::NoWay, "the conflict is over").member("current", current))
        }
        Resolved::Missing => Err(Problem::not_found("calendar conflict")),
    }
}
