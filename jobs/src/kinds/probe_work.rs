//! `probe.work`: a job that does as it is told, for trying out an installation and for practising operations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
    /// Carried along unread, to make the arguments large (at most 1,000,000 bytes).
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1_000_000))]
    pub ballast: String,
    /// So many bytes of padding in the result (0 to 10,000,000).
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(max = 10_000_000))]
    pub result_bytes: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
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
    /// As many bytes as were asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub padding: String,
}

impl Job for ProbeWork {
    const KIND: &'static str = "probe.work";
    const VERSION: u16 = 2;
    const OLDEST_VERSION: u16 = 1;
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
        Invalid::unless(self.follow_ups <= 100, "/follow_ups", "at most 100")?;
        Invalid::unless(self.ballast.len() <= 1_000_000, "/ballast", "at most 1000000 bytes")?;
        Invalid::unless(self.result_bytes <= 10_000_000, "/result_bytes", "at most 10000000")
    }

    /// Version 1 had neither `ballast` nor `result_bytes`; a worker of that time refuses them.
    fn upcast(version: u16, args: Value) -> Option<Value> {
        (version == 1).then_some(args)
    }

    fn example() -> Self {
        Self { work_ms: 20, echo: "hello".to_owned(), ..Self::default() }
    }

    fn example_of(version: u16) -> Option<Value> {
        (version == 1)
            .then(|| json!({"work_ms": 20, "endings": ["complete"], "echo": "hello", "follow_ups": 0}))
    }
}
