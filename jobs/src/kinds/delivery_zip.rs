//! `delivery.zip`: everything of a delivery in one file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Backoff, DeliveryId, Invalid, Job, Policy, Priority, Queue, Unique, UniqueFor, variant::Variant,
};

/// Packs the files of a published delivery into one ZIP archive, from the object store into the object store. Photographs
/// and films are compressed already, so they are stored as they are. An archive that is there already is not made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliveryZip {
    /// The delivery; it has to be published.
    pub delivery: DeliveryId,
    /// Which file of each photograph.
    pub variant: Variant,
    /// SHA-256 of what was published: nothing else is packed. None for what the link shows when the job runs.
    #[serde(default)]
    pub manifest_sha256: Option<String>,
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
    const VERSION: u16 = 2;
    const OLDEST_VERSION: u16 = 1;
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
        let what = self.manifest_sha256.as_deref().unwrap_or("now");
        Some(Unique {
            key: format!("{}/{}/{what}", self.delivery, self.variant),
            lasts: UniqueFor::UntilDone,
        })
    }

    fn check(&self) -> Result<(), Invalid> {
        let is_hash = |text: &String| {
            text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_one = self.manifest_sha256.as_ref().is_none_or(is_hash);
        Invalid::unless(is_one, "/manifest_sha256", "64 hexadecimal digits, small letters")
    }

    /// Version 1 packed whatever was published when it ran.
    fn upcast(version: u16, args: Value) -> Option<Value> {
        (version == 1).then_some(args)
    }

    fn example() -> Self {
        Self { delivery: DeliveryId::new(), variant: Variant::Mls, manifest_sha256: None }
    }

    fn example_of(version: u16) -> Option<Value> {
        (version == 1).then(|| json!({"delivery": DeliveryId::new(), "variant": "mls"}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_published_is_part_of_what_is_packed() {
        let key = |manifest_sha256: Option<String>, delivery| {
            DeliveryZip { delivery, variant: Variant::Mls, manifest_sha256 }.unique().unwrap().key
        };
        let delivery = DeliveryId::new();
        assert_ne!(key(Some("a".repeat(64)), delivery), key(Some("b".repeat(64)), delivery));
        assert_ne!(key(Some("a".repeat(64)), delivery), key(None, delivery));
    }

    #[test]
    fn what_is_no_hash_is_refused_where_it_stands() {
        for no_hash in ["", "abc", &"A".repeat(64), &"g".repeat(64)] {
            let args = DeliveryZip { manifest_sha256: Some(no_hash.to_owned()), ..DeliveryZip::example() };
            assert_eq!(args.check().unwrap_err().pointer, "/manifest_sha256", "{no_hash}");
        }
        let args = DeliveryZip { manifest_sha256: Some("0".repeat(64)), ..DeliveryZip::example() };
        assert!(args.check().is_ok());
    }
}
