//! Planes with a colour for every pixel, and how they lose three of four colours without losing light.
//!
//! JPEG and lossy WebP store one colour for each 2 x 2 pixels. What a viewer sees between them is the mean of the nearest,
//! weighed 9 : 3 : 3 : 1, and beside a loud edge that is another colour than was meant: darker or brighter too, because
//! what a colour adds to the light depends on it. The luma of a pixel is free, though. So it is moved until the pixel
//! gives the light that was meant, with the colour that a viewer will have there.

use std::sync::LazyLock;

use crate::frame::Planar;
use crate::plane::Plane;

/// A picture as full-range BT.601 planes of one size.
#[derive(Debug, Clone)]
pub(crate) struct Fine {
    pub(crate) luma: Plane,
    pub(crate) chroma: [Plane; 2],
}

/// Steps of the table between two levels of 255.
const STEPS_PER_LEVEL: f32 = 4.0;
const STEPS: usize = 255 * 4 + 1;
/// Share of red, green and blue in the light of an sRGB pixel: the second row of its matrix to XYZ (IEC 61966-2-1).
const SHARES: [f32; 3] = [0.2126, 0.7152, 0.0722];
/// Colours that differ by no more than this many levels in sum are left as they are: nobody sees it.
const UNSEEN_LEVELS: i32 = 2;
/// Furthest that a luma is moved, in levels. Where it would take more, the colours around it are to blame.
const MOVED_LEVELS: f32 = 40.0;
/// Newton's steps towards the light that was meant. One comes within a level almost everywhere.
const NEWTON_STEPS: usize = 2;

/// Light of a level, and how fast it grows there: per level, in shares of full light.
static LIGHT: LazyLock<Vec<(f32, f32)>> = LazyLock::new(|| {
    let at = |step: usize| {
        let value = step as f32 / STEPS_PER_LEVEL / 255.0;
        if value <= 0.040_45 {
            (value / 12.92, 1.0 / 12.92 / 255.0)
        } else {
            let base = (value + 0.055) / 1.055;
            (base.powf(2.4), 2.4 / 1.055 * base.powf(1.4) / 255.0)
        }
    };
    (0..STEPS).map(at).collect()
});

impl Fine {
    /// At 4:2:0, with the luma that keeps its light.
    pub(crate) fn subsampled(&self) -> Planar {
        let chroma = [halved(&self.chroma[0]), halved(&self.chroma[1])];
        let mut luma = self.luma.clone();
        let width = luma.width;
        let light = &**LIGHT;
        for (y, row) in luma.data.chunks_exact_mut(width).enumerate() {
            let between = chroma.each_ref().map(|plane| Between::rows(plane, y));
            let meant = self.chroma.each_ref().map(|plane| &plane.data[y * width..][..width]);
            for (x, level) in row.iter_mut().enumerate() {
                let (meant, seen) =
                    ([0, 1].map(|k| i32::from(meant[k][x])), [0, 1].map(|k| between[k].at(x)));
                if (meant[0] - seen[0]).abs() + (meant[1] - seen[1]).abs() > UNSEEN_LEVELS {
                    *level = with_light(light, *level, meant, seen);
                }
            }
        }
        Planar { luma, chroma: Some(chroma) }
    }
}

/// The luma that gives beside colour `seen` as much light as `level` does beside colour `meant`.
fn with_light(light: &[(f32, f32)], level: u8, meant: [i32; 2], seen: [i32; 2]) -> u8 {
    let level = f32::from(level);
    let (wanted, _) = given(light, level, meant);
    let mut moved = level;
    for _ in 0..NEWTON_STEPS {
        let (given, growth) = given(light, moved, seen);
        moved = (moved + (wanted - given) / growth).clamp(level - MOVED_LEVELS, level + MOVED_LEVELS);
    }
    // What is out of range becomes its nearest end.
    (moved + 0.5) as u8
}

/// Light of a pixel, and how fast it grows with its luma.
fn given(light: &[(f32, f32)], luma: f32, [blue, red]: [i32; 2]) -> (f32, f32) {
    let (blue, red) = ((blue - 128) as f32, (red - 128) as f32);
    let rgb = [luma + 1.402 * red, luma - 0.344_136 * blue - 0.714_136 * red, luma + 1.772 * blue];
    rgb.iter().zip(SHARES).fold((0.0, 1e-6), |(sum, growth), (value, share)| {
        let step = (value.clamp(0.0, 255.0) * STEPS_PER_LEVEL + 0.5) as usize;
        let (light, grows) = light[step.min(STEPS - 1)];
        (sum + share * light, growth + share * grows)
    })
}

/// The mean of each 2 x 2 group; a last column or row that is alone stands for itself.
fn halved(plane: &Plane) -> Plane {
    let (width, height) = (plane.width.div_ceil(2), plane.height.div_ceil(2));
    let mut data = Vec::with_capacity(width * height);
    for y in 0..height {
        let row = |at: usize| &plane.data[at * plane.width..][..plane.width];
        let (top, bottom) = (row(2 * y), row((2 * y + 1).min(plane.height - 1)));
        for x in 0..width {
            let (left, right) = (2 * x, (2 * x + 1).min(plane.width - 1));
            let sum =
                [top[left], top[right], bottom[left], bottom[right]].into_iter().map(u16::from).sum::<u16>();
            data.push(((sum + 2) / 4) as u8);
        }
    }
    Plane::new(width, height, 1, data)
}

/// What decoders put between the samples of a halved plane, along one row of the picture.
struct Between<'a> {
    near: &'a [u8],
    far: &'a [u8],
}

impl<'a> Between<'a> {
    fn rows(plane: &'a Plane, y: usize) -> Self {
        let near = y / 2;
        let far = if y.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(plane.height - 1) };
        let row = |at: usize| &plane.data[at * plane.width..][..plane.width];
        Self { near: row(near), far: row(far) }
    }

    fn at(&self, x: usize) -> i32 {
        let near = x / 2;
        let far =
            if x.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(self.near.len() - 1) };
        let down = |x: usize| 3 * i32::from(self.near[x]) + i32::from(self.far[x]);
        (3 * down(near) + down(far) + 8) / 16
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn light_of(luma: u8, chroma: [i32; 2]) -> f32 {
        given(&LIGHT, f32::from(luma), chroma).0
    }

    #[test]
    fn what_has_one_colour_stays_as_it_is() {
        let fine = Fine {
            luma: Plane::new(5, 3, 1, (0..15).map(|at| at * 17).collect()),
            chroma: [Plane::filled(5, 3, 1, 90), Plane::filled(5, 3, 1, 240)],
        };
        let planar = fine.subsampled();
        assert_eq!(planar.luma, fine.luma);
        let [blue, red] = planar.chroma.unwrap();
        assert_eq!((blue, red), (Plane::filled(3, 2, 1, 90), Plane::filled(3, 2, 1, 240)));
    }

    proptest! {
        /// Beside any colours, the light is as near to what was meant as whole levels within reach allow.
        #[test]
        fn light_is_kept(luma in 40_u8..216, meant in [98_i32..158, 98..158], seen in [98_i32..158, 98..158]) {
            let wanted = light_of(luma, meant);
            let off = |luma: u8| (light_of(luma, seen) - wanted).abs();
            let reached = with_light(&LIGHT, luma, meant, seen);
            let best = (luma.saturating_sub(40)..=luma.saturating_add(40)).map(off).fold(f32::MAX, f32::min);
            prop_assert!(off(reached) <= best + 0.01, "{} instead of {best}", off(reached));
        }

        /// Any size, down to a single pixel, becomes planes of the size that 4:2:0 asks for.
        #[test]
        fn every_size_is_halved_upwards(width in 1_usize..9, height in 1_usize..9, values in proptest::collection::vec(any::<u8>(), 3 * 81)) {
            let plane = |k: usize| Plane::new(width, height, 1, values[k * 81..][..width * height].to_vec());
            let planar = Fine { luma: plane(0), chroma: [plane(1), plane(2)] }.subsampled();
            prop_assert_eq!((planar.luma.width, planar.luma.height), (width, height));
            for half in planar.chroma.unwrap() {
                prop_assert_eq!((half.width, half.height), (width.div_ceil(2), height.div_ceil(2)));
            }
        }
    }
}
