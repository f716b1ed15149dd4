//! Why somebody was asked and others were not, and who would have been under other rules.

use std::collections::BTreeMap;

use ::jobs::{MatchRequestId, PartyId};
use axum::{
    Json as Body,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use matching::{Excluded, Factors, Flag, Past, Ranked, Reason, Terms, Weights, reorder};
use serde::{Deserialize, Serialize};
use store::matches::{self, Receipt};
use utoipa::ToSchema;

use super::{
    booking_body::{Checks, TermsBody},
    matches::no_request,
    slots::ExcludedResource,
};
use crate::{
    AppState,
    auth::Reader,
    extract::Json,
    limits::{RANKING_ROWS_MAX, WHAT_IF_DEFAULT, WHAT_IF_MAX},
    problem::{Problem, ProblemDocument},
};

/// One factor of somebody's score.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FactorResource {
    /// From 0 to 10,000.
    value: u16,
    /// What it is worth, in hundredths.
    weight: u8,
    /// What it adds to the score, in hundredths of it.
    points: u32,
}

/// Somebody who could do it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RankedResource {
    /// Who.
    #[schema(value_type = String)]
    party: PartyId,
    /// The version of their membership that was looked at.
    version: i32,
    /// From 0 to 10,000.
    score: u16,
    /// `availability`, `preferred`, `reliability`, `distance` and `skill`.
    factors: BTreeMap<&'static str, FactorResource>,
    /// What reliability comes from: visits, how many on time, no-shows, ratings and their stars, of 180 days.
    #[schema(value_type = Object)]
    past: Past,
    /// How far they have to come; not there when one end is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    metres: Option<u32>,
    /// Minutes of their way.
    travel_minutes: u16,
    /// Minutes of visits in the seven days before.
    week_minutes: u32,
    /// When they were asked before, about anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_offered_at: Option<DateTime<Utc>>,
    /// `distance_unknown`, `calendar_stale`.
    #[schema(value_type = Vec<String>)]
    flags: Vec<Flag>,
}

impl RankedResource {
    fn of(row: Ranked, weights: Weights) -> Self {
        let Factors { availability, preferred, reliability, distance, skill } = row.factors;
        let factor = |value: u16, weight: u8| FactorResource {
            value,
            weight,
            points: u32::from(value) * u32::from(weight),
        };
        Self {
            party: row.party,
            version: row.version,
            score: row.score,
            factors: BTreeMap::from([
                ("availability", factor(availability, weights.availability)),
                ("preferred", factor(preferred, weights.preferred)),
                ("reliability", factor(reliability, weights.reliability)),
                ("distance", factor(distance, weights.distance)),
                ("skill", factor(skill, weights.skill)),
            ]),
            past: row.past,
            metres: row.metres,
            travel_minutes: row.travel_minutes,
            week_minutes: row.week_minutes,
            last_offered_at: row.last_offered_at,
            flags: row.flags,
        }
    }
}

/// The ranking behind a round.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ranking)]
pub(crate) struct RankingResource {
    /// For which visit.
    #[schema(value_type = String)]
    request: MatchRequestId,
    /// The round, from 1.
    round: i16,
    /// How many could do it.
    candidates: usize,
    /// The first 200 of them, best first.
    ranked: Vec<RankedResource>,
    /// How many could not, by why.
    #[schema(value_type = Object)]
    reasons: BTreeMap<Reason, u32>,
    /// The first 200 of them, by id, with what says so.
    excluded: Vec<ExcludedResource>,
    /// Whether more people were in reach than were looked at.
    more_in_reach: bool,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl RankingResource {
    fn of(row: Receipt) -> Self {
        let (request, ranking) = (row.request(), row.receipt.0);
        let mut reasons = BTreeMap::new();
        for excluded in &ranking.excluded {
            *reasons.entry(excluded.reason).or_default() += 1;
        }
        let weights = ranking.terms.weights;
        Self {
            request,
            more_in_reach: ranking.is_cut,
            round: row.round,
            candidates: ranking.ranked.len(),
            reasons,
            ranked: ranking
                .ranked
                .into_iter()
                .take(RANKING_ROWS_MAX)
                .map(|row| RankedResource::of(row, weights))
                .collect(),
            excluded: ranking.excluded.into_iter().take(RANKING_ROWS_MAX).map(ExcludedResource::of).collect(),
            created_at: row.created_at,
        }
    }
}

/// Look at the ranking behind a round.
#[utoipa::path(
    get, path = "/v1/match-requests/{id}/rankings/{round}", tag = "Matching", operation_id = "get_ranking",
    params(("id" = String, Path, description = "The request"), ("round" = i16, Path, description = "The round, from 1")),
    responses(
        (status = 200, description = "Everybody's place, and why others have none", body = RankingResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_ranking(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Path((request, round)): Path<(String, String)>,
) -> Result<Body<RankingResource>, Problem> {
    let request: MatchRequestId = request.parse().map_err(|_| no_request())?;
    let no_ranking = || Problem::not_found("ranking");
    let round: i16 = round.parse().map_err(|_| no_ranking())?;
    let receipt = matches::receipt(&app.db, caller.tenant, request, round).await?.ok_or_else(no_ranking)?;
    Ok(Body(RankingResource::of(receipt)))
}

/// Other rules to look at the past with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhatIfBody {
    /// The rules.
    terms: TermsBody,
    /// How many of the latest requests, at most 100; 20 unless given.
    #[serde(default)]
    requests: Option<i64>,
}

/// What other rules would have changed about one request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhatIfRow {
    /// The request.
    #[schema(value_type = String)]
    request: MatchRequestId,
    /// Who was first; nobody when nobody could do it.
    #[schema(value_type = Option<String>)]
    was: Option<PartyId>,
    /// Who would have been.
    #[schema(value_type = Option<String>)]
    would_be: Option<PartyId>,
    /// How many would have another place, or none.
    moved: usize,
    /// How many were let go for their calendars alone, because the rules were strict. They have no score, so they have no place
    /// under rules that are not, and who would be first is said without them.
    left_out: usize,
}

/// What other rules would have changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhatIf {
    /// Requests that were looked at.
    requests: usize,
    /// In how many of them somebody else would have been first.
    other_first: usize,
    /// Each of them, newest first.
    each: Vec<WhatIfRow>,
}

/// Find out what other rules would have changed.
///
/// The first rankings of the latest requests are made again under them, from what was kept then. Nobody is asked anything.
#[utoipa::path(
    post, path = "/v1/match-requests/what-if", tag = "Matching", operation_id = "what_if", request_body = WhatIfBody,
    responses(
        (status = 200, description = "Who would have been first", body = WhatIf),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn what_if(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Json(body): Json<WhatIfBody>,
) -> Result<Body<WhatIf>, Problem> {
    let mut checks = Checks::default();
    let terms = TermsBody::check(Some(body.terms), &mut checks);
    let requests = body.requests.unwrap_or(WHAT_IF_DEFAULT);
    checks.holds((1..=WHAT_IF_MAX).contains(&requests), "/requests", format!("takes 1 to {WHAT_IF_MAX}"));
    checks.done()?;
    let mut each = Vec::new();
    let mut before = None;
    // One at a time: a ranking may have ten thousand rows.
    while (each.len() as i64) < requests {
        let Some(receipt) = matches::receipt_before(&app.db, caller.tenant, before).await? else { break };
        before = Some(receipt.request());
        let row = tokio::task::spawn_blocking(move || compared(&receipt, terms));
        each.push(row.await.map_err(Problem::internal)?);
    }
    let other_first = each.iter().filter(|row| row.was != row.would_be).count();
    Ok(Body(WhatIf { requests: each.len(), other_first, each }))
}

fn compared(receipt: &Receipt, terms: Terms) -> WhatIfRow {
    let was = &receipt.receipt.ranked;
    let would_be = reorder(was, &terms);
    let is_stale = |excluded: &&Excluded| excluded.reason == Reason::CalendarStale;
    let left_out = receipt.receipt.excluded.iter().filter(is_stale).count();
    let gone = was.len() - would_be.len();
    WhatIfRow {
        request: receipt.request(),
        was: was.first().map(|row| row.party),
        would_be: would_be.first().map(|row| row.party),
        moved: was.iter().zip(&would_be).filter(|(one, other)| one.party != other.party).count() + gone,
        left_out: if terms.strict_calendars { 0 } else { left_out },
    }
}
