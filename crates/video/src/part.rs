//! Parts of a film that are made apart from one another: which pictures each has, and where the film is cut.

use serde::{Deserialize, Serialize};

use crate::{
    Probe,
    timeline::{GOP_S, SEGMENT_S, TimeBase},
};

/// Containers in which any moment can be found again to the tick: their header says where every picture lies. In others
/// a place is guessed from bytes, and clocks may jump.
const CUT_EXACTLY: [&str; 2] = ["mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"];

/// Whole groups of pictures of a film, counted from its first picture. Every group begins with a key frame that nothing
/// leans across, so parts that were encoded apart lie one behind the other like those of one encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The first group.
    pub from_group: u32,
    /// The first group after it; none for the rest of the film, however long that turns out to be.
    pub until_group: Option<u32>,
}

impl Part {
    /// Everything.
    pub const WHOLE: Self = Self { from_group: 0, until_group: None };

    /// Where to cut a film into parts of about `part_s` seconds: between segments, and in parts of one length. One part
    /// where the film is of a kind that cannot be cut exactly, or does not say how long it is.
    #[must_use]
    pub fn cut(probe: &Probe, part_s: u32) -> Vec<Self> {
        let seconds = probe.duration_ms.unwrap_or_default() / 1_000;
        let count = seconds / u64::from(part_s.max(1));
        if count < 2 || !CUT_EXACTLY.contains(&probe.container.as_str()) {
            return vec![Self::WHOLE];
        }
        let segments = seconds.div_ceil(SEGMENT_S.unsigned_abs());
        let count = count.min(segments);
        let groups_in_segment = (SEGMENT_S / GOP_S).unsigned_abs();
        let border = |part: u64| (part * segments / count * groups_in_segment) as u32;
        (0..count)
            .map(|part| Self {
                from_group: border(part),
                until_group: (part + 1 < count).then(|| border(part + 1)),
            })
            .collect()
    }

    /// How long it is, if it has an end.
    #[must_use]
    pub fn seconds(&self) -> Option<u32> {
        Some(self.until_group?.saturating_sub(self.from_group) * GOP_S as u32)
    }

    /// Seconds from the first picture of the film to the first of this part.
    pub(crate) fn begins_s(self) -> f64 {
        (i64::from(self.from_group) * GOP_S) as f64
    }

    /// Seconds from the first picture of the film to the end of this part.
    pub(crate) fn ends_s(self) -> Option<f64> {
        self.until_group.map(|group| (i64::from(group) * GOP_S) as f64)
    }
}

/// Where a picture lies, seen from a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Before,
    Within,
    After,
}

/// A part in ticks of the film.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) part: Part,
    /// Times of the first pictures of the film, the first of all being 0.
    pub(crate) firsts: Vec<i64>,
    /// The time stamp of the first picture of the film, where somebody looked before.
    pub(crate) first: Option<i64>,
    /// The same in seconds.
    pub(crate) begins_s: Option<f64>,
}

impl Window {
    /// Everything.
    pub(crate) fn whole() -> Self {
        Self { part: Part::WHOLE, firsts: Vec::new(), first: None, begins_s: None }
    }

    /// Where a picture lies that comes `at` ticks after the first.
    pub(crate) fn place(&self, base: TimeBase, at: i64) -> Place {
        let group = base.stretch(at, GOP_S);
        if group < i64::from(self.part.from_group) {
            Place::Before
        } else if self.part.until_group.is_none_or(|until| group < i64::from(until)) {
            Place::Within
        } else {
            Place::After
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Transfer, Turn};

    fn film(container: &str, seconds: u64) -> Probe {
        Probe {
            container: container.to_owned(),
            duration_ms: Some(seconds * 1_000 + 40),
            width: 1920,
            height: 1080,
            stored_width: 1920,
            stored_height: 1080,
            turn: Turn::Upright,
            frame_rate: 30.0,
            variable_frame_rate: false,
            codec: "h264".to_owned(),
            pixel_format: "yuv420p".to_owned(),
            interlaced: false,
            transfer: Transfer::Sdr,
            audio: None,
        }
    }

    fn cut(seconds: u64) -> Vec<(u32, Option<u32>)> {
        let parts = Part::cut(&film("mov,mp4,m4a,3gp,3g2,mj2", seconds), 60);
        parts.iter().map(|part| (part.from_group, part.until_group)).collect()
    }

    #[test]
    fn borders_lie_between_segments_and_parts_are_of_one_length() {
        assert_eq!(cut(119), [(0, None)]);
        assert_eq!(cut(130), [(0, Some(33)), (33, None)]);
        assert_eq!(cut(600).len(), 10);
        for pair in cut(7_199).windows(2) {
            assert_eq!(pair[0].1, Some(pair[1].0));
            assert_eq!(pair[1].0 % 3, 0, "segments are three groups");
            assert!((27..=33).contains(&(pair[1].0 - pair[0].0)), "{pair:?}");
        }
    }

    #[test]
    fn what_cannot_be_cut_exactly_is_made_whole() {
        assert_eq!(Part::cut(&film("mpegts", 600), 60), [Part::WHOLE]);
        let mut endless = film("matroska,webm", 600);
        assert_eq!(Part::cut(&endless, 60).len(), 10);
        endless.duration_ms = None;
        assert_eq!(Part::cut(&endless, 60), [Part::WHOLE]);
    }

    #[test]
    fn a_picture_belongs_to_the_part_whose_groups_it_lies_in() {
        let part = Part { from_group: 3, until_group: Some(6) };
        let window = Window { part, ..Window::whole() };
        let base = TimeBase::new(1001, 30_000);
        let places = [179, 180, 359, 360].map(|frame| window.place(base, frame));
        assert_eq!(places, [Place::Before, Place::Within, Place::Within, Place::After]);
        assert_eq!(part.seconds(), Some(6));
    }
}
