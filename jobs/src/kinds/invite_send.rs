//! `invite.send`: a guest hears by mail that there is a booking, that it changed, or that it is called off.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, Invalid, InvitationId, Job, MessageId, Policy, Priority, Queue, Unique, UniqueFor};

/// Has a guest told of a booking as their calendar understands it. Made by whoever looks after calendars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteSend {
    /// The invitation.
    pub invitation: InvitationId,
    /// Which change of it, from 1. One that was overtaken is left alone.
    #[schemars(range(min = 1))]
    pub wish: i32,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InviteSent {
    /// The invitation.
    pub invitation: InvitationId,
    /// What tells the guest; none when there was nothing to tell.
    pub message: Option<MessageId>,
}

impl Job for InviteSend {
    const KIND: &'static str = "invite.send";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Tell a guest's calendar of a booking, by mail";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 8,
        timeout_s: 30,
        backoff: Backoff { base_ms: 1_000, cap_s: 300 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = InviteSent;

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.wish >= 1, "/wish", "begins at 1")
    }

    fn unique(&self) -> Option<Unique> {
        let key = format!("{}:{}", self.invitation, self.wish);
        Some(Unique { key, lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { invitation: InvitationId::new(), wish: 1 }
    }
}
