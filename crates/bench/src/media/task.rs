//! What everybody is asked to make of a photograph, and how they are asked: in the words of a worker's own child.

use std::path::Path;

use serde_json::{Value, json};

use crate::goals::{self, Goal};

/// Long edges of the ladder, in pixels.
pub(crate) const LONG_EDGES_PX: [u32; 4] = [2048, 1280, 640, 320];
/// The quality that is asked for, on the scale of libjpeg and libwebp.
pub(crate) const QUALITY: u8 = 80;

/// A ladder.
#[derive(Debug)]
pub(crate) struct Task {
    /// In words.
    pub(crate) what: &'static str,
    /// What each rung is made as.
    pub(crate) formats: &'static [&'static str],
    /// What one photograph has to take beside sharp.
    pub(crate) single: Goal,
    /// What photograph after photograph has to take beside sharp.
    pub(crate) steady: Goal,
}

/// The ladders that are measured.
pub(crate) const TASKS: [Task; 2] = [
    Task { what: "JPEG ladder", formats: &["jpeg"], single: goals::JPEG_SINGLE, steady: goals::JPEG_STEADY },
    Task {
        what: "JPEG and WebP ladder",
        formats: &["jpeg", "webp"],
        single: goals::WEBP_SINGLE,
        steady: goals::WEBP_STEADY,
    },
];

/// The name of a rung.
pub(crate) fn rung(long_edge_px: u32) -> String {
    format!("edge_{long_edge_px}")
}

/// Asks for a ladder of `source` in `folder`.
pub(crate) fn request(source: &Path, folder: &Path, formats: &[&str], quality: u8) -> Value {
    let rungs = LONG_EDGES_PX.map(
        |edge| json!({"name": rung(edge), "long_edge_px": edge, "formats": formats, "quality": quality}),
    );
    json!({"pictures": {"source": source, "folder": folder, "ladder": {"rungs": rungs}}})
}
