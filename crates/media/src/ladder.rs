//! What to make: rungs, formats, and the size of each.

use serde::{Deserialize, Serialize};

use crate::MediaError;
use crate::crop::Crop;

/// A format we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG, 4:2:0, optimised Huffman tables. Transparency is flattened on white.
    Jpeg,
    /// Lossy WebP at method 4. Keeps transparency.
    WebP,
    /// AVIF, through the system's libheif at high speed. Keeps transparency. Carries no copyright notice:
    /// the bindings we are held to cannot write one.
    Avif,
}

impl Format {
    /// Media type, for `Content-Type`.
    #[must_use]
    pub fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
            Self::Avif => "image/avif",
        }
    }

    /// File name extension, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
            Self::Avif => "avif",
        }
    }

    /// Longest side the format (or its encoder) can hold.
    fn side_px_max(self) -> u32 {
        match self {
            Self::Jpeg => 65_500,
            Self::WebP => 16_383,
            Self::Avif => 16_384,
        }
    }
}

/// One size of the ladder, in one or more formats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// Name the outputs carry, such as `grid_640`.
    pub name: String,
    /// Length of the longer side. A source that is smaller is **not** enlarged: the output then has the
    /// source's own size. A format that cannot hold this length gives the longest side it can.
    pub long_edge_px: u32,
    /// Formats to write at this size.
    pub formats: Vec<Format>,
    /// Encoder quality, 1 to 100.
    pub quality: u8,
}

/// Every size to make from one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    /// The rungs, in any order. Outputs come back in this order.
    pub rungs: Vec<Rung>,
    /// What is kept of the picture; all of it unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Crop>,
}

impl Ladder {
    pub(crate) fn check(&self) -> Result<(), MediaError> {
        self.crop.as_ref().map_or(Ok(()), Crop::check)?;
        for rung in &self.rungs {
            if rung.long_edge_px == 0 {
                return Err(MediaError::BadLadder {
                    detail: format!("{} asks for a long edge of 0", rung.name),
                });
            }
            if !(1..=100).contains(&rung.quality) {
                let detail = format!("{} asks for quality {}, outside 1 to 100", rung.name, rung.quality);
                return Err(MediaError::BadLadder { detail });
            }
        }
        Ok(())
    }
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Size {
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    pub(crate) fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    pub(crate) fn transposed_if(self, transpose: bool) -> Self {
        if transpose { Self::new(self.height, self.width) } else { self }
    }

    /// The size with this long edge and the same shape: short edge to the nearest pixel, never below 1,
    /// never larger than `self`.
    pub(crate) fn fit(self, long_edge_px: u32) -> Self {
        let long = self.width.max(self.height);
        if long_edge_px >= long {
            return self;
        }
        let scale = |side: u32| {
            let rounded = (u64::from(side) * u64::from(long_edge_px) + u64::from(long) / 2) / u64::from(long);
            (rounded as u32).max(1)
        };
        Self::new(scale(self.width), scale(self.height))
    }
}

/// One output to write: which rung, in which format, at which size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) size: Size,
    /// Place in the caller's order.
    pub(crate) order: usize,
    pub(crate) rung: usize,
    pub(crate) format: Format,
}

/// Every output of the ladder, largest first, as the cascade makes them, of a picture of this size.
pub(crate) fn plan(ladder: &Ladder, picture: Size) -> Vec<Step> {
    let mut steps = Vec::new();
    for (rung, spec) in ladder.rungs.iter().enumerate() {
        for &format in &spec.formats {
            let size = picture.fit(spec.long_edge_px.min(format.side_px_max()));
            steps.push(Step { size, order: steps.len(), rung, format });
        }
    }
    // Same shape throughout, so more pixels means larger on both sides; ties keep the caller's order.
    steps.sort_by_key(|step| (std::cmp::Reverse(step.size.pixels()), step.order));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_edge_rounds_to_nearest_and_never_vanishes() {
        assert_eq!(Size::new(6000, 4000).fit(320), Size::new(320, 213));
        assert_eq!(Size::new(4000, 6000).fit(2048), Size::new(1365, 2048));
        assert_eq!(Size::new(20_000, 1000).fit(320), Size::new(320, 16));
        assert_eq!(Size::new(20_000, 1).fit(320), Size::new(320, 1));
    }

    #[test]
    fn nothing_is_enlarged() {
        assert_eq!(Size::new(300, 200).fit(2048), Size::new(300, 200));
    }

    #[test]
    fn a_format_caps_the_side_it_cannot_hold() {
        let formats = vec![Format::Jpeg, Format::WebP];
        let rung = Rung { name: "pano".into(), long_edge_px: 20_000, formats, quality: 80 };
        let steps = plan(&Ladder { rungs: vec![rung], crop: None }, Size::new(20_000, 1000));
        assert_eq!(steps[0].size, Size::new(20_000, 1000));
        assert_eq!(steps[1].size, Size::new(16_383, 819));
    }
}
