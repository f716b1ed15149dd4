//! `notify.digest_close`: what was gathered for somebody, in one message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, DigestId, Job, MessageId, Policy, Priority, Queue, Unique, UniqueFor};

/// Ends the gathering of a digest, and has one message sent in place of those that were gathered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyDigestClose {
    /// The digest.
    pub digest: DigestId,
}

/// What a digest came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DigestClosed {
    /// The digest.
    pub digest: DigestId,
    /// The one message; none when nothing was left to tell.
    pub message: Option<MessageId>,
    /// What was gathered.
    pub gathered: u32,
}

impl Job for NotifyDigestClose {
    const KIND: &'static str = "notify.digest_close";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Tell in one message what was gathered";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 5,
        timeout_s: 30,
        backoff: Backoff { base_ms: 1_000, cap_s: 60 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = DigestClosed;

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: self.digest.to_string(), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { digest: DigestId::new() }
    }
}
