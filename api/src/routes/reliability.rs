//! How reliable somebody was lately, and what that comes from.

use ::jobs::PartyId;
use axum::{Json as Body, extract::State};
use serde::Serialize;
use store::people::{self, Reliability};
use utoipa::ToSchema;

use super::parties::no_party;
use crate::{
    AppState,
    auth::Reader,
    extract::Id,
    problem::{Problem, ProblemDocument},
};

/// How reliable somebody was in the last 180 days.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reliability)]
pub(crate) struct ReliabilityResource {
    /// What matching makes of visits and ratings, from 0 to 10,000. How somebody answers counts nothing in it.
    reliability: u16,
    /// Visits they should have done.
    visits: u32,
    /// For how many of them they were on time.
    on_time: u32,
    /// To how many they did not come.
    no_shows: u32,
    /// How many said how well they did.
    ratings: u32,
    /// The stars they gave, from 1 to 5 each, in all.
    stars: u32,
    /// Offers they accepted, without those that were taken back later.
    accepted: i64,
    /// Offers they declined.
    declined: i64,
    /// Offers they did not answer in time.
    silent: i64,
    /// Of a hundred offers, how many they answered; not there when they were asked nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_percent: Option<i64>,
}

impl ReliabilityResource {
    fn of(Reliability { past, answers }: Reliability) -> Self {
        Self {
            reliability: past.reliability(),
            visits: past.visits,
            on_time: past.on_time,
            no_shows: past.no_shows,
            ratings: past.ratings,
            stars: past.stars,
            accepted: answers.accepted,
            declined: answers.declined,
            silent: answers.silent,
            response_percent: answers.percent(),
        }
    }
}

/// Look at how reliable somebody was.
///
/// What was seen of them in the last 180 days, and how they answered offers.
#[utoipa::path(
    get, path = "/v1/parties/{id}/reliability", tag = "People", operation_id = "get_reliability",
    params(("id" = String, Path, description = "The party")),
    responses(
        (status = 200, description = "What was seen of them", body = ReliabilityResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_reliability(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(party): Id<PartyId>,
) -> Result<Body<ReliabilityResource>, Problem> {
    let found = people::reliability(&app.db, caller.tenant, party).await?;
    found.map(|found| Body(ReliabilityResource::of(found))).ok_or_else(no_party)
}
