//! `notify.send`: one message by one channel, once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, Job, MessageId, Policy, Priority, Queue, Unique, UniqueFor};

/// Sends a message. That it is about to is on disk before anybody outside hears of it, so that a message whose sending
/// broke off is never sent again blindly: it is listed, and a person says what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifySend {
    /// The message.
    pub message: MessageId,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// The message.
    pub message: MessageId,
    /// `sent`, `unknown`, or why it was not sent: `dropped`, `skipped`, `failed`.
    pub state: String,
}

impl Job for NotifySend {
    const KIND: &'static str = "notify.send";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Send one message by one channel, once";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 12,
        timeout_s: 120,
        backoff: Backoff { base_ms: 2_000, cap_s: 1_800 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Sent;

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: self.message.to_string(), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { message: MessageId::new() }
    }
}
