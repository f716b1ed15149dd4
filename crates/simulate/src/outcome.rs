//! What a day came to.

use serde::{Deserialize, Serialize};

use crate::day::Setup;

/// A day that was simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Of what.
    pub setup: Setup,
    /// Jobs put into the ledger.
    pub jobs: u64,
    /// Jobs that were not done when the simulation ended.
    pub left: u64,
    /// New photographs and films.
    pub media: QueueOutcome,
    /// Packages and what is rendered again.
    pub bulk: QueueOutcome,
    /// Everything small.
    pub default: QueueOutcome,
    /// Waits of new photographs, of whoever.
    pub photos: Spread,
    /// Of the largest tenant's.
    pub largest: Spread,
    /// Of those of the smaller half of the tenants.
    pub smaller_half: Spread,
    /// Waits of packages.
    pub packages: Spread,
    /// Waits of mails that somebody waits for.
    pub notices: Spread,
    /// Waits of the mails of the morning.
    pub digests: Spread,
    /// When the last picture that was made again was done, in hours since midnight.
    pub rerendered_h: Option<f64>,
}

/// How a queue fared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueOutcome {
    /// Slots it had.
    pub slots: usize,
    /// Age of the oldest job that may run, in seconds, at every minute from the beginning on.
    pub age_s: Vec<u32>,
    /// The share of the slots' time that was worked.
    pub used: f64,
    /// And in the busiest hour.
    pub used_most: f64,
}

impl QueueOutcome {
    /// How the ages lay over the minutes of the day itself.
    pub fn ages(&self, minutes: usize) -> Spread {
        Spread::of(self.age_s.iter().take(minutes).map(|age_s| i64::from(*age_s) * 1_000).collect())
    }

    /// Hours in which the oldest job waited for longer than `limit_s`.
    pub fn hours_over(&self, limit_s: u32) -> f64 {
        self.age_s.iter().filter(|age_s| **age_s > limit_s).count() as f64 / 60.0
    }
}

/// How numbers lie, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many there are.
    pub count: u64,
    /// Half of them are not above.
    pub p50_s: f64,
    /// 95 of a hundred are not above.
    pub p95_s: f64,
    /// 99 of a hundred are not above.
    pub p99_s: f64,
    /// None is above.
    pub max_s: f64,
}

impl Spread {
    /// The spread of so many milliseconds each.
    pub fn of(mut values_ms: Vec<i64>) -> Self {
        values_ms.sort_unstable();
        let at = |share: f64| {
            let rank = (values_ms.len() as f64 * share).ceil() as usize;
            values_ms.get(rank.saturating_sub(1)).map_or(0.0, |value_ms| *value_ms as f64 / 1e3)
        };
        Self {
            count: values_ms.len() as u64,
            p50_s: at(0.5),
            p95_s: at(0.95),
            p99_s: at(0.99),
            max_s: at(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest_from_above() {
        let spread = Spread::of((1..=100).rev().map(|value| value * 1_000).collect());
        assert_eq!((spread.p50_s, spread.p95_s, spread.p99_s, spread.max_s), (50.0, 95.0, 99.0, 100.0));
        assert_eq!(Spread::of(Vec::new()), Spread::default());
        let one = Spread::of(vec![7_000]);
        assert_eq!((one.count, one.p50_s, one.max_s), (1, 7.0, 7.0));
    }
}
