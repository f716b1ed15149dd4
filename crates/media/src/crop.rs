//! The part of a picture that a ladder of a fixed shape keeps.

use serde::{Deserialize, Serialize};

use crate::MediaError;
use crate::ladder::Size;

/// Thousandths of a side.
const WHOLE_PERMILLE: u16 = 1_000;

/// What the picture is about: stays as near the middle of what is kept as the edges allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FocalPoint {
    /// Thousandths of the width as displayed, from the left: 0 to 1,000.
    pub x_permille: u16,
    /// Thousandths of the height as displayed, from the top: 0 to 1,000.
    pub y_permille: u16,
}

impl Default for FocalPoint {
    fn default() -> Self {
        Self { x_permille: WHOLE_PERMILLE / 2, y_permille: WHOLE_PERMILLE / 2 }
    }
}

/// The largest part of a picture with this shape, around this point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// The shape: so wide
    pub width: u32,
    /// for so much height, in any unit.
    pub height: u32,
    /// The point.
    pub focal_point: FocalPoint,
}

impl Crop {
    pub(crate) fn check(&self) -> Result<(), MediaError> {
        let FocalPoint { x_permille, y_permille } = self.focal_point;
        if self.width == 0 || self.height == 0 {
            return Err(MediaError::BadLadder { detail: "a shape without width or height".to_owned() });
        }
        if x_permille.max(y_permille) > WHOLE_PERMILLE {
            let detail =
                format!("a focal point at {x_permille}, {y_permille}, outside 0 to {WHOLE_PERMILLE}");
            return Err(MediaError::BadLadder { detail });
        }
        Ok(())
    }

    /// Size of the part of `whole` that is kept: one side whole, the other to the nearest pixel, never below 1.
    pub(crate) fn part(&self, whole: Size) -> Size {
        let width = scaled(whole.height, self.width, self.height).min(whole.width);
        let height = scaled(whole.width, self.height, self.width).min(whole.height);
        Size::new(width, height)
    }

    /// The size that `displayed` must have for its part to be `part`, which is its part now or smaller.
    pub(crate) fn around(&self, part: Size, displayed: Size) -> Size {
        let now = self.part(displayed);
        if part == now {
            return displayed;
        }
        Size::new(
            scaled(displayed.width, part.width, now.width).clamp(part.width, displayed.width),
            scaled(displayed.height, part.height, now.height).clamp(part.height, displayed.height),
        )
    }

    /// The upper left corner of `part` in `whole`, on even pixels: so no sample of colour is cut in two.
    pub(crate) fn corner(&self, part: Size, whole: Size) -> (usize, usize) {
        let at = |point: u16, part: u32, whole: u32| {
            let middle = u64::from(whole) * u64::from(point) / u64::from(WHOLE_PERMILLE);
            let start = middle.saturating_sub(u64::from(part / 2)).min(u64::from(whole - part));
            (start & !1) as usize
        };
        let FocalPoint { x_permille, y_permille } = self.focal_point;
        (at(x_permille, part.width, whole.width), at(y_permille, part.height, whole.height))
    }
}

/// `side` × `to` / `from` to the nearest pixel, at least 1.
fn scaled(side: u32, to: u32, from: u32) -> u32 {
    let (to, from) = (u64::from(to), u64::from(from));
    let nearest = (u64::from(side) * to + from / 2) / from;
    u32::try_from(nearest).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crop(width: u32, height: u32, x_permille: u16, y_permille: u16) -> Crop {
        Crop { width, height, focal_point: FocalPoint { x_permille, y_permille } }
    }

    #[test]
    fn the_part_keeps_one_side_whole() {
        let part = |shape: (u32, u32), whole: (u32, u32)| {
            let part = crop(shape.0, shape.1, 500, 500).part(Size::new(whole.0, whole.1));
            (part.width, part.height)
        };
        assert_eq!(part((4, 5), (6_000, 4_000)), (3_200, 4_000));
        assert_eq!(part((16, 9), (6_000, 4_000)), (6_000, 3_375));
        assert_eq!(part((4, 5), (4_000, 5_000)), (4_000, 5_000));
        assert_eq!(part((4, 5), (1, 20_000)), (1, 1));
        assert_eq!(part((1, 1_000), (50, 3)), (1, 3));
    }

    #[test]
    fn the_part_lies_inside_wherever_the_point_is() {
        for (shape, whole) in
            [((4, 5), (641, 427)), ((16, 9), (427, 641)), ((1, 1), (1, 9)), ((9, 1), (7, 7))]
        {
            for point in [0, 1, 333, 500, 999, 1_000] {
                let crop = crop(shape.0, shape.1, point, point);
                let whole = Size::new(whole.0, whole.1);
                let full = crop.part(whole);
                for part in [full, full.fit(100), full.fit(1)] {
                    let around = crop.around(part, whole);
                    let (left, top) = crop.corner(part, around);
                    assert!(left + part.width as usize <= around.width as usize, "{part:?} {around:?}");
                    assert!(top + part.height as usize <= around.height as usize, "{part:?} {around:?}");
                    assert_eq!((left % 2, top % 2), (0, 0));
                }
            }
        }
    }
}
