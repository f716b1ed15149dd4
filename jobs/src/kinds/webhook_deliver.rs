//! `webhook.deliver`: telling an endpoint what happened.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, Job, Policy, Priority, Queue, Unique, UniqueFor, WebhookDeliveryId, WebhookEndpointId};

/// Sends one message to one endpoint, signed, until it is answered 2xx or three days have gone by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookDeliver {
    /// Where to.
    pub endpoint: WebhookEndpointId,
    /// What, to whom.
    pub delivery: WebhookDeliveryId,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivered {
    /// Which delivery.
    pub delivery: WebhookDeliveryId,
    /// What the endpoint answered; none when it had been told before.
    pub status: Option<u16>,
}

/// How long after each attempt that failed the next one is, in seconds: what Standard Webhooks suggests.
const WAITS_S: [u64; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 14 * 3_600, 20 * 3_600, 24 * 3_600];

impl WebhookDeliver {
    /// How long to wait after `attempt` (1 for the first) failed, give or take a tenth: `chance` is between 0 and 1. So those
    /// that failed together do not come back together.
    pub fn wait(attempt: u16, chance: f64) -> Duration {
        let index = usize::from(attempt.saturating_sub(1)).min(WAITS_S.len() - 1);
        Duration::from_secs(WAITS_S[index]).mul_f64(0.9 + 0.2 * chance.clamp(0.0, 1.0))
    }

    /// What everything that goes to one endpoint shares.
    pub fn key_of(endpoint: WebhookEndpointId) -> String {
        format!("endpoint/{endpoint}")
    }
}

impl Job for WebhookDeliver {
    const KIND: &'static str = "webhook.deliver";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Tell an endpoint what happened";
    const QUEUE: Queue = Queue::Default;
    // The waits are those above. What fails before anything was sent, such as the database, waits so long.
    const POLICY: Policy = Policy {
        max_attempts: 10,
        timeout_s: 60,
        backoff: Backoff { base_ms: 1_000, cap_s: 2 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Delivered;

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: self.delivery.to_string(), lasts: UniqueFor::UntilDone })
    }

    fn concurrency_key(&self) -> Option<String> {
        Some(Self::key_of(self.endpoint))
    }

    fn example() -> Self {
        Self { endpoint: WebhookEndpointId::new(), delivery: WebhookDeliveryId::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_are_those_of_the_standard_give_or_take_a_tenth() {
        for (index, seconds) in WAITS_S.into_iter().enumerate() {
            let attempt = index as u16 + 1;
            let [least, middle, most] =
                [0.0, 0.5, 1.0].map(|chance| WebhookDeliver::wait(attempt, chance).as_secs_f64());
            let seconds = seconds as f64;
            assert!(
                (least - seconds * 0.9).abs() < 1e-6
                    && (middle - seconds).abs() < 1e-6
                    && (most - seconds * 1.1).abs() < 1e-6
            );
        }
        let all: u64 = WAITS_S.iter().sum();
        assert_eq!((WAITS_S.len() + 1, all / 3_600), (usize::from(WebhookDeliver::POLICY.max_attempts), 75));
        assert_eq!(WebhookDeliver::wait(0, 0.5), Duration::from_secs(5));
        assert_eq!(WebhookDeliver::wait(u16::MAX, 0.5), Duration::from_hours(24));
    }
}
