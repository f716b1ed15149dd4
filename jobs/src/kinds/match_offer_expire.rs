//! `match.offer_expire`: a question that nobody answered in time is taken back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Backoff, Invalid, Job, OfferId, Policy, Priority, Queue, Unique, UniqueFor, limits::MATCH_ROUNDS_EVER_MAX,
};

/// Takes an offer back that was not answered in time, and has the next candidate asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchOfferExpire {
    /// The offer.
    pub offer: OfferId,
    /// Which question of its visit it is, from 1.
    #[schemars(range(min = 1, max = 5))]
    pub generation: i16,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OfferExpired {
    /// The offer.
    pub offer: OfferId,
    /// Whether it was taken back; an answer that came in time stands.
    pub expired: bool,
}

impl Job for MatchOfferExpire {
    const KIND: &'static str = "match.offer_expire";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Take back an offer that nobody answered";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 8,
        timeout_s: 30,
        backoff: Backoff { base_ms: 500, cap_s: 60 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = OfferExpired;

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(
            (1..=MATCH_ROUNDS_EVER_MAX).contains(&self.generation),
            "/generation",
            "takes 1 to 100",
        )
    }

    fn unique(&self) -> Option<Unique> {
        let key = format!("{}:{}", self.offer, self.generation);
        Some(Unique { key, lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { offer: OfferId::new(), generation: 1 }
    }
}
