//! `calendar.renew`: whoever keeps a calendar is asked to say when it changes.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, CalendarLinkId, Job, Policy, Priority, Queue, Unique, UniqueFor};

/// Asks a provider of calendars to say when one changes, for as long as it does that; of a link that was removed, to say so no more. Made
/// by whoever looks after calendars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarRenew {
    /// The link to it.
    pub link: CalendarLinkId,
}

/// What it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarRenewed {
    /// The link.
    pub link: CalendarLinkId,
    /// Until when it says so; none where nobody can be asked.
    pub until: Option<DateTime<Utc>>,
}

impl Job for CalendarRenew {
    const KIND: &'static str = "calendar.renew";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Have a provider say when a calendar changes";
    const QUEUE: Queue = Queue::Default;
    // Whoever looks after calendars asks again by itself.
    const POLICY: Policy = Policy {
        max_attempts: 3,
        timeout_s: 60,
        backoff: Backoff { base_ms: 5_000, cap_s: 120 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = CalendarRenewed;

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: self.link.to_string(), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { link: CalendarLinkId::new() }
    }
}
