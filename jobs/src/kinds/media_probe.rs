//! `media.probe`: what is in a file, from its bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AssetId, Backoff, Job, Policy, Priority, Queue, Unique, UniqueFor};

/// Learns what an original is, how it is displayed and how it was taken, from its bytes alone. Every original that the
/// virus scanner calls clean gets one by itself. Where it was taken is kept apart and is not in the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MediaProbe {
    /// The original, as `POST /v1/uploads/{id}/complete` returned it.
    pub asset: AssetId,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probed {
    /// `jpeg`, `png`, `webp`, `gif`, `tiff`, `heic` or `avif`; of a film `mp4`, `quicktime`, `matroska`, `webm`, `avi` or
    /// `mpeg`.
    pub kind: String,
    /// Width as displayed, after orientation, in pixels.
    pub width: u32,
    /// Height as displayed, in pixels.
    pub height: u32,
    /// Orientation as EXIF counts it, 1 to 8. Of HEIC and AVIF always 1.
    pub orientation: u8,
    /// Whether there is an alpha channel, used or not.
    pub has_alpha: bool,
    /// Colour model, such as `YCbCr 4:2:0`, `CMYK`, `Gray`, `RGBA 16-bit`; of a film the format of its pixels, such as
    /// `yuv420p10le`.
    pub color: String,
    /// Description of the embedded ICC profile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub color_profile: Option<String>,
    /// Copyright notice, from EXIF, IPTC or XMP.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub copyright: Option<String>,
    /// Credit line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credit: Option<String>,
    /// How it was taken.
    pub shot: Shot,
    /// What only films have.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub film: Option<Moving>,
}

/// What only films have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Moving {
    /// How long it plays, by its header.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration_ms: Option<u64>,
    /// Mean frames a second.
    pub frame_rate: f64,
    /// Whether frames come at no steady rate.
    pub variable_frame_rate: bool,
    /// How the picture is coded, such as `h264`.
    pub codec: String,
    /// Whether frames are two fields, taken one after the other.
    pub interlaced: bool,
    /// `sdr`, `pq` (HDR10, Dolby Vision) or `hlg`.
    pub dynamic_range: String,
    /// The sound, if it has some that can be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sound: Option<Sound>,
}

/// The sound of a film.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sound {
    /// How it is coded, such as `aac`.
    pub codec: String,
    /// How many channels.
    pub channels: u32,
    /// Samples a second.
    pub sample_rate: u32,
}

/// How a picture was taken, as its camera wrote it down. What it did not write down is not there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shot {
    /// Maker of the camera.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub make: Option<String>,
    /// The camera.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    /// The lens.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lens: Option<String>,
    /// How long the shutter was open, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exposure_s: Option<f64>,
    /// The aperture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub f_number: Option<f64>,
    /// The sensitivity.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub iso: Option<u32>,
    /// The focal length, in millimetres.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub focal_length_mm: Option<f64>,
    /// When, by the camera's clock, as in RFC 3339; without a zone where the camera did not write one down.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_at: Option<String>,
}

impl Job for MediaProbe {
    const KIND: &'static str = "media.probe";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Learns what is in a file, from its bytes";
    const QUEUE: Queue = Queue::Media;
    const POLICY: Policy = Policy {
        // Nobody is there to ask again when S3 was away for a while.
        max_attempts: 20,
        timeout_s: 120,
        backoff: Backoff { base_ms: 2_000, cap_s: 300 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Probed;

    fn unique(&self) -> Option<Unique> {
        Some(Unique { key: self.asset.to_string(), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { asset: AssetId::new() }
    }
}
