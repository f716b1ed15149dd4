//! `media.backfill`: what a preset makes, of originals that are there already.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AssetId, Backoff, Invalid, Job, Policy, Priority, Queue, preset, video_preset};

/// Has a ladder made of every clean original that lacks it, at low priority and in a queue of its own, so that nothing
/// new waits for it. Goes page by page: each run submits some jobs and then the run for the next page, which waits while
/// many of them still do. Cancelling the run that waits ends the whole; `after` goes on from there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MediaBackfill {
    /// The ladder, such as `listing_avif@1` or `listing_video@1`.
    pub preset: String,
    /// Only originals that came in at this moment or later.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// Only originals that came in before this moment.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
    /// Only originals of these media types, such as `image/heic`; all that the ladder can be made of unless given.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub media_types: Vec<String>,
    /// The cursor: only originals after this one. What an earlier run answered as `next`.
    #[serde(default)]
    pub after: Option<AssetId>,
    /// Jobs that earlier runs submitted.
    #[serde(default)]
    pub submitted_before: u64,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backfilled {
    /// Jobs that this run submitted.
    pub submitted: u32,
    /// Jobs that all runs so far submitted.
    pub submitted_in_all: u64,
    /// Where the next run goes on; none when every original was looked at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<AssetId>,
}

impl Job for MediaBackfill {
    const KIND: &'static str = "media.backfill";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Have a ladder made of what is there already, without delaying what is new";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 20,
        timeout_s: 60,
        backoff: Backoff { base_ms: 1_000, cap_s: 300 },
        priority: Priority::LOW,
        promise_s: None,
    };
    type Output = Backfilled;

    fn check(&self) -> Result<(), Invalid> {
        let known = preset::find(&self.preset).is_some() || video_preset::find(&self.preset).is_some();
        Invalid::unless(
            known,
            "/preset",
            "no such preset; GET /v1/presets lists those of pictures, listing_video@1 is one of films",
        )?;
        let is_media =
            |media_type: &String| media_type.starts_with("image/") || media_type.starts_with("video/");
        Invalid::unless(
            self.media_types.len() <= 20 && self.media_types.iter().all(is_media),
            "/media_types",
            "takes at most 20 media types of pictures or films, such as image/heic",
        )
    }

    fn example() -> Self {
        Self {
            preset: "listing_avif@1".to_owned(),
            since: None,
            until: None,
            media_types: Vec::new(),
            after: None,
            submitted_before: 0,
        }
    }
}
