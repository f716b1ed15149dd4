//! `video.chunk`: the pictures of one part of a long film, and with the last one the sound of all. `video.transcode` asks
//! for these itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AssetId, Backoff, Invalid, Job, JobId, Policy, Priority, Queue, WorkflowId, video_preset};

/// Makes the pictures of one part of a film, in every size, and with the last part the sound of the whole. A long film asks
/// for its parts by itself, so that several workers make it at once, and joins them when all are there; there is no reason
/// to ask for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VideoChunk {
    /// The film.
    pub asset: AssetId,
    /// The ladder.
    pub preset: String,
    /// The job that joins the parts.
    pub film: JobId,
    /// The workflow that makes them.
    pub parts: WorkflowId,
    /// Which part, from 0.
    pub index: u32,
    /// Its first group of pictures; a group is two seconds.
    pub from_group: u32,
    /// The first group after it; none for the rest of the film.
    #[serde(default)]
    pub until_group: Option<u32>,
}

/// What was made of the part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chunk {
    /// The film.
    pub asset: AssetId,
    /// Which part.
    pub index: u32,
    /// Pictures in each size.
    pub frames: u64,
}

impl Job for VideoChunk {
    const KIND: &'static str = "video.chunk";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "The pictures of one part of a long film";
    const QUEUE: Queue = Queue::MediaBulk;
    const POLICY: Policy = Policy {
        max_attempts: 3,
        timeout_s: 3_600,
        backoff: Backoff { base_ms: 5_000, cap_s: 600 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Chunk;

    fn check(&self) -> Result<(), Invalid> {
        let known = video_preset::find(&self.preset).is_some();
        Invalid::unless(known, "/preset", "no such preset of films; listing_video@1 is one")?;
        let is_some = self.until_group.is_none_or(|until| self.from_group < until);
        Invalid::unless(is_some, "/until_group", "a part has one group at least")
    }

    fn example() -> Self {
        Self {
            asset: AssetId::new(),
            preset: "listing_video@1".to_owned(),
            film: JobId::new(),
            parts: WorkflowId::new(),
            index: 0,
            from_group: 0,
            until_group: Some(30),
        }
    }
}
