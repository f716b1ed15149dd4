//! `calendar.push`: a booking into a calendar outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, BookingId, CalendarLinkId, Invalid, Job, Policy, Priority, Queue, Unique, UniqueFor};

/// Writes a booking into a calendar outside as it is now, or takes it out. What a person changed there stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarPush {
    /// The link to the calendar.
    pub link: CalendarLinkId,
    /// The booking.
    pub booking: BookingId,
    /// Which wish of its this is, from 1.
    #[schemars(range(min = 1))]
    pub wish: i32,
}

/// How the calendar stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pushed {
    /// It has the booking.
    Written,
    /// It does not have it, and should not.
    Removed,
    /// A person changed it there: another person has to say which holds.
    Conflict,
    /// There was nothing to do: the link or the booking is gone, or another wish came after this one.
    Passed,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarPushed {
    /// The booking.
    pub booking: BookingId,
    /// How the calendar stands.
    pub outcome: Pushed,
}

impl Job for CalendarPush {
    const KIND: &'static str = "calendar.push";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Write a booking into a calendar outside";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 12,
        timeout_s: 60,
        backoff: Backoff { base_ms: 2_000, cap_s: 3_600 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = CalendarPushed;

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.wish >= 1, "/wish", "at least 1")
    }

    fn unique(&self) -> Option<Unique> {
        let key = format!("{}:{}:{}", self.link, self.booking, self.wish);
        Some(Unique { key, lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { link: CalendarLinkId::new(), booking: BookingId::new(), wish: 1 }
    }
}
