//! Links to calendars that people keep elsewhere.

use ::jobs::{CalendarLinkId, PartyId};
use axum::{
    Json as Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Serialize;
use store::{
    calendars::{self, Link, LinkMade},
    submit::Answer,
};
use utoipa::ToSchema;

use super::{
    calendar_link_body::{LinkBody, LinkResource},
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
    limits::CALENDAR_LINKS_MAX,
    problem::{Code, Problem, ProblemDocument},
};

const ROUTE: &str = "POST /v1/calendar-links";

/// Link a calendar.
///
/// It is read within moments and then every ten minutes: whatever it says takes the time of its party. What is booked is
/// written into it, if it is to be. What opens it is kept encrypted, and never shown.
#[utoipa::path(
    post, path = "/v1/calendar-links", tag = "Calendars", operation_id = "create_calendar_link", request_body = LinkBody,
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 201, description = "It will be read", body = LinkResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn create_calendar_link(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<LinkBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let new = body.check(app.settings.webhooks_loopback, caller.key.to_string())?;
    let answer = |made: &Link| {
        Answer::of(201, Some(format!("/v1/calendar-links/{}", made.id())), &LinkResource::of(made))
    };
    match calendars::create(&app.db, caller.tenant, &new, CALENDAR_LINKS_MAX, key.as_ref(), answer).await? {
        LinkMade::New(answer) => Ok(respond(answer)),
        LinkMade::Replayed(answer) => Ok(replayed(respond(answer))),
        LinkMade::Mismatch => Err(mismatch()),
        LinkMade::NoMembership => Err(no_membership()),
        LinkMade::TooMany => {
            let detail = format!("a party has at most {CALENDAR_LINKS_MAX} calendars; remove one");
            Err(Problem::new(Code::TooMany, detail))
        }
    }
}

/// A page of links, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CalendarLinkPage {
    /// The links.
    links: Vec<LinkResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List the calendars of somebody, newest first.
#[utoipa::path(
    get, path = "/v1/parties/{id}/calendar-links", tag = "Calendars", operation_id = "list_calendar_links",
    params(("id" = String, Path, description = "The party"), PageParams),
    responses(
        (status = 200, description = "A page", body = CalendarLinkPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_calendar_links(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(party): Id<PartyId>,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let paging = Paging::of(&params, |id: CalendarLinkId| id.as_uuid())?;
    let found = calendars::links(&app.db, caller.tenant, party, paging.before, paging.most()).await?;
    let page = |found: Vec<Link>, next| {
        Ok(CalendarLinkPage { links: found.iter().map(LinkResource::of).collect(), next })
    };
    paging.answer(&format!("/v1/parties/{party}/calendar-links"), found, |row| row.id().to_string(), page)
}

/// Look at a link.
#[utoipa::path(
    get, path = "/v1/calendar-links/{id}", tag = "Calendars", operation_id = "get_calendar_link",
    params(("id" = String, Path, description = "The link")),
    responses(
        (status = 200, description = "The link", body = LinkResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_calendar_link(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<CalendarLinkId>,
) -> Result<Body<LinkResource>, Problem> {
    let found = calendars::link(&app.db, caller.tenant, id).await?.ok_or_else(no_link)?;
    Ok(Body(LinkResource::of(&found)))
}

/// Read a calendar now.
///
/// Within moments; `read_at` tells when it was.
#[utoipa::path(
    post, path = "/v1/calendar-links/{id}/pull", tag = "Calendars", operation_id = "pull_calendar_link",
    params(("id" = String, Path, description = "The link")),
    responses(
        (status = 202, description = "It will be read", body = LinkResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn pull_calendar_link(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<CalendarLinkId>,
) -> Result<(StatusCode, Body<LinkResource>), Problem> {
    let found = calendars::pull_soon(&app.db, caller.tenant, id).await?.ok_or_else(no_link)?;
    Ok((StatusCode::ACCEPTED, Body(LinkResource::of(&found))))
}

/// Forget a calendar.
///
/// What it said is forgotten with it. What was written into it stays there.
#[utoipa::path(
    delete, path = "/v1/calendar-links/{id}", tag = "Calendars", operation_id = "remove_calendar_link",
    params(("id" = String, Path, description = "The link")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_calendar_link(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<CalendarLinkId>,
) -> Result<StatusCode, Problem> {
    let removed = calendars::remove(&app.db, caller.tenant, id).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(no_link()) }
}

fn no_link() -> Problem {
    Problem::not_found("calendar link")
}
