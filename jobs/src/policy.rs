//! How often, how long and how soon again: a kind's policy.

use std::time::Duration;

use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which of two waiting jobs goes first: 1 before 4. As in River, a smaller number is more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Priority(#[schemars(range(min = 1, max = 4))] u8);

impl Priority {
    /// Before everything else.
    pub const URGENT: Self = Self(1);
    /// What a kind gets unless it says otherwise.
    pub const NORMAL: Self = Self(2);
    /// When nothing better is waiting.
    pub const LOW: Self = Self(4);

    /// A priority from 1 to 4.
    pub const fn new(value: u8) -> Option<Self> {
        if value >= 1 && value <= 4 { Some(Self(value)) } else { None }
    }

    /// The number, 1 to 4.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u8::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| serde::de::Error::custom("a priority is 1 (first), 2, 3 or 4 (last)"))
    }
}

/// Exponential backoff with full jitter and a cap: the delay before attempt `n + 1` is uniform in
/// `0 ..= min(cap, base × 2^(n-1))`.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("Full Jitter").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Backoff {
    /// The band's upper end after the first failed attempt, in milliseconds.
    pub base_ms: u64,
    /// No delay is longer than this, in seconds.
    pub cap_s: u32,
}

impl Backoff {
    /// The longest delay that may follow failed attempt `attempt` (1 for the first).
    pub fn ceiling(&self, attempt: u16) -> Duration {
        let doublings = u32::from(attempt.saturating_sub(1)).min(63);
        let band_ms = u128::from(self.base_ms) << doublings;
        Duration::from_millis(band_ms.min(u128::from(self.cap_s) * 1_000) as u64)
    }

    /// A delay drawn for failed attempt `attempt` (1 for the first).
    pub fn delay(&self, attempt: u16, rng: &mut impl Rng) -> Duration {
        let ceiling_ms = self.ceiling(attempt).as_millis() as u64;
        Duration::from_millis(rng.random_range(0..=ceiling_ms))
    }
}

/// What a kind promises and tolerates, unless a job asks for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Policy {
    /// Runs before the job is discarded, the first included.
    pub max_attempts: u16,
    /// One run may take this long, in seconds.
    pub timeout_s: u32,
    /// The wait between runs.
    pub backoff: Backoff,
    /// Which of two waiting jobs goes first.
    pub priority: Priority,
    /// Promised to be done within so many seconds after it could begin.
    pub promise_s: Option<u32>,
}

/// Promises that have a lane of their own, in seconds.
const PROMISE_STEPS_S: [u32; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 604_800];

/// The step of the ladder of promises that `promise_s` stands on: the longest that is not longer. 0 for none.
///
/// Jobs on one step stand in one line, so the ladder bounds how many lines there are; the promise itself is kept to the
/// second.
pub fn promise_step(promise_s: Option<u32>) -> u32 {
    let steps = PROMISE_STEPS_S.iter().rev();
    promise_s.map_or(0, |promise_s| steps.copied().find(|step| *step <= promise_s).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const BACKOFF: Backoff = Backoff { base_ms: 1_000, cap_s: 300 };

    #[test]
    fn the_ceiling_doubles_until_the_cap() {
        let ceilings: Vec<u64> = (1..=12).map(|n| BACKOFF.ceiling(n).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(BACKOFF.ceiling(u16::MAX), Duration::from_mins(5));
    }

    #[test]
    fn a_promise_stands_on_the_step_below() {
        let steps = [None, Some(1), Some(4), Some(5), Some(59), Some(60), Some(2_000_000)].map(promise_step);
        assert_eq!(steps, [0, 1, 2, 5, 30, 60, 604_800]);
    }

    #[test]
    fn full_jitter_fills_its_band_evenly() {
        let mut rng = StdRng::seed_from_u64(7);
        let draws: Vec<u64> = (0..100_000).map(|_| BACKOFF.delay(4, &mut rng).as_millis() as u64).collect();
        assert!(draws.iter().all(|ms| *ms <= 8_000));
        // Eight buckets of 12,500 expected draws each; five standard deviations are 525.
        for bucket in 0..8 {
            let hits = draws.iter().filter(|ms| **ms / 1_000 == bucket).count();
            assert!((11_900..13_100).contains(&hits), "bucket {bucket} was drawn {hits} times");
        }
    }

    proptest! {
        #[test]
        fn no_delay_leaves_its_band(attempt in 1u16..=u16::MAX, base_ms in 0u64..10_000_000, cap_s in 0u32..1_000_000, seed: u64) {
            let backoff = Backoff { base_ms, cap_s };
            let delay = backoff.delay(attempt, &mut StdRng::seed_from_u64(seed));
            prop_assert!(delay <= backoff.ceiling(attempt));
            prop_assert!(delay <= Duration::from_secs(u64::from(cap_s)));
        }
    }
}
