//! `calendar.export`: what somebody's calendar program reads of their bookings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, CalendarFeedId, Invalid, Job, Policy, Priority, Queue, Unique, UniqueFor};

/// Writes the bookings of somebody as an iCalendar file, which their link then shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarExport {
    /// The feed.
    pub feed: CalendarFeedId,
    /// Which wish of its this is, from 1.
    #[schemars(range(min = 1))]
    pub wish: i32,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarExported {
    /// The feed.
    pub feed: CalendarFeedId,
    /// Bookings in it; none when the feed is gone.
    pub bookings: Option<u32>,
}

impl Job for CalendarExport {
    const KIND: &'static str = "calendar.export";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Write somebody's bookings as an iCalendar file";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 8,
        timeout_s: 30,
        backoff: Backoff { base_ms: 500, cap_s: 60 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = CalendarExported;

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.wish >= 1, "/wish", "at least 1")
    }

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: format!("{}:{}", self.feed, self.wish), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { feed: CalendarFeedId::new(), wish: 1 }
    }
}
