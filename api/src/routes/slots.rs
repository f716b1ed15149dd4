//! When could somebody do it: every beginning, who could, and why others could not.

use std::collections::BTreeMap;

use ::jobs::PartyId;
use axum::{Json as Body, extract::State};
use chrono::{DateTime, TimeDelta, Utc};
use matching::{Excluded, Reason, Search, Slot, Span, slots};
use serde::{Deserialize, Serialize};
use store::people::{self, Needs};
use utoipa::ToSchema;

use super::booking_body::{Checks, TermsBody, VisitBody};
use crate::{
    AppState,
    auth::Reader,
    extract::Json,
    limits::{
        SLOT_CANDIDATES_MAX, SLOT_DAYS_MAX, SLOT_PARTIES_MAX, SLOT_STARTS_MAX, SLOT_STEP_MINUTES_DEFAULT,
    },
    problem::{Problem, ProblemDocument},
};

/// What is looked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlotSearch {
    /// The visit at the first beginning.
    visit: VisitBody,
    /// The last beginning.
    until: DateTime<Utc>,
    /// Minutes from one beginning to the next; 30 unless given.
    #[serde(default)]
    #[schema(minimum = 5, maximum = 1440)]
    step_minutes: Option<u16>,
    /// The rules; a media agency's unless given.
    #[serde(default)]
    terms: Option<TermsBody>,
    /// Who orders: whom they block, and who blocks them, is not offered.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    client: Option<PartyId>,
}

/// A beginning.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SlotResource {
    /// When it would begin.
    starts_at: DateTime<Utc>,
    /// How many could do it.
    free: usize,
    /// The first ten of them, by id.
    #[schema(value_type = Vec<String>)]
    parties: Vec<PartyId>,
    /// How many could not, by why.
    #[schema(value_type = Object)]
    refused: BTreeMap<Reason, u32>,
}

impl SlotResource {
    fn of(slot: Slot) -> Self {
        let free = slot.parties.len();
        let parties = slot.parties.into_iter().take(SLOT_PARTIES_MAX).collect();
        Self { starts_at: slot.starts_at, free, parties, refused: slot.reasons }
    }
}

/// Somebody who cannot do it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Excluded)]
pub(crate) struct ExcludedResource {
    /// Who.
    #[schema(value_type = String)]
    party: PartyId,
    /// Why.
    #[schema(value_type = String, example = "busy")]
    reason: Reason,
    /// What says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
}

impl ExcludedResource {
    pub(super) fn of(excluded: Excluded) -> Self {
        Self { party: excluded.party, reason: excluded.reason, evidence: excluded.evidence }
    }
}

/// When it could be done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SlotsFound {
    /// Beginnings at which somebody could do it, in order.
    slots: Vec<SlotResource>,
    /// Beginnings at which nobody could, in order.
    not_offered: Vec<SlotResource>,
    /// Who could do it at none of them, and why at the last.
    excluded: Vec<ExcludedResource>,
    /// Whether more people are in reach than were looked at.
    more_in_reach: bool,
}

/// Find out when somebody could do a visit.
///
/// Looks at every beginning from the visit's on, for the nearest 500 in whose reach it lies. Nothing is held by it.
#[utoipa::path(
    post, path = "/v1/slots", tag = "Bookings", operation_id = "find_slots", request_body = SlotSearch,
    responses(
        (status = 200, description = "Every beginning, and why not where not", body = SlotsFound),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn find_slots(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Json(body): Json<SlotSearch>,
) -> Result<Body<SlotsFound>, Problem> {
    let search = body.check()?;
    let length = search.visit.during.until - search.visit.during.from;
    let needs = Needs {
        during: Span { from: search.visit.during.from, until: body.until + length },
        place: search.visit.place,
        client: body.client,
        company: None,
        request: None,
        role: search.visit.role.clone(),
        most: SLOT_CANDIDATES_MAX,
    };
    let pool = people::pool(&app.db, caller.tenant, &needs).await?;
    let more_in_reach = pool.is_cut;
    let found = tokio::task::spawn_blocking(move || slots(&search, &pool.candidates));
    let found = found.await.map_err(Problem::internal)?;
    let (offered, not_offered): (Vec<Slot>, Vec<Slot>) =
        found.slots.into_iter().partition(|slot| !slot.parties.is_empty());
    Ok(Body(SlotsFound {
        slots: offered.into_iter().map(SlotResource::of).collect(),
        not_offered: not_offered.into_iter().map(SlotResource::of).collect(),
        excluded: found.excluded.into_iter().map(ExcludedResource::of).collect(),
        more_in_reach,
    }))
}

impl SlotSearch {
    fn check(&self) -> Result<Search, Problem> {
        let mut checks = Checks::default();
        let visit = checks.within("/visit", |checks| self.visit.check(checks));
        let terms = TermsBody::check(self.terms, &mut checks);
        let step_minutes = self.step_minutes.unwrap_or(SLOT_STEP_MINUTES_DEFAULT);
        checks.holds((5..=1_440).contains(&step_minutes), "/step_minutes", "takes 5 to 1440");
        let ahead = self.until - visit.during.from;
        let fits = (TimeDelta::zero()..=TimeDelta::days(SLOT_DAYS_MAX)).contains(&ahead);
        checks.holds(fits, "/until", format!("comes at most {SLOT_DAYS_MAX} days after the first beginning"));
        let starts = ahead.num_minutes() / i64::from(step_minutes.max(1)) + 1;
        let detail = format!("makes {starts} beginnings, and may make {SLOT_STARTS_MAX}: take longer steps");
        checks.holds(starts <= i64::from(SLOT_STARTS_MAX), "/step_minutes", detail);
        checks.done()?;
        Ok(Search { visit, step_minutes, starts: starts as u16, terms })
    }
}
