//! `alert.send`: those who want to be told of an alert are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AlertId, Backoff, Job, Policy, Priority, Queue, Unique, UniqueFor};

/// Tells those whom a rule names that it fired, or that it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertSend {
    /// The alert.
    pub alert: AlertId,
    /// Which of the two.
    pub turn: AlertTurn,
}

/// What becomes of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertTurn {
    /// It has been so for long enough.
    Firing,
    /// It has not been so any more for long enough.
    Resolved,
}

impl AlertTurn {
    /// The word in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertSent {
    /// The alert.
    pub alert: AlertId,
    /// Parties who are told; none when the alert is not there any more.
    pub recipients: u32,
}

impl Job for AlertSend {
    const KIND: &'static str = "alert.send";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Tell people that something is wrong, or well again";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 8,
        timeout_s: 30,
        backoff: Backoff { base_ms: 1_000, cap_s: 60 },
        priority: Priority::URGENT,
        promise_s: None,
    };
    type Output = AlertSent;

    fn unique(&self) -> Option<Unique> {
        let key = format!("{}:{}", self.alert, self.turn.name());
        Some(Unique { key, lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { alert: AlertId::new(), turn: AlertTurn::Firing }
    }
}
