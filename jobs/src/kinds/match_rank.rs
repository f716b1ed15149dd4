//! `match.rank`: who could do a visit, and the question to the first of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Backoff, Invalid, Job, MatchRequestId, OfferId, Policy, Priority, Queue, Unique, UniqueFor,
    limits::MATCH_ROUNDS_EVER_MAX,
};

/// Ranks everybody who might do a visit, writes down why, and asks the first whose time is still free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchRank {
    /// The visit that somebody is looked for.
    pub request: MatchRequestId,
    /// The round, from 1. A round that has passed is left alone.
    #[schemars(range(min = 1, max = 5))]
    pub round: i16,
}

/// What came of it. Who was ranked how, and why others were not, stands with the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Matched {
    /// The visit.
    pub request: MatchRequestId,
    /// The round.
    pub round: i16,
    /// Who could do it.
    pub ranked: u32,
    /// Who could not.
    pub excluded: u32,
    /// The question to the first; none when nobody was left to ask.
    pub offer: Option<OfferId>,
}

impl Job for MatchRank {
    const KIND: &'static str = "match.rank";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Find who could do a visit, and ask the first";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 8,
        timeout_s: 60,
        backoff: Backoff { base_ms: 500, cap_s: 60 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Matched;

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless((1..=MATCH_ROUNDS_EVER_MAX).contains(&self.round), "/round", "takes 1 to 100")
    }

    fn unique(&self) -> Option<Unique> {
        let key = format!("{}:{}", self.request, self.round);
        Some(Unique { key, lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { request: MatchRequestId::new(), round: 1 }
    }
}
