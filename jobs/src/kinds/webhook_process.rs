//! `webhook.process`: what a webhook that came in becomes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, Job, JobId, Policy, Priority, Queue, Unique, UniqueFor, WebhookEventId};

/// Holds a webhook against the rules of its source, and has the jobs done that they name. One that no rule fits is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookProcess {
    /// The event.
    pub event: WebhookEventId,
    /// Which time it is looked at again: 0 is the first.
    #[serde(default)]
    pub replay: u16,
}

/// What it became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Processed {
    /// The event.
    pub event: WebhookEventId,
    /// Its jobs; none when it was parked or superseded.
    pub jobs: Vec<JobId>,
    /// Why it was parked.
    pub parked: Option<String>,
    /// The newer event about the same thing that was processed before it; then it became nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<WebhookEventId>,
}

impl Job for WebhookProcess {
    const KIND: &'static str = "webhook.process";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Turn a webhook that came in into the jobs its rules name";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 10,
        timeout_s: 30,
        backoff: Backoff { base_ms: 500, cap_s: 60 },
        priority: Priority::NORMAL,
        promise_s: Some(60),
    };
    type Output = Processed;

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: format!("{}/{}", self.event, self.replay), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { event: WebhookEventId::new(), replay: 0 }
    }
}
