//! Film presets: named, versioned ladders of streams. A preset is data; a change of meaning is a new version.

/// A named, versioned ladder of streams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoPreset {
    /// The name without its version.
    pub name: &'static str,
    /// Raised whenever the same source would give other streams.
    pub version: u16,
    /// Short sides in pixels, largest first. Those above the source are left out: nothing is ever enlarged.
    pub short_sides_px: &'static [u32],
    /// Loudness the sound is brought to, in LUFS.
    pub loudness_lufs: f64,
}

impl VideoPreset {
    /// `name@version`, as it stands in keys, rows and arguments.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// Every preset there is, oldest first. Old versions stay readable for as long as rows name them.
pub const VIDEO_PRESETS: &[VideoPreset] = &[VideoPreset {
    name: "listing_video",
    version: 1,
    short_sides_px: &[2160, 1440, 1080, 720, 480, 360],
    loudness_lufs: -16.0,
}];

/// The preset called `id` (`name@version`).
pub fn find(id: &str) -> Option<&'static VideoPreset> {
    VIDEO_PRESETS.iter().find(|preset| preset.id() == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_unique_ids_and_sides_from_large_to_small() {
        for (i, preset) in VIDEO_PRESETS.iter().enumerate() {
            assert!(preset.short_sides_px.is_sorted_by(|a, b| a > b), "{}", preset.id());
            assert!(VIDEO_PRESETS[..i].iter().all(|other| other.id() != preset.id()), "{}", preset.id());
            assert_eq!(find(&preset.id()), Some(preset));
        }
    }
}
