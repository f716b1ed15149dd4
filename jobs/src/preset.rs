//! Rendition presets: named, versioned ladders. A preset is data; a change of meaning is a new version.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One size of a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RungPreset {
    /// The name in keys and rows.
    pub name: &'static str,
    /// The longer side in pixels. A smaller source keeps its own size: nothing is ever enlarged.
    pub long_edge_px: u32,
    /// Encoder quality, 1 to 100.
    pub quality: u8,
}

/// Picture formats a rung can be made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PictureFormat {
    /// For everything that shows pictures.
    Jpeg,
    /// A third smaller at the same quality.
    Webp,
    /// Smallest and slowest; only where asked for.
    Avif,
}

/// How wide a part of a picture is for its height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// So wide
    pub width: u32,
    /// for so much height.
    pub height: u32,
}

/// A named, versioned ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The name without its version.
    pub name: &'static str,
    /// Raised whenever the same source would give other pictures.
    pub version: u16,
    /// The sizes, largest first.
    pub rungs: &'static [RungPreset],
    /// The formats every rung is made in.
    pub formats: &'static [PictureFormat],
    /// Of the picture, the largest part of this shape around its [`crate::FocalPoint`]; else all of it.
    pub shape: Option<Shape>,
}

impl Preset {
    /// `name@version`, as it stands in keys, rows and arguments.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

const LISTING_RUNGS: &[RungPreset] = &[
    RungPreset { name: "mls_2048", long_edge_px: 2048, quality: 80 },
    RungPreset { name: "screen_1600", long_edge_px: 1600, quality: 80 },
    RungPreset { name: "grid_640", long_edge_px: 640, quality: 80 },
    RungPreset { name: "thumb_320", long_edge_px: 320, quality: 80 },
];

const PRINT_RUNGS: &[RungPreset] = &[RungPreset { name: "print_4500", long_edge_px: 4500, quality: 90 }];

const SOCIAL_RUNGS: &[RungPreset] =
    &[RungPreset { name: "social_1080x1350", long_edge_px: 1350, quality: 85 }];

const HERO_RUNGS: &[RungPreset] = &[
    RungPreset { name: "hero_2560", long_edge_px: 2560, quality: 80 },
    RungPreset { name: "hero_1280", long_edge_px: 1280, quality: 80 },
];

/// Every preset there is, oldest first. Old versions stay readable for as long as rows name them.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "listing",
        version: 1,
        rungs: LISTING_RUNGS,
        formats: &[PictureFormat::Jpeg, PictureFormat::Webp],
        shape: None,
    },
    Preset {
        name: "listing_avif",
        version: 1,
        rungs: LISTING_RUNGS,
        formats: &[PictureFormat::Jpeg, PictureFormat::Webp, PictureFormat::Avif],
        shape: None,
    },
    Preset { name: "print", version: 1, rungs: PRINT_RUNGS, formats: &[PictureFormat::Jpeg], shape: None },
    Preset {
        name: "social",
        version: 1,
        rungs: SOCIAL_RUNGS,
        formats: &[PictureFormat::Jpeg],
        shape: Some(Shape { width: 4, height: 5 }),
    },
    Preset {
        name: "hero",
        version: 1,
        rungs: HERO_RUNGS,
        formats: &[PictureFormat::Jpeg, PictureFormat::Webp],
        shape: Some(Shape { width: 16, height: 9 }),
    },
];

/// The preset of pictures made as `made_as`: `name@version`, and after a `-` each what else they depend on.
pub fn of_pictures(made_as: &str) -> Option<&'static Preset> {
    find(made_as.split('-').next()?)
}

/// The preset called `id` (`name@version`).
pub fn find(id: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.id() == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_unique_ids_and_rungs_from_large_to_small() {
        let mut ids: Vec<_> = PRESETS.iter().map(Preset::id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), PRESETS.len());
        for preset in PRESETS {
            assert!(preset.rungs.is_sorted_by_key(|rung| std::cmp::Reverse(rung.long_edge_px)));
            assert_eq!(find(&preset.id()), Some(preset));
        }
    }
}
