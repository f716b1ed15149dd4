//! `calendar.pull`: what a calendar outside says somebody is doing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, CalendarLinkId, Job, Policy, Priority, Queue, Unique, UniqueFor};

/// Reads a calendar outside, and takes what it says in place of what it said before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarPull {
    /// The link to it.
    pub link: CalendarLinkId,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarPulled {
    /// The link.
    pub link: CalendarLinkId,
    /// Whether it is still there, and was read.
    pub read: bool,
    /// Entries that were new or not as before.
    pub changed: u32,
    /// Entries that were gone.
    pub removed: u32,
    /// Stretches in which somebody is busy.
    pub busy: u32,
    /// Entries that could not be understood and count as busy.
    pub doubts: u32,
}

impl Job for CalendarPull {
    const KIND: &'static str = "calendar.pull";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Read a calendar outside";
    const QUEUE: Queue = Queue::Default;
    // Whoever looks after calendars asks again by itself.
    const POLICY: Policy = Policy {
        max_attempts: 3,
        timeout_s: 120,
        backoff: Backoff { base_ms: 5_000, cap_s: 120 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = CalendarPulled;

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: self.link.to_string(), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { link: CalendarLinkId::new() }
    }
}
