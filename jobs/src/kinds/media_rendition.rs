//! `media.rendition`: a ladder of web-ready pictures from one photograph.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AssetId, Backoff, Invalid, Job, Policy, Priority, Queue, RenditionId, Unique, UniqueFor,
    preset::{self, PictureFormat},
};

/// Makes every rung of a preset from one asset: one decode, sRGB, upright, stripped of everything but copyright
/// and credit. The same photo and preset is never made twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MediaRendition {
    /// The photograph, as `POST /v1/uploads/{id}/complete` returned it.
    pub asset: AssetId,
    /// Which ladder: `listing@1` (JPEG and WebP at 2048, 1600, 640 and 320 px), `listing_avif@1` (AVIF too), `print@1`
    /// (one JPEG of 4500 px), `social@1` (one JPEG of 1080 × 1350 px), or `hero@1` (JPEG and WebP, 2560 and 1280 px wide, 16
    /// to 9). The last two keep what is around the photograph's focal point: `PUT /v1/assets/{id}/focal-point`.
    #[serde(default = "MediaRendition::default_preset")]
    pub preset: String,
    /// Whether the tenant's mark is laid over the pictures: `PUT /v1/brand` says which.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub branded: bool,
}

impl MediaRendition {
    /// The ladder made when none is named.
    pub fn default_preset() -> String {
        "listing@1".to_owned()
    }
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Renditions {
    /// The photograph.
    pub asset: AssetId,
    /// The ladder; where it keeps what is around a focal point, the point after a `-`; with a mark over the pictures, the
    /// mark's tag after a `-`.
    pub preset: String,
    /// Width as displayed, after orientation, in pixels.
    pub width: u32,
    /// Height as displayed, in pixels.
    pub height: u32,
    /// ThumbHash, base64: a placeholder of about 25 bytes.
    pub thumbhash: String,
    /// Why the pictures may show damage, if the source was damaged but readable.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub degraded: Option<String>,
    /// True when the pictures were there already and nothing was rendered.
    pub reused: bool,
    /// The pictures, largest first.
    pub renditions: Vec<RenditionMade>,
}

/// One picture that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenditionMade {
    /// Its row.
    pub id: RenditionId,
    /// The rung's name.
    pub rung: String,
    /// The file format.
    pub format: PictureFormat,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Size of the file.
    pub bytes: u64,
    /// Object key in the bucket.
    pub key: String,
}

impl Job for MediaRendition {
    const KIND: &'static str = "media.rendition";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "A ladder of web-ready pictures from one photograph";
    const QUEUE: Queue = Queue::Media;
    const POLICY: Policy = Policy {
        max_attempts: 5,
        timeout_s: 120,
        backoff: Backoff { base_ms: 2_000, cap_s: 300 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Renditions;

    fn check(&self) -> Result<(), Invalid> {
        let known = preset::find(&self.preset).is_some();
        Invalid::unless(known, "/preset", "no such preset; GET /v1/presets lists them as name@version")
    }

    fn unique(&self) -> Option<Unique> {
        let branded = if self.branded { "/branded" } else { "" };
        let key = format!("{}/{}{branded}", self.asset, self.preset);
        Some(Unique { key, lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        Self { asset: AssetId::new(), preset: Self::default_preset(), branded: false }
    }
}
