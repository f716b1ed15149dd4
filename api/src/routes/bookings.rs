//! Bookings: time of somebody's that is held, asked for or given away.

use ::jobs::{BookingId, PartyId};
use axum::{Json as Body, extract::State, http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::{
    StoreError,
    bookings::{self, Booking, Made, Move, Moved, Status},
    submit::Answer,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    booking_body::BookingBody,
    membership_body::Place,
    memberships::changed,
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

const ROUTE: &str = "POST /v1/bookings";

/// A booking as it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Booking)]
pub(crate) struct BookingResource {
    /// Which it is.
    #[schema(value_type = String, example = "bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: BookingId,
    /// Your name for what it is about.
    reference: String,
    /// `pencil`, `released`, `offered`, `void`, `confirmed`, `active`, `done`, `cancelled` or `no_show`.
    status: &'static str,
    /// Counts changes; a move names the one it saw.
    version: i32,
    /// From then.
    starts_at: DateTime<Utc>,
    /// Until then.
    ends_at: DateTime<Utc>,
    /// Minutes kept free before it, without the way.
    before_minutes: i16,
    /// Minutes kept free after it, without the way.
    after_minutes: i16,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    /// Whom it takes.
    #[schema(value_type = Vec<String>)]
    parties: Vec<PartyId>,
    /// Of a pencil: its place among those that hold the same, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_rank: Option<i64>,
    /// Whether it is a pencil over time that somebody has by now.
    at_risk: bool,
    /// Of a pencil: when it is released, unless it moves before.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_until: Option<DateTime<Utc>>,
    /// Of a pencil: the one that wants it to be confirmed or released.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    challenged_by: Option<BookingId>,
    /// Where it can move.
    next: Vec<&'static str>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was changed last.
    updated_at: DateTime<Utc>,
}

impl BookingResource {
    fn of(row: &Booking) -> Result<Self, StoreError> {
        let status = row.status()?;
        Ok(Self {
            id: row.id(),
            reference: row.reference.clone(),
            status: status.word(),
            version: row.version,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            before_minutes: row.before_minutes,
            after_minutes: row.after_minutes,
            place: row.place().map(Place::of),
            parties: row.parties(),
            hold_rank: row.hold_rank,
            at_risk: row.at_risk,
            held_until: row.held_until,
            challenged_by: row.challenged_by(),
            next: status.next().iter().map(|status| status.word()).collect(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Book somebody, or several at once.
///
/// A pencil holds a place in the line and leaves the time to others; a confirmed booking takes the time of everybody it
/// names, or of nobody.
#[utoipa::path(
    post, path = "/v1/bookings", tag = "Bookings", operation_id = "create_booking", request_body = BookingBody,
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 201, description = "It is booked", body = BookingResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn create_booking(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<BookingBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let new = body.check(caller.key.to_string())?;
    let answer = |made: &Booking| {
        let resource = BookingResource::of(made)?;
        Ok(Answer::of(201, Some(format!("/v1/bookings/{}", made.id())), &resource))
    };
    match bookings::create(&app.db, caller.tenant, &new, key.as_ref(), answer).await? {
        Made::New(answer) => Ok(respond(answer)),
        Made::Replayed(answer) => Ok(replayed(respond(answer))),
        Made::Mismatch => Err(mismatch()),
        Made::NoParty(at) => {
            let error = FieldError::new(format!("/parties/{at}"), "nobody such does work here");
            Err(Problem::invalid(vec![error]))
        }
        Made::Busy(places) => {
            let busy: Vec<PartyId> = places.into_iter().map(|at| new.parties[at]).collect();
            let busy = serde_json::to_value(busy).map_err(Problem::internal)?;
            Err(Problem::new(Code::TimeTaken, "the time of those in `busy` is taken").member("busy", busy))
        }
    }
}

/// Which bookings to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BookingParams {
    /// Only those of this party.
    #[param(value_type = Option<String>)]
    party: Option<PartyId>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// A page of bookings, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BookingPage {
    /// The bookings.
    bookings: Vec<BookingResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List bookings, newest first.
#[utoipa::path(
    get, path = "/v1/bookings", tag = "Bookings", operation_id = "list_bookings", params(BookingParams),
    responses(
        (status = 200, description = "A page", body = BookingPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_bookings(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(BookingParams { party, cursor, limit }): Params<BookingParams>,
) -> Result<Response, Problem> {
    let paging = Paging::of(&PageParams { cursor, limit }, |id: BookingId| id.as_uuid())?;
    let found = bookings::list(&app.db, caller.tenant, party, paging.before, paging.most()).await?;
    let path = party.map_or("/v1/bookings".to_owned(), |party| format!("/v1/bookings?party={party}"));
    let page = |found: Vec<Booking>, next| {
        let bookings = found.iter().map(BookingResource::of).collect::<Result<_, _>>()?;
        Ok(BookingPage { bookings, next })
    };
    paging.answer(&path, found, |row| row.id().to_string(), page)
}

/// Look at a booking.
#[utoipa::path(
    get, path = "/v1/bookings/{id}", tag = "Bookings", operation_id = "get_booking",
    params(("id" = String, Path, description = "The booking")),
    responses(
        (status = 200, description = "As it is", body = BookingResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_booking(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<BookingId>,
) -> Result<Body<BookingResource>, Problem> {
    let found = bookings::booking(&app.db, caller.tenant, id).await?.ok_or_else(no_booking)?;
    Ok(Body(BookingResource::of(&found)?))
}

/// Where a booking should move.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveBody {
    /// One of its `next`.
    #[schema(example = "confirmed")]
    to: String,
    /// The version that was seen.
    version: i32,
    /// To `done`: whether they were on time; they were unless this says otherwise.
    #[serde(default = "yes")]
    on_time: bool,
}

fn yes() -> bool {
    true
}

/// Move a booking.
///
/// Under the version that was seen: another one is answered with 409 and how it is now. To confirm a pencil takes the time
/// of everybody in it, or answers that it is taken.
#[utoipa::path(
    post, path = "/v1/bookings/{id}/move", tag = "Bookings", operation_id = "move_booking", request_body = MoveBody,
    params(("id" = String, Path, description = "The booking")),
    responses(
        (status = 200, description = "As it is now", body = BookingResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn move_booking(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<BookingId>,
    Json(body): Json<MoveBody>,
) -> Result<Body<BookingResource>, Problem> {
    let to = Status::named(&body.to).ok_or_else(|| {
        let words: Vec<&str> = Status::ALL.iter().map(|status| status.word()).collect();
        Problem::invalid(vec![FieldError::new("/to", format!("takes one of {}", words.join(", ")))])
    })?;
    let wanted = Move { to, version: body.version, on_time: body.on_time };
    told(bookings::move_to(&app.db, caller.tenant, id, wanted).await?)
}

/// The version that was seen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChallengeBody {
    /// The version that was seen.
    version: i32,
}

/// Ask those before a pencil to confirm or to let go.
///
/// They have a day; whoever does neither is released then, and everybody behind moves up.
#[utoipa::path(
    post, path = "/v1/bookings/{id}/challenge", tag = "Bookings", operation_id = "challenge_booking",
    request_body = ChallengeBody, params(("id" = String, Path, description = "The pencil that wants to be first")),
    responses(
        (status = 200, description = "The pencil", body = BookingResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn challenge_booking(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<BookingId>,
    Json(body): Json<ChallengeBody>,
) -> Result<Body<BookingResource>, Problem> {
    told(bookings::challenge(&app.db, caller.tenant, id, body.version).await?)
}

fn told(moved: Moved) -> Result<Body<BookingResource>, Problem> {
    let refused = |code, detail: &str, booking: &Booking| {
        let current = BookingResource::of(booking)?;
        let current = serde_json::to_value(current).map_err(Problem::internal)?;
        Err(Problem::new(code, detail).member("current", current))
    };
    match moved {
        Moved::Done(booking) => Ok(Body(BookingResource::of(&booking)?)),
        Moved::Stale(booking) => Err(changed(&BookingResource::of(&booking)?)),
        Moved::NoWay(booking) => {
            refused(Code::NoWay, "it cannot move there; `current.next` says where", &booking)
        }
        Moved::Busy(booking) => refused(Code::TimeTaken, "the time of somebody in it is taken", &booking),
        Moved::Missing => Err(no_booking()),
    }
}

fn no_booking() -> Problem {
    Problem::not_found("booking")
}
