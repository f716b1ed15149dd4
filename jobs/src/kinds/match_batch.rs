//! `match.batch`: visits that waited for each other are given out together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, Job, Policy, Priority, Queue, Unique, UniqueFor};

/// Ranks every visit that waits for others and asks, for as many as can be, whoever makes the best of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchBatch {
    /// The window in which they came: its number since the epoch.
    pub window: i64,
}

/// What was given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Batched {
    /// Visits that waited.
    pub requests: u32,
    /// Of how many somebody was asked. The others are looked at one by one.
    pub offered: u32,
    /// Whether no better way of giving them out exists.
    pub optimal: bool,
}

impl Job for MatchBatch {
    const KIND: &'static str = "match.batch";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Give out visits that waited for each other";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 8,
        timeout_s: 120,
        backoff: Backoff { base_ms: 500, cap_s: 60 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Batched;

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: self.window.to_string(), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { window: 1 }
    }
}
