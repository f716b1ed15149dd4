//! `media.scan`: what a virus scanner thinks of an upload. Until it has said so, nothing of it is served.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AssetId, AssetState, Backoff, Job, Policy, Priority, Queue, Unique, UniqueFor};

/// Shows every byte of an original to the virus scanner, and lets the original go or holds it. Every upload gets one
/// by itself; asking for another scans with the signatures of today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MediaScan {
    /// The original, as `POST /v1/uploads/{id}/complete` returned it.
    pub asset: AssetId,
}

/// What the scanner thinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scanned {
    /// The original.
    pub asset: AssetId,
    /// `clean`, `infected` or `unscannable`.
    pub verdict: AssetState,
    /// What was found, or why it could not be scanned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finding: Option<String>,
    /// Which scanner it was, and of when its signatures are.
    pub scanner: String,
}

impl Job for MediaScan {
    const KIND: &'static str = "media.scan";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Looks for viruses in an upload, and lets it go or holds it";
    const QUEUE: Queue = Queue::Media;
    const POLICY: Policy = Policy {
        // Nobody is there to ask again when S3 was away for a while.
        max_attempts: 20,
        timeout_s: 300,
        backoff: Backoff { base_ms: 1_000, cap_s: 300 },
        // Everything else that is to be done with the file waits for it.
        priority: Priority::URGENT,
        promise_s: None,
    };
    type Output = Scanned;

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: self.asset.to_string(), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { asset: AssetId::new() }
    }
}
