//! `booking.lapse`: a pencil whose time is up is let go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, BookingId, Invalid, Job, Policy, Priority, Queue, Unique, UniqueFor};

/// Lets go of a booking that is held in pencil, unless it moved since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BookingLapse {
    /// The booking.
    pub booking: BookingId,
    /// The version that was held. Another version is left alone.
    #[schemars(range(min = 1))]
    pub version: i32,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BookingLapsed {
    /// The booking.
    pub booking: BookingId,
    /// Whether it was let go.
    pub released: bool,
}

impl Job for BookingLapse {
    const KIND: &'static str = "booking.lapse";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Let go of a pencil whose time is up";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 8,
        timeout_s: 30,
        backoff: Backoff { base_ms: 1_000, cap_s: 60 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = BookingLapsed;

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.version >= 1, "/version", "at least 1")
    }

    fn unique(&self) -> Option<Unique> {
        let key = format!("{}:{}", self.booking, self.version);
        Some(Unique { key, lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { booking: BookingId::new(), version: 1 }
    }
}
