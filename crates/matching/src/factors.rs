//! What speaks for somebody, from 0 to 10,000 each.

use serde::{Deserialize, Serialize};

use crate::{Candidate, Past, Preferred, Visit, Weights};

/// The most that a factor comes to.
pub(crate) const FULL: u32 = 10_000;
/// What the preference of a company is worth.
const BY_COMPANY: u16 = 6_000;

/// What speaks for somebody, from 0 to 10,000 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factors {
    /// That they have time: all of it, after the gates.
    pub availability: u16,
    /// That they are preferred.
    pub preferred: u16,
    /// That they come, and on time, and do well.
    pub reliability: u16,
    /// That they live near.
    pub distance: u16,
    /// That they know how.
    pub skill: u16,
}

impl Factors {
    /// Those of `candidate`, who passed the gates and lives so many metres away.
    pub(crate) fn of(visit: &Visit, candidate: &Candidate, metres: Option<u32>) -> Self {
        Self {
            availability: FULL as u16,
            preferred: match candidate.preferred {
                Preferred::No => 0,
                Preferred::ByCompany => BY_COMPANY,
                Preferred::ByClient => FULL as u16,
            },
            reliability: candidate.past.reliability(),
            distance: metres.map_or(0, |metres| nearness(metres, candidate.radius_m)),
            skill: skill(visit, candidate),
        }
    }

    /// What they come to, from 0 to 10,000, rounded half up once.
    pub fn score(&self, weights: &Weights) -> u16 {
        let each = [self.availability, self.preferred, self.reliability, self.distance, self.skill];
        let sum: u32 = each
            .iter()
            .zip(weights.each())
            .map(|(value, weight)| u32::from(*value) * u32::from(weight))
            .sum();
        ((sum + 50) / 100) as u16
    }
}

/// `part` of `whole` in ten-thousandths, rounded half up.
fn ratio(part: u64, whole: u64) -> u64 {
    (2 * part * u64::from(FULL) + whole) / (2 * whole)
}

impl Past {
    /// What it comes to, from 0 to 10,000: half for being on time, three tenths for coming, two for stars. Each is pulled
    /// towards what is usual, so that who is new is neither the best nor the last.
    pub fn reliability(&self) -> u16 {
        let [visits, on_time, no_shows, ratings, stars] =
            [self.visits, self.on_time, self.no_shows, self.ratings, self.stars].map(u64::from);
        let on_time = ratio(on_time + 8, visits + 10);
        let comes = u64::from(FULL).saturating_sub(ratio(2 * no_shows + 1, 2 * (visits + 10)));
        // (stars + 5 × 4.2) / (ratings + 5) stars, of which one is nothing and five are all.
        let rating = ratio((stars + 21).saturating_sub(ratings + 5), 4 * (ratings + 5));
        (((5 * on_time + 3 * comes + 2 * rating + 5) / 10).min(u64::from(FULL))) as u16
    }
}

fn nearness(metres: u32, limit: u32) -> u16 {
    if metres >= limit {
        return 0;
    }
    ratio(u64::from(limit - metres), u64::from(limit)) as u16
}

/// The mean level of what is asked for; all of it when nothing is.
fn skill(visit: &Visit, candidate: &Candidate) -> u16 {
    let level = |wanted: &String| {
        candidate
            .skills
            .iter()
            .find(|skill| skill.name == *wanted)
            .map_or(0, |skill| u64::from(skill.level.min(5)))
    };
    match visit.skills.len() as u64 {
        0 => FULL as u16,
        wanted => ratio(visit.skills.iter().map(level).sum(), 5 * wanted) as u16,
    }
}
