//! `delivery.publish`: what a delivery's link shows from now on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, DeliveryId, Job, Policy, Priority, Queue, Unique, UniqueFor, variant::Variant};

/// Writes down what a delivery holds, once all its pictures and films are made, and opens its link. Waits for what is
/// still being made. Then has the archives packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliveryPublish {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The archives to pack.
    #[serde(default = "DeliveryPublish::default_archives")]
    #[schemars(length(max = 5))]
    pub archives: Vec<Variant>,
}

impl DeliveryPublish {
    /// What is packed when nothing is named.
    pub fn default_archives() -> Vec<Variant> {
        vec![Variant::Mls, Variant::Original]
    }
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Published {
    /// The delivery.
    pub delivery: DeliveryId,
    /// SHA-256 of what it holds: the same files under the same names give the same.
    pub manifest_sha256: String,
    /// Files in it.
    pub files: u32,
}

impl Job for DeliveryPublish {
    const KIND: &'static str = "delivery.publish";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Open the link of a delivery once everything in it is made";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 10,
        timeout_s: 60,
        backoff: Backoff { base_ms: 1_000, cap_s: 300 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Published;

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: self.delivery.to_string(), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { delivery: DeliveryId::new(), archives: Self::default_archives() }
    }
}
