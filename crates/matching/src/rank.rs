//! Who first: everybody scored, in one order that leaves nothing to chance.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use jobs::PartyId;
use serde::{Deserialize, Serialize};

use crate::{Candidate, Excluded, Factors, Flag, Past, Preferred, Terms, Visit, gates};

/// Somebody who could do it, with everything that their place follows from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    /// Who.
    pub party: PartyId,
    /// The version of what was known of them.
    pub version: i32,
    /// What the factors come to, from 0 to 10,000.
    pub score: u16,
    /// What speaks for them.
    pub factors: Factors,
    /// Who prefers them.
    pub preferred: Preferred,
    /// What was seen of them.
    pub past: Past,
    /// How far they have to come; none when one end is not known.
    pub metres: Option<u32>,
    /// How far they go.
    pub radius_m: u32,
    /// Minutes of their way.
    pub travel_minutes: u16,
    /// Minutes of visits in the last seven days.
    pub week_minutes: u32,
    /// When they were last asked about anything.
    pub last_offered_at: Option<DateTime<Utc>>,
    /// What whoever decides should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
}

/// Who could do it, best first, and who could not, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranking {
    /// The rules it was made by.
    pub terms: Terms,
    /// Who could, best first.
    pub ranked: Vec<Ranked>,
    /// Who could not, by id.
    pub excluded: Vec<Excluded>,
    /// Whether more were in reach than were looked at.
    #[serde(default)]
    pub is_cut: bool,
}

/// Ranks `candidates` for `visit`.
pub fn rank(visit: &Visit, candidates: &[Candidate], terms: &Terms) -> Ranking {
    let (mut ranked, mut excluded) = (Vec::with_capacity(candidates.len()), Vec::new());
    for candidate in candidates {
        let metres = visit.metres(candidate);
        let travel = Visit::travel_minutes(metres);
        let refusal = gates::who(visit, candidate)
            .or_else(|| gates::when(visit, candidate, travel, None))
            .or_else(|| gates::fit(visit, candidate, metres, *terms));
        match refusal {
            Some((reason, evidence)) => excluded.push(Excluded { party: candidate.party, reason, evidence }),
            None => ranked.push(scored(visit, candidate, metres, *terms)),
        }
    }
    excluded.sort_unstable_by_key(|excluded| excluded.party);
    sort(&mut ranked, *terms);
    Ranking { terms: *terms, ranked, excluded, is_cut: false }
}

/// The same people under other rules: gates do not depend on weights, so nothing has to be looked at again. Strict rules let
/// those go whose calendar was stale. Whom strict rules had let go is not among them, and does not come back.
pub fn reorder(ranked: &[Ranked], terms: &Terms) -> Vec<Ranked> {
    let rescored = |row: &Ranked| Ranked { score: row.factors.score(&terms.weights), ..row.clone() };
    let is_out = |row: &Ranked| terms.strict_calendars && row.flags.contains(&Flag::CalendarStale);
    let mut ranked: Vec<Ranked> = ranked.iter().filter(|row| !is_out(row)).map(rescored).collect();
    sort(&mut ranked, *terms);
    ranked
}

fn scored(visit: &Visit, candidate: &Candidate, metres: Option<u32>, terms: Terms) -> Ranked {
    let factors = Factors::of(visit, candidate, metres);
    let mut flags = Vec::new();
    flags.extend(metres.is_none().then_some(Flag::DistanceUnknown));
    flags.extend(candidate.stale_since.is_some().then_some(Flag::CalendarStale));
    Ranked {
        party: candidate.party,
        version: candidate.version,
        score: factors.score(&terms.weights),
        factors,
        preferred: candidate.preferred,
        past: candidate.past,
        metres,
        radius_m: candidate.radius_m,
        travel_minutes: Visit::travel_minutes(metres),
        week_minutes: candidate.week_minutes,
        last_offered_at: candidate.last_offered_at,
        flags,
    }
}

/// By keys that are made once a row: rows are long, and there are thousands.
fn sort(ranked: &mut [Ranked], terms: Terms) {
    ranked.sort_by_cached_key(|row| place(row, terms.fairness_band));
}

/// Score, then who is preferred, reliable, near; then who had less work, and was asked longest ago. In a band, work comes
/// right after the score: near-ties are what a band is for. The id comes last and makes the order total.
fn place(row: &Ranked, band: u16) -> impl Ord + use<> {
    let score = row.score.checked_div(band).unwrap_or(row.score);
    let merit =
        (Reverse(row.factors.preferred), Reverse(row.factors.reliability), row.metres.unwrap_or(u32::MAX));
    let work = (row.week_minutes, row.last_offered_at);
    let (first, last) = if band == 0 { (None, Some(work)) } else { (Some(work), None) };
    (Reverse(score), first, merit, last, row.party)
}
