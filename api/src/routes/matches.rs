//! Visits that somebody is looked for: asking, looking, and calling off.

use ::jobs::{BookingId, MatchRequestId, OfferId, PartyId};
use axum::{
    Json as Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::{
    matches::{self, Cancelled, MatchRequest, Offer, Reassigned, Requested},
    submit::Answer,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    booking_body::{MatchBody, TermsBody},
    paging::Paging,
    schedules::PageParams,
    submit::{mismatch, replayed, respond},
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json, Params},
    idempotency,
    problem::{Code, FieldError, Problem, ProblemDocument},
};

const ROUTE: &str = "POST /v1/match-requests";
/// How a request may stand.
const STATES: [&str; 5] = ["ranking", "offered", "confirmed", "needs_dispatch", "cancelled"];

/// A visit that somebody is looked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchRequest)]
pub(crate) struct MatchResource {
    /// Which it is.
    #[schema(value_type = String, example = "mrq_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: MatchRequestId,
    /// Your name for what it is about.
    reference: String,
    /// `ranking`, `offered`, `confirmed`, `needs_dispatch` or `cancelled`.
    state: String,
    /// Which candidate is being asked, from 1; five at most each time that somebody is looked for.
    round: i16,
    /// When the visit begins.
    starts_at: DateTime<Utc>,
    /// When it ends.
    ends_at: DateTime<Utc>,
    /// Whether it waits for others.
    batch: bool,
    /// The rules it was made by; whatever becomes of their preset, these hold.
    terms: TermsBody,
    /// The preset that they were taken from.
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<String>,
    /// And its version then.
    #[serde(skip_serializing_if = "Option::is_none")]
    preset_version: Option<i32>,
    /// When it was asked.
    created_at: DateTime<Utc>,
    /// When it moved last.
    updated_at: DateTime<Utc>,
}

impl MatchResource {
    pub(super) fn of(row: &MatchRequest) -> Self {
        Self {
            id: row.id(),
            reference: row.reference.clone(),
            state: row.state.clone(),
            round: row.round,
            starts_at: row.visit.during.from,
            ends_at: row.visit.during.until,
            batch: row.in_batch,
            terms: TermsBody::of(row.terms.0),
            preset: row.preset.clone(),
            preset_version: row.preset_version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A question to one candidate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Offer)]
pub(crate) struct OfferResource {
    /// Which it is.
    #[schema(value_type = String, example = "off_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: OfferId,
    /// For which visit.
    #[schema(value_type = String)]
    request: MatchRequestId,
    /// The booking that holds the time.
    #[schema(value_type = String)]
    booking: BookingId,
    /// To whom.
    #[schema(value_type = String)]
    party: PartyId,
    /// Which question of its visit it is, from 1.
    round: i16,
    /// `sent`, `accepted`, `declined`, `expired` or `withdrawn`.
    state: String,
    /// When it was asked.
    sent_at: DateTime<Utc>,
    /// Until when an answer counts.
    expires_at: DateTime<Utc>,
    /// When it was answered, or taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_at: Option<DateTime<Utc>>,
}

impl OfferResource {
    pub(super) fn of(row: Offer) -> Self {
        Self {
            id: row.id(),
            request: row.request(),
            booking: row.booking(),
            party: row.party(),
            round: row.generation,
            state: row.state,
            sent_at: row.sent_at,
            expires_at: row.expires_at,
            answered_at: row.answered_at,
        }
    }
}

/// A visit that somebody is looked for, with who was asked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatchDetail {
    #[serde(flatten)]
    request: MatchResource,
    /// Who was asked, in order.
    offers: Vec<OfferResource>,
}

/// Have somebody found for a visit.
///
/// Everybody in whose reach it lies is ranked, and the first whose time is free is asked. Who declines, or does not answer
/// in time, is followed by the next.
#[utoipa::path(
    post, path = "/v1/match-requests", tag = "Matching", operation_id = "request_match", request_body = MatchBody,
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 202, description = "It is being done", body = MatchResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn request_match(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<MatchBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let new = body.check(caller.key.to_string())?;
    let answer = |made: &MatchRequest| {
        Answer::of(202, Some(format!("/v1/match-requests/{}", made.id())), &MatchResource::of(made))
    };
    match matches::create(&app.db, caller.tenant, &new, key.as_ref(), answer).await? {
        Requested::New(answer) => Ok(respond(answer)),
        Requested::Replayed(answer) => Ok(replayed(respond(answer))),
        Requested::Mismatch => Err(mismatch()),
        Requested::NoParty => {
            let error = FieldError::new("/client", "there is no such client, or no such company");
            Err(Problem::invalid(vec![error]))
        }
        Requested::NoPreset => {
            Err(Problem::invalid(vec![FieldError::new("/preset", "there are no rules of this name")]))
        }
    }
}

/// Which requests to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MatchParams {
    /// Only those that stand so.
    state: Option<String>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// A page of requests, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatchPage {
    /// The requests, without who was asked.
    match_requests: Vec<MatchResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List visits that somebody is looked for, newest first.
#[utoipa::path(
    get, path = "/v1/match-requests", tag = "Matching", operation_id = "list_match_requests", params(MatchParams),
    responses(
        (status = 200, description = "A page", body = MatchPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_match_requests(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(MatchParams { state, cursor, limit }): Params<MatchParams>,
) -> Result<Response, Problem> {
    if state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        let detail = format!("state takes one of {}", STATES.join(", "));
        return Err(Problem::new(Code::InvalidParameter, detail));
    }
    let paging = Paging::of(&PageParams { cursor, limit }, |id: MatchRequestId| id.as_uuid())?;
    let found = matches::list(&app.db, caller.tenant, state.as_deref(), paging.before, paging.most()).await?;
    let path =
        state.map_or("/v1/match-requests".to_owned(), |state| format!("/v1/match-requests?state={state}"));
    let page = |found: Vec<MatchRequest>, next| {
        Ok(MatchPage { match_requests: found.iter().map(MatchResource::of).collect(), next })
    };
    paging.answer(&path, found, |row| row.id().to_string(), page)
}

/// Look at a visit that somebody is looked for.
#[utoipa::path(
    get, path = "/v1/match-requests/{id}", tag = "Matching", operation_id = "get_match_request",
    params(("id" = String, Path, description = "The request")),
    responses(
        (status = 200, description = "As it stands, and who was asked", body = MatchDetail),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_match_request(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<MatchRequestId>,
) -> Result<Body<MatchDetail>, Problem> {
    let request = matches::request(&app.db, caller.tenant, id).await?.ok_or_else(no_request)?;
    let offers = matches::offers(&app.db, caller.tenant, id).await?;
    let offers = offers.into_iter().map(OfferResource::of).collect();
    Ok(Body(MatchDetail { request: MatchResource::of(&request), offers }))
}

/// Look for nobody any more.
///
/// What was offered is taken back; what was confirmed is called off. A visit that is under way or over is answered with 409.
#[utoipa::path(
    post, path = "/v1/match-requests/{id}/cancel", tag = "Matching", operation_id = "cancel_match_request",
    params(("id" = String, Path, description = "The request")),
    responses(
        (status = 200, description = "It is called off", body = MatchResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn cancel_match_request(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<MatchRequestId>,
) -> Result<Body<MatchResource>, Problem> {
    match matches::cancel(&app.db, caller.tenant, id).await? {
        Cancelled::Done(request) => Ok(Body(MatchResource::of(&request))),
        Cancelled::NoWay(request, status) => {
            let detail = format!("its booking is {}, and cannot be called off any more", status.word());
            let current = serde_json::to_value(MatchResource::of(&request)).map_err(Problem::internal)?;
            Err(Problem::new(Code::NoWay, detail).member("current", current))
        }
        Cancelled::Missing => Err(no_request()),
    }
}

/// Whether whoever is booked is let go of at once.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReassignBody {
    /// Call their booking off now; else they stay booked until somebody else says yes, and when nobody does.
    #[serde(default)]
    release_now: bool,
}

/// Look for somebody else for a visit that somebody said yes to.
///
/// Up to five others are asked, one after the other. Whoever is booked is called off when one of them says yes. A request that
/// is not `confirmed`, or whose visit is under way, is answered with 409.
#[utoipa::path(
    post, path = "/v1/match-requests/{id}/reassign", tag = "Matching", operation_id = "reassign_match_request",
    request_body = ReassignBody, params(("id" = String, Path, description = "The request")),
    responses(
        (status = 202, description = "Somebody else is being looked for", body = MatchResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn reassign_match_request(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<MatchRequestId>,
    Json(body): Json<ReassignBody>,
) -> Result<(StatusCode, Body<MatchResource>), Problem> {
    match matches::reassign(&app.db, caller.tenant, id, body.release_now).await? {
        Reassigned::Done(request) => Ok((StatusCode::ACCEPTED, Body(MatchResource::of(&request)))),
        Reassigned::NoWay(request) => {
            let detail = "nobody is booked whose visit is ahead, or somebody else was looked for too often";
            let current = serde_json::to_value(MatchResource::of(&request)).map_err(Problem::internal)?;
            Err(Problem::new(Code::NoWay, detail).member("current", current))
        }
        Reassigned::Missing => Err(no_request()),
    }
}

pub(super) fn no_request() -> Problem {
    Problem::not_found("match request")
}
