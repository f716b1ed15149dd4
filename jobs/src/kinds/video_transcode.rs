//! `video.transcode`: streams, a film to download, a poster and a storyboard from one film.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AssetId, Backoff, Invalid, Job, Policy, Priority, Queue, Unique, UniqueFor, video_preset};

/// Makes everything a player needs from one film: a ladder of HLS streams, a progressive MP4, a poster and a
/// storyboard. Upright, in ordinary colours, at one loudness, without position and device. The same film and preset is
/// never made twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VideoTranscode {
    /// The film, as `POST /v1/uploads/{id}/complete` returned it.
    pub asset: AssetId,
    /// Which ladder: `listing_video@1` (2160p, 1440p, 1080p, 720p, 480p and 360p, as far as the film reaches).
    #[serde(default = "VideoTranscode::default_preset")]
    pub preset: String,
}

impl VideoTranscode {
    /// The ladder made when none is named.
    pub fn default_preset() -> String {
        "listing_video@1".to_owned()
    }
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Film {
    /// The film.
    pub asset: AssetId,
    /// The ladder.
    pub preset: String,
    /// Width as shown, in pixels.
    pub width: u32,
    /// Height as shown, in pixels.
    pub height: u32,
    /// How long it plays.
    pub duration_ms: u64,
    /// Why it may show or sound damaged, if the source was damaged but readable.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub degraded: Option<String>,
    /// True when everything was there already and nothing was encoded.
    pub reused: bool,
    /// The streams, largest first.
    pub rungs: Vec<FilmRung>,
    /// The files. Playlists name others by their name, so whoever serves them keeps them in one folder.
    pub files: Vec<FilmFile>,
}

/// One stream of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FilmRung {
    /// Its name, such as `720p`.
    pub name: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How it is coded, as playlists say it.
    pub codec: String,
    /// Bits a second of its largest segment, without sound.
    pub bandwidth: u64,
    /// Bits a second of its mean, without sound.
    pub average_bandwidth: u64,
}

/// One file that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FilmFile {
    /// Its name.
    pub name: String,
    /// What it is for: `master`, `first`, `playlist`, `keyframes`, `audio_playlist`, `video`, `audio`, `progressive`,
    /// `poster`, `storyboard` or `thumbnails`.
    pub kind: String,
    /// The stream it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rung: Option<String>,
    /// Its media type.
    pub media_type: String,
    /// Its size.
    pub bytes: u64,
    /// In pixels, if it shows something.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub width: Option<u32>,
    /// In pixels, if it shows something.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub height: Option<u32>,
    /// Object key in the bucket.
    pub key: String,
}

impl Job for VideoTranscode {
    const KIND: &'static str = "video.transcode";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Streams, a poster and a storyboard from one film";
    const QUEUE: Queue = Queue::MediaBulk;
    const POLICY: Policy = Policy {
        max_attempts: 3,
        timeout_s: 7_200,
        backoff: Backoff { base_ms: 5_000, cap_s: 600 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Film;

    fn check(&self) -> Result<(), Invalid> {
        let known = video_preset::find(&self.preset).is_some();
        Invalid::unless(known, "/preset", "no such preset of films; listing_video@1 is one")
    }

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: format!("{}/{}", self.asset, self.preset), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { asset: AssetId::new(), preset: Self::default_preset() }
    }
}
