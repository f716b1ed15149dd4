//! `delivery.zip`: everything of a delivery in one file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, DeliveryId, Job, Policy, Priority, Queue, Unique, UniqueFor, variant::Variant};

/// Packs the files of a published delivery into one ZIP archive, from the object store into the object store. Photographs
/// and films are compressed already, so they are stored as they are. An archive that is there already is not made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliveryZip {
    /// The delivery; it has to be published.
    pub delivery: DeliveryId,
    /// Which file of each photograph.
    pub variant: Variant,
}

/// An archive that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Archive {
    /// What it holds.
    pub delivery: DeliveryId,
    /// Which file of each photograph.
    pub variant: Variant,
    /// Object key in the bucket.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// Files in it.
    pub files: u32,
    /// SHA-256 of it, hexadecimal.
    pub sha256: String,
    /// True when it was there already.
    pub reused: bool,
}

impl Job for DeliveryZip {
    const KIND: &'static str = "delivery.zip";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Everything of a delivery in one file";
    const QUEUE: Queue = Queue::MediaBulk;
    const POLICY: Policy = Policy {
        max_attempts: 8,
        timeout_s: 3_600,
        backoff: Backoff { base_ms: 5_000, cap_s: 600 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Archive;

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: format!("{}/{}", self.delivery, self.variant), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { delivery: DeliveryId::new(), variant: Variant::Mls }
    }
}
