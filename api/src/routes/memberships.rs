//! Those who do the work: what they may do, where and when.

use ::jobs::PartyId;
use axum::{Json as Body, extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::people::{self, Changed, Membership, Removed};
use utoipa::ToSchema;

use super::{
    membership_body::{HoursBody, MembershipBody, Place, SkillBody, kilometres},
    paging::Paging,
    parties::no_party,
    schedules::PageParams,
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json, Params},
    problem::{Code, Problem, ProblemDocument},
};

/// What somebody may do, where and when.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Membership)]
pub(crate) struct MembershipResource {
    /// Who.
    #[schema(value_type = String, example = "pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    party: PartyId,
    /// Counts changes; a change names the one it saw.
    version: i32,
    /// Whether they take work at all.
    active: bool,
    /// What they may be.
    roles: Vec<String>,
    /// The sites of the house at which they may be that; everywhere when there are none.
    sites: Vec<String>,
    /// What they know.
    skills: Vec<SkillBody>,
    /// Where their clock hangs.
    timezone: String,
    /// When they work; always when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<HoursBody>,
    /// Where they start from.
    #[serde(skip_serializing_if = "Option::is_none")]
    home: Option<Place>,
    /// How far they go, in kilometres.
    radius_km: u32,
    /// Visits of a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    visits_per_day: Option<i16>,
    /// Minutes of visits of a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes_per_day: Option<i16>,
    /// Preferred by the house.
    preferred: bool,
    /// When a calendar of theirs was last read.
    #[serde(skip_serializing_if = "Option::is_none")]
    calendar_read_at: Option<DateTime<Utc>>,
    /// When this was noted.
    created_at: DateTime<Utc>,
    /// When it was changed last.
    updated_at: DateTime<Utc>,
}

impl MembershipResource {
    fn of(row: Membership) -> Self {
        Self {
            party: row.party(),
            version: row.version,
            active: row.is_active,
            skills: row.skills.iter().map(SkillBody::of).collect(),
            hours: HoursBody::of(&row.hours),
            home: row.home().map(Place::of),
            radius_km: kilometres(row.radius_m),
            roles: row.roles,
            sites: row.sites,
            timezone: row.timezone,
            visits_per_day: row.visits_max,
            minutes_per_day: row.minutes_max,
            preferred: row.is_preferred,
            calendar_read_at: row.calendar_read_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Somebody else changed it first: `current` is how it is now.
pub(super) fn changed(current: &impl Serialize) -> Problem {
    let detail = "somebody changed it since; `current` is how it is now";
    Problem::new(Code::ChangedMeanwhile, detail)
        .member("current", serde_json::to_value(current).unwrap_or_default())
}

/// Say what somebody may do, where and when.
///
/// All of it. A change names the version it saw; another one is answered with 409 and how it is now.
#[utoipa::path(
    put, path = "/v1/parties/{id}/membership", tag = "People", operation_id = "set_membership",
    request_body = MembershipBody, params(("id" = String, Path, description = "The party")),
    responses(
        (status = 200, description = "As it is now", body = MembershipResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn set_membership(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(party): Id<PartyId>,
    Json(body): Json<MembershipBody>,
) -> Result<Body<MembershipResource>, Problem> {
    let (version, terms) = body.check()?;
    match people::set_membership(&app.db, caller.tenant, party, version, &terms).await? {
        Changed::Done(set) => Ok(Body(MembershipResource::of(set))),
        Changed::Moved(current) => Err(changed(&MembershipResource::of(current))),
        Changed::Missing => Err(no_party()),
    }
}

/// Look at what somebody may do.
#[utoipa::path(
    get, path = "/v1/parties/{id}/membership", tag = "People", operation_id = "get_membership",
    params(("id" = String, Path, description = "The party")),
    responses(
        (status = 200, description = "As it is", body = MembershipResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_membership(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(party): Id<PartyId>,
) -> Result<Body<MembershipResource>, Problem> {
    let found = people::membership(&app.db, caller.tenant, party).await?;
    found.map(|row| Body(MembershipResource::of(row))).ok_or_else(no_membership)
}

/// Forget what somebody may do.
///
/// Their absences are forgotten with it; what they were booked for before stays. While a booking takes their time it is
/// refused with 409.
#[utoipa::path(
    delete, path = "/v1/parties/{id}/membership", tag = "People", operation_id = "remove_membership",
    params(("id" = String, Path, description = "The party")),
    responses(
        (status = 204, description = "They do no work any more"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_membership(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(party): Id<PartyId>,
) -> Result<StatusCode, Problem> {
    match people::remove_membership(&app.db, caller.tenant, party).await? {
        Removed::Done => Ok(StatusCode::NO_CONTENT),
        Removed::Busy => {
            let detail = "bookings take their time: call them off, or move them to their end, first";
            Err(Problem::new(Code::TimeTaken, detail))
        }
        Removed::Missing => Err(no_membership()),
    }
}

/// A page of those who do work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MembershipPage {
    /// Those who do work.
    memberships: Vec<MembershipResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List those who do work, newest first.
#[utoipa::path(
    get, path = "/v1/memberships", tag = "People", operation_id = "list_memberships", params(PageParams),
    responses(
        (status = 200, description = "A page", body = MembershipPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_memberships(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let paging = Paging::of(&params, |id: PartyId| id.as_uuid())?;
    let found = people::memberships(&app.db, caller.tenant, paging.before, paging.most()).await?;
    let page = |found: Vec<Membership>, next| {
        Ok(MembershipPage { memberships: found.into_iter().map(MembershipResource::of).collect(), next })
    };
    paging.answer("/v1/memberships", found, |row| row.party().to_string(), page)
}

/// Nobody such who does work.
pub(super) fn no_membership() -> Problem {
    Problem::not_found("party who does work")
}
