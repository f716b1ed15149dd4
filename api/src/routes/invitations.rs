//! Guests of a booking, in whose calendars it is to stand.

use ::jobs::{BookingId, InvitationId, PartyId};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::{
    invitations::{self, Invitation, Made, NewInvitation},
    submit::Answer,
};
use utoipa::ToSchema;

use super::{
    paging::Paging,
    schedules::PageParams,
    submit::{mismatch, replayed, respond},
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json, Params},
    idempotency,
    limits::BOOKING_GUESTS_MAX,
    problem::{Code, FieldError, Problem, ProblemDocument},
};

const ROUTE: &str = "POST /v1/bookings/{id}/invitations";

/// Somebody who is to be invited.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewInvitation)]
pub(crate) struct InvitationBody {
    /// Who. They need a mail address.
    #[schema(value_type = String, example = "pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    party: PartyId,
}

/// A guest of a booking.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationResource {
    /// Which it is.
    #[schema(value_type = String, example = "inv_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: InvitationId,
    /// To which booking.
    #[schema(value_type = String)]
    booking: BookingId,
    /// Who.
    #[schema(value_type = String)]
    party: PartyId,
    /// Where they are invited.
    address: String,
    /// They are not invited any more.
    withdrawn: bool,
    /// What their calendar was told last: `request` or `cancel`; none before they were told.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<String>,
    /// What they answered to that: `accepted`, `tentative` or `declined`.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// When, by their clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_at: Option<DateTime<Utc>>,
    /// When they were invited.
    created_at: DateTime<Utc>,
}

impl InvitationResource {
    fn of(row: &Invitation) -> Self {
        Self {
            id: row.id(),
            booking: row.booking(),
            party: row.party(),
            address: row.address.clone(),
            withdrawn: row.is_withdrawn,
            told: row.told.clone(),
            answer: row.answer.clone(),
            answered_at: row.answered_at,
            created_at: row.created_at,
        }
    }
}

/// Invite somebody to a booking.
///
/// Once it is confirmed they get a mail that their calendar understands, and another when it is called off. Whoever is offered it, or
/// held for it in pencil, gets one at once: by accepting they take it, by declining they pass it on. What they answer stands here. Whoever
/// is invited already stays so.
#[utoipa::path(
    post, path = "/v1/bookings/{id}/invitations", tag = "Calendars", operation_id = "invite_to_booking",
    params(
        ("id" = String, Path, description = "The booking"),
        ("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h"),
    ),
    request_body = InvitationBody,
    responses(
        (status = 201, description = "They are invited", body = InvitationResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn invite_to_booking(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Id(booking): Id<BookingId>,
    Json(body): Json<InvitationBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &(booking, &body), app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let (party, by) = (body.party, caller.key.to_string());
    let new = NewInvitation { id: InvitationId::new(), booking, party, by };
    let answer = |made: &Invitation| Answer::of(201, None, &InvitationResource::of(made));
    let made =
        invitations::create(&app.db, caller.tenant, &new, BOOKING_GUESTS_MAX, key.as_ref(), answer).await?;
    match made {
        Made::New(answer) => Ok(respond(answer)),
        Made::Replayed(answer) => Ok(replayed(respond(answer))),
        Made::Mismatch => Err(mismatch()),
        Made::NoBooking => Err(Problem::not_found("booking")),
        Made::NoAddress => {
            let why = "nobody such is known here with a mail address";
            Err(Problem::invalid(vec![FieldError::new("/party", why)]))
        }
        Made::TooMany => {
            let detail = format!("a booking has at most {BOOKING_GUESTS_MAX} guests");
            Err(Problem::new(Code::TooMany, detail))
        }
    }
}

/// A page of guests, the last first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvitationPage {
    /// The guests, with what they answered.
    invitations: Vec<InvitationResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List the guests of a booking, the last first.
#[utoipa::path(
    get, path = "/v1/bookings/{id}/invitations", tag = "Calendars", operation_id = "list_invitations",
    params(("id" = String, Path, description = "The booking"), PageParams),
    responses(
        (status = 200, description = "A page", body = InvitationPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_invitations(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(booking): Id<BookingId>,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let paging = Paging::of(&params, |id: InvitationId| id.as_uuid())?;
    let found =
        invitations::invitations(&app.db, caller.tenant, booking, paging.before, paging.most()).await?;
    let page = |found: Vec<Invitation>, next| {
        Ok(InvitationPage { invitations: found.iter().map(InvitationResource::of).collect(), next })
    };
    paging.answer(&format!("/v1/bookings/{booking}/invitations"), found, |row| row.id().to_string(), page)
}

/// Invite somebody no more.
///
/// If they were told of the booking, their calendar is told to take it out. To say so again changes nothing.
#[utoipa::path(
    delete, path = "/v1/invitations/{id}", tag = "Calendars", operation_id = "withdraw_invitation",
    params(("id" = String, Path, description = "The invitation")),
    responses(
        (status = 204, description = "They are not invited"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn withdraw_invitation(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<InvitationId>,
) -> Result<StatusCode, Problem> {
    let found = invitations::withdraw(&app.db, caller.tenant, id).await?;
    found.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Problem::not_found("invitation"))
}
