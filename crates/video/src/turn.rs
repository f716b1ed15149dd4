//! How a recording has to be turned to stand upright.

use serde::{Deserialize, Serialize};

/// What to do to stored pixels before they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Nothing.
    Upright,
    /// A quarter to the right.
    Clockwise,
    /// Half a turn.
    UpsideDown,
    /// A quarter to the left.
    Counterclockwise,
    /// Left and right change places.
    Mirrored,
    /// Top and bottom change places.
    Flipped,
    /// A quarter to the right, then top and bottom change places.
    ClockwiseFlipped,
    /// A quarter to the left, then top and bottom change places.
    CounterclockwiseFlipped,
}

impl Turn {
    /// From a display matrix: nine 32-bit numbers in the machine's order, row by row, 16.16 fixed point in the first
    /// two columns. Angles that are no quarter turns are left alone, as players do.
    pub(crate) fn from_matrix(bytes: &[u8]) -> Self {
        let at = |i: usize| {
            bytes.get(i * 4..i * 4 + 4).and_then(|four| four.try_into().ok()).map_or(0, i32::from_ne_bytes)
        };
        let (a, b, c, d) = (at(0), at(1), at(3), at(4));
        let zero = |x: i32| x.unsigned_abs() < 0x800;
        if zero(b) && zero(c) && !zero(a) && !zero(d) {
            return match (a < 0, d < 0) {
                (false, false) => Self::Upright,
                (true, false) => Self::Mirrored,
                (false, true) => Self::Flipped,
                (true, true) => Self::UpsideDown,
            };
        }
        if zero(a) && zero(d) && !zero(b) && !zero(c) {
            return match (b > 0, c > 0) {
                (true, false) => Self::Clockwise,
                (false, true) => Self::Counterclockwise,
                (true, true) => Self::CounterclockwiseFlipped,
                (false, false) => Self::ClockwiseFlipped,
            };
        }
        Self::Upright
    }

    /// The same as EXIF counts it, from 1 (upright) to 8.
    #[must_use]
    pub fn orientation(self) -> u8 {
        match self {
            Self::Upright => 1,
            Self::Mirrored => 2,
            Self::UpsideDown => 3,
            Self::Flipped => 4,
            Self::ClockwiseFlipped => 7,
            Self::Clockwise => 6,
            Self::CounterclockwiseFlipped => 5,
            Self::Counterclockwise => 8,
        }
    }

    /// Whether width and height change places.
    pub(crate) fn swaps_sides(self) -> bool {
        matches!(
            self,
            Self::Clockwise | Self::Counterclockwise | Self::ClockwiseFlipped | Self::CounterclockwiseFlipped
        )
    }

    /// As libav's filters say it.
    pub(crate) fn filter(self) -> Option<&'static str> {
        match self {
            Self::Upright => None,
            Self::Clockwise => Some("transpose=clock"),
            Self::UpsideDown => Some("hflip,vflip"),
            Self::Counterclockwise => Some("transpose=cclock"),
            Self::Mirrored => Some("hflip"),
            Self::Flipped => Some("vflip"),
            Self::ClockwiseFlipped => Some("transpose=clock_flip"),
            Self::CounterclockwiseFlipped => Some("transpose=cclock_flip"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(a: i32, b: i32, c: i32, d: i32) -> Turn {
        let one = 1 << 16;
        let matrix = [a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30];
        Turn::from_matrix(&matrix.iter().flat_map(|x: &i32| x.to_ne_bytes()).collect::<Vec<u8>>())
    }

    #[test]
    fn a_phone_held_upright_turns_to_the_right() {
        assert_eq!(turn(0, 1, -1, 0), Turn::Clockwise);
        assert_eq!(turn(0, -1, 1, 0), Turn::Counterclockwise);
        assert_eq!(turn(-1, 0, 0, -1), Turn::UpsideDown);
        assert_eq!(turn(1, 0, 0, 1), Turn::Upright);
    }

    #[test]
    fn front_cameras_mirror() {
        assert_eq!(turn(-1, 0, 0, 1), Turn::Mirrored);
        assert_eq!(turn(1, 0, 0, -1), Turn::Flipped);
    }

    #[test]
    fn a_short_or_senseless_matrix_is_upright() {
        assert_eq!(Turn::from_matrix(&[1, 2, 3]), Turn::Upright);
        assert_eq!(turn(1, 1, 1, 1), Turn::Upright);
        assert_eq!(turn(0, 0, 0, 0), Turn::Upright);
    }
}
