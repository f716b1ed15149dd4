//! When could somebody do it: every beginning within a horizon, and why the others are not offered.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::PartyId;
use serde::{Deserialize, Serialize};

use crate::{Candidate, Excluded, Reason, Span, Terms, Visit, gates};

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The visit as it would be at the first beginning.
    pub visit: Visit,
    /// Minutes from one beginning to the next.
    pub step_minutes: u16,
    /// Beginnings that are looked at.
    pub starts: u16,
    /// The rules of the house.
    pub terms: Terms,
}

/// A beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// When it would begin.
    pub starts_at: DateTime<Utc>,
    /// Who could do it then, by id; nobody when it is not offered.
    pub parties: Vec<PartyId>,
    /// How many could not, by why.
    pub reasons: BTreeMap<Reason, u32>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// Every beginning, in order.
    pub slots: Vec<Slot>,
    /// Who could do it at none of them, and why at the last that was looked at, by id.
    pub excluded: Vec<Excluded>,
}

/// Looks at every beginning for every candidate.
pub fn slots(search: &Search, candidates: &[Candidate]) -> Slots {
    let step = TimeDelta::minutes(i64::from(search.step_minutes));
    let visits: Vec<Visit> = (0..i32::from(search.starts))
        .map(|number| {
            let Span { from, until } = search.visit.during;
            Visit {
                during: Span { from: from + step * number, until: until + step * number },
                ..search.visit.clone()
            }
        })
        .collect();
    let empty =
        |visit: &Visit| Slot { starts_at: visit.during.from, parties: Vec::new(), reasons: BTreeMap::new() };
    let mut slots: Vec<Slot> = visits.iter().map(empty).collect();
    let Some(last) = visits.last() else { return Slots { slots, excluded: Vec::new() } };
    let horizon = Span { from: search.visit.during.from, until: last.during.until };
    let mut candidates: Vec<&Candidate> = candidates.iter().collect();
    candidates.sort_unstable_by_key(|candidate| candidate.party);
    let mut excluded = Vec::new();
    for candidate in candidates {
        let (metres, party) = (search.visit.metres(candidate), candidate.party);
        let travel = Visit::travel_minutes(metres);
        let open = candidate.hours.open(&horizon, candidate.zone);
        let (mut offered, mut refused) = (false, None);
        for (visit, slot) in visits.iter().zip(&mut slots) {
            let refusal = gates::who(visit, candidate)
                .or_else(|| gates::when(visit, candidate, travel, Some(&open)))
                .or_else(|| gates::fit(visit, candidate, metres, search.terms));
            match refusal {
                None => {
                    offered = true;
                    slot.parties.push(party);
                }
                Some((reason, evidence)) => {
                    *slot.reasons.entry(reason).or_default() += 1;
                    refused = Some(Excluded { party, reason, evidence });
                }
            }
        }
        excluded.extend(refused.filter(|_| !offered));
    }
    Slots { slots, excluded }
}
