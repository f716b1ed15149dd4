//! `probe.work`: a job that does as it is told, for trying out an installation and for practising operations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, Invalid, Job, Policy, Priority, Queue};

/// Works for a while, reports progress, and ends as asked. It touches nothing outside the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeWork {
    /// How long to work, in milliseconds (0 to 600,000). Progress and log lines appear ten times on the way.
    #[schemars(range(max = 600_000))]
    pub work_ms: u32,
    /// How each attempt ends, in order; attempts beyond the list complete.
    #[schemars(length(max = 50))]
    pub endings: Vec<Ending>,
    /// Returned in the result unchanged (at most 256 bytes).
    #[schemars(length(max = 256))]
    pub echo: String,
    /// How many `probe.work` jobs to enqueue in the settling transaction (0 to 100).
    #[schemars(range(max = 100))]
    pub follow_ups: u32,
}

/// How one attempt of [`ProbeWork`] ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Ends well.
    Complete,
    /// Fails; the kind's backoff decides when it runs again.
    Retry,
    /// Fails as a service would that answers `Retry-After`, in seconds.
    RetryAfter(u32),
    /// Not yet: runs again after so many seconds without using up an attempt.
    Snooze(u32),
    /// Gives up at once.
    Discard,
    /// Stops itself.
    Cancel,
    /// Panics inside the handler.
    Panic,
    /// Takes its whole worker process down. Refused unless the worker was started for fault tests.
    Abort,
}

/// What a probe leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probed {
    /// The argument of the same name.
    pub echo: String,
    /// Which attempt completed, 1 for the first.
    pub attempt: u16,
}

impl Job for ProbeWork {
    const KIND: &'static str = "probe.work";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str =
        "Does as it is told: sleeps, reports, fails; for trying an installation out";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 3,
        timeout_s: 900,
        backoff: Backoff { base_ms: 500, cap_s: 60 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Probed;

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.work_ms <= 600_000, "/work_ms", "at most 600000")?;
        Invalid::unless(self.endings.len() <= 50, "/endings", "at most 50 endings")?;
        Invalid::unless(self.echo.len() <= 256, "/echo", "at most 256 bytes")?;
        Invalid::unless(self.follow_ups <= 100, "/follow_ups", "at most 100")
    }

    fn example() -> Self {
        Self { work_ms: 20, echo: "hello".to_owned(), ..Self::default() }
    }
}
