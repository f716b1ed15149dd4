//! EXIF orientation, as three yes-or-no questions.

use crate::plane::Plane;

/// Side of the squares in which axes are swapped: whole columns of a large plane would miss the cache on
/// every pixel.
const BLOCK: usize = 32;

/// How stored pixels become displayed pixels: flip along x, then along y, then swap the axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) flip_x: bool,
    pub(crate) flip_y: bool,
    pub(crate) transpose: bool,
}

impl Turn {
    /// From the EXIF value; anything outside 1 to 8 means "as stored".
    pub(crate) fn from_exif(orientation: u8) -> Self {
        Self {
            flip_x: matches!(orientation, 2 | 3 | 7 | 8),
            flip_y: matches!(orientation, 3 | 4 | 6 | 7),
            transpose: matches!(orientation, 5..=8),
        }
    }

    pub(crate) fn apply(self, plane: Plane) -> Plane {
        if !self.flip_x && !self.flip_y && !self.transpose {
            return plane;
        }
        match plane.channels {
            1 => self.apply_sized::<1>(&plane),
            3 => self.apply_sized::<3>(&plane),
            _ => self.apply_sized::<4>(&plane),
        }
    }

    fn apply_sized<const N: usize>(self, plane: &Plane) -> Plane {
        let (width, height) = (plane.width, plane.height);
        let (source, _) = plane.data.as_chunks::<N>();
        let column = |x: usize| if self.flip_x { width - 1 - x } else { x };
        let row = |y: usize| if self.flip_y { height - 1 - y } else { y };
        let mut data = vec![0; plane.data.len()];
        let (target, _) = data.as_chunks_mut::<N>();
        if !self.transpose {
            for (y, out) in target.chunks_exact_mut(width).enumerate() {
                let from = &source[row(y) * width..][..width];
                for (x, pixel) in out.iter_mut().enumerate() {
                    *pixel = from[column(x)];
                }
            }
            return Plane::new(width, height, N, data);
        }
        for y0 in (0..height).step_by(BLOCK) {
            for x0 in (0..width).step_by(BLOCK) {
                for x in x0..(x0 + BLOCK).min(width) {
                    for y in y0..(y0 + BLOCK).min(height) {
                        target[x * height + y] = source[row(y) * width + column(x)];
                    }
                }
            }
        }
        Plane::new(height, width, N, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored `ab / cd / ef` (2 wide, 3 high), displayed by each orientation.
    #[test]
    fn all_eight() {
        let stored = Plane::new(2, 3, 1, b"abcdef".to_vec());
        let expected: [(usize, &[u8]); 8] = [
            (2, b"abcdef"),
            (2, b"badcfe"),
            (2, b"fedcba"),
            (2, b"efcdab"),
            (3, b"acebdf"),
            (3, b"ecafdb"),
            (3, b"fdbeca"),
            (3, b"bdface"),
        ];
        for (orientation, (width, data)) in (1..=8).zip(expected) {
            let shown = Turn::from_exif(orientation).apply(stored.clone());
            assert_eq!((shown.width, shown.data.as_slice()), (width, data), "orientation {orientation}");
        }
    }
}
