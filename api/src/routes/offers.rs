//! Offers: looking at one, and answering it.

use ::jobs::OfferId;
use axum::{Json as Body, extract::State};
use store::matches::{self, Answered, Word};

use super::matches::OfferResource;
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::Id,
    problem::{Code, Problem, ProblemDocument},
};

/// Look at an offer.
#[utoipa::path(
    get, path = "/v1/offers/{id}", tag = "Matching", operation_id = "get_offer",
    params(("id" = String, Path, description = "The offer")),
    responses(
        (status = 200, description = "As it stands", body = OfferResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_offer(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<OfferId>,
) -> Result<Body<OfferResource>, Problem> {
    let found = matches::offer(&app.db, caller.tenant, id).await?;
    found.map(|offer| Body(OfferResource::of(offer))).ok_or_else(no_offer)
}

/// Accept an offer.
///
/// To accept again changes nothing. Who comes too late is told how it stands.
#[utoipa::path(
    post, path = "/v1/offers/{id}/accept", tag = "Matching", operation_id = "accept_offer",
    params(("id" = String, Path, description = "The offer")),
    responses(
        (status = 200, description = "The visit is theirs", body = OfferResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn accept_offer(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<OfferId>,
) -> Result<Body<OfferResource>, Problem> {
    told(matches::answer(&app.db, caller.tenant, id, Word::Accepted).await?)
}

/// Decline an offer.
///
/// The next one is asked. To decline again changes nothing.
#[utoipa::path(
    post, path = "/v1/offers/{id}/decline", tag = "Matching", operation_id = "decline_offer",
    params(("id" = String, Path, description = "The offer")),
    responses(
        (status = 200, description = "Somebody else is asked", body = OfferResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn decline_offer(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<OfferId>,
) -> Result<Body<OfferResource>, Problem> {
    told(matches::answer(&app.db, caller.tenant, id, Word::Declined).await?)
}

fn told(answered: Answered) -> Result<Body<OfferResource>, Problem> {
    match answered {
        Answered::Heard(offer) => Ok(Body(OfferResource::of(offer))),
        Answered::TooLate(offer) => {
            let detail = match offer.state.as_str() {
                "sent" => "the time to answer is over",
                "accepted" => "the offer was accepted already",
                "declined" => "the offer was declined already",
                "withdrawn" => "the offer was taken back",
                _ => "the offer has expired",
            };
            let current = serde_json::to_value(OfferResource::of(offer)).map_err(Problem::internal)?;
            Err(Problem::new(Code::OfferOver, detail).member("current", current))
        }
        Answered::Missing => Err(no_offer()),
    }
}

fn no_offer() -> Problem {
    Problem::not_found("offer")
}
