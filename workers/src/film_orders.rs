//! What films are to become, and which of them are made in parts.

use jobs::{Failure, Outcome, video_preset};
use video::{Order, Part, Probe};

/// When a film is cut, and into what.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Films up to this long are made in one go, in seconds.
    pub whole_s_max: u32,
    /// About how long a part is, in seconds.
    pub part_s: u32,
}

impl Cut {
    /// The parts of a film; one for a film that is made in one go.
    pub fn parts(&self, probe: &Probe) -> Vec<Part> {
        let seconds = probe.duration_ms.unwrap_or_default() / 1_000;
        if seconds <= u64::from(self.whole_s_max) {
            return vec![Part::WHOLE];
        }
        Part::cut(probe, self.part_s)
    }
}

/// What a preset asks for.
///
/// # Errors
/// Discards the job when there is no such preset.
pub(crate) fn order(preset: &str) -> Outcome<Order> {
    let found = video_preset::find(preset)
        .ok_or_else(|| Failure::discard("unknown_preset", format!("there is no preset {preset}")))?;
    Ok(Order {
        short_sides_px: found.short_sides_px.to_vec(),
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        loudness_lufs: found.loudness_lufs,
        span: None,
    })
}
