//! A mark laid over a picture: somebody's logo in a corner, or across the middle.

use serde::{Deserialize, Serialize};

use crate::color::rgb_to_planar;
use crate::frame::{Frame, Planar};
use crate::ladder::Size;
use crate::plane::Plane;
use crate::probe::Opened;
use crate::resize::Scaler;
use crate::{Limits, MediaError};

/// Distance from the edges, in thousandths of the picture's shorter side.
const MARGIN_PERMILLE: usize = 25;
/// A mark is at most this part of the picture's height.
const HEIGHT_PERCENT_MAX: u32 = 50;
/// What chroma is without colour.
const NEUTRAL: u8 = 128;

/// Where a mark goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corner {
    /// At the upper left.
    TopLeft,
    /// At the upper right.
    TopRight,
    /// At the lower left.
    BottomLeft,
    /// At the lower right.
    BottomRight,
    /// In the middle.
    Center,
}

/// A mark and how it is laid over pictures.
#[derive(Debug, Clone)]
pub struct Brand {
    /// The mark: a picture of any kind we read. Where it is transparent, what lies under it shows.
    pub mark: Vec<u8>,
    /// Where it goes.
    pub corner: Corner,
    /// Its width, in percent of the picture's width: 1 to 100.
    pub width_percent: u8,
    /// How much it covers, in percent: 1 to 100.
    pub opacity_percent: u8,
}

impl Brand {
    /// The picture with the mark on it. A mark is never enlarged.
    ///
    /// # Errors
    /// When the mark cannot be decoded, or is larger than `limits`.
    pub(crate) fn over(
        &self,
        frame: Frame,
        limits: &Limits,
        scaler: &mut Scaler,
    ) -> Result<Frame, MediaError> {
        let picture = frame.size();
        let opened = Opened::open(&self.mark, limits)?;
        let Some(size) = self.size(opened.displayed(), picture) else { return Ok(frame) };
        let mark = opened.decode(size, limits)?.into_frame(size, scaler)?;
        let mark = self.faded(mark.rgba().into_owned());
        let at = self.place(&mark, picture);
        Ok(match frame {
            Frame::Alpha(mut plane) => {
                over_alpha(&mut plane, &mark, at);
                Frame::Alpha(plane)
            }
            Frame::Planar(_) | Frame::Fine(_) => {
                let mut planar = frame.flattened().into_owned();
                over_planar(&mut planar, &mark, at);
                Frame::Planar(planar)
            }
        })
    }

    /// How large it becomes on `picture`; none when it would be nothing.
    fn size(&self, mark: Size, picture: Size) -> Option<Size> {
        let share = |side: u32, percent: u32| u64::from(side) * u64::from(percent) / 100;
        let (own_width, own_height) = (u64::from(mark.width), u64::from(mark.height));
        let width = share(picture.width, u32::from(self.width_percent))
            .min(own_width)
            .min(share(picture.height, HEIGHT_PERCENT_MAX) * own_width / own_height.max(1));
        let height = (width * own_height + own_width / 2) / own_width.max(1);
        (width > 0 && height > 0).then(|| Size::new(width as u32, height as u32))
    }

    /// Its upper left corner on `picture`, on even pixels: so each of its chroma samples covers one of the picture's.
    fn place(&self, mark: &Plane, picture: Size) -> (usize, usize) {
        let (width, height) = (picture.width as usize, picture.height as usize);
        let margin = width.min(height) * MARGIN_PERMILLE / 1_000;
        let (right, bottom) = (width - mark.width, height - mark.height);
        let near = |free: usize| margin.min(free / 2);
        let (x, y) = match self.corner {
            Corner::TopLeft => (near(right), near(bottom)),
            Corner::TopRight => (right - near(right), near(bottom)),
            Corner::BottomLeft => (near(right), bottom - near(bottom)),
            Corner::BottomRight => (right - near(right), bottom - near(bottom)),
            Corner::Center => (right / 2, bottom / 2),
        };
        (x & !1, y & !1)
    }

    fn faded(&self, mut mark: Plane) -> Plane {
        for pixel in mark.data.as_chunks_mut::<4>().0 {
            pixel[3] = (u32::from(pixel[3]) * u32::from(self.opacity_percent.min(100)) / 100) as u8;
        }
        mark
    }
}

/// `under` with so much of `over` on it.
fn mixed(under: u8, over: u8, alpha: u8) -> u8 {
    let sum = u32::from(over) * u32::from(alpha) + u32::from(under) * u32::from(255 - alpha);
    ((sum + 127) / 255) as u8
}

fn over_alpha(picture: &mut Plane, mark: &Plane, (left, top): (usize, usize)) {
    let (pixels, _) = mark.data.as_chunks::<4>();
    let width = picture.width;
    let (under, _) = picture.data.as_chunks_mut::<4>();
    for (at, &[r, g, b, a]) in pixels.iter().enumerate() {
        let (x, y) = (left + at % mark.width, top + at / mark.width);
        let pixel = &mut under[y * width + x];
        // What was transparent takes the mark's colour whole.
        let share = if pixel[3] == 0 { 255 } else { a };
        for (value, over) in pixel.iter_mut().zip([r, g, b]) {
            *value = mixed(*value, over, share);
        }
        pixel[3] = pixel[3].max(a);
    }
}

fn over_planar(picture: &mut Planar, mark: &Plane, (left, top): (usize, usize)) {
    let (pixels, _) = mark.data.as_chunks::<4>();
    let colours = pixels.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
    let colours = rgb_to_planar(&Plane::new(mark.width, mark.height, 3, colours));
    let width = picture.luma.width;
    for (at, (pixel, luma)) in pixels.iter().zip(&colours.luma.data).enumerate() {
        let under = &mut picture.luma.data[(top + at / mark.width) * width + left + at % mark.width];
        *under = mixed(*under, *luma, pixel[3]);
    }
    let Some(over) = colours.chroma else { return };
    let (half_width, half_height) = (width.div_ceil(2), picture.luma.height.div_ceil(2));
    let gray = || Plane::filled(half_width, half_height, 1, NEUTRAL);
    let under = picture.chroma.get_or_insert_with(|| [gray(), gray()]);
    for (under, over) in under.iter_mut().zip(over) {
        for (at, chroma) in over.data.iter().enumerate() {
            let (x, y) = (at % over.width, at / over.width);
            let value = &mut under.data[(top / 2 + y) * half_width + left / 2 + x];
            *value = mixed(*value, *chroma, mean_alpha(mark, pixels, x, y));
        }
    }
}

/// Of the pixels that share a chroma sample.
fn mean_alpha(mark: &Plane, pixels: &[[u8; 4]], x: usize, y: usize) -> u8 {
    let (right, bottom) = ((2 * x + 1).min(mark.width - 1), (2 * y + 1).min(mark.height - 1));
    let alpha = |x: usize, y: usize| u32::from(pixels[y * mark.width + x][3]);
    let sum = alpha(2 * x, 2 * y) + alpha(right, 2 * y) + alpha(2 * x, bottom) + alpha(right, bottom);
    ((sum + 2) / 4) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(corner: Corner, width_percent: u8) -> Brand {
        Brand { mark: Vec::new(), corner, width_percent, opacity_percent: 100 }
    }

    #[test]
    fn a_mark_keeps_its_shape_and_is_never_enlarged() {
        let size = |percent, mark: (u32, u32), picture: (u32, u32)| {
            let size = brand(Corner::Center, percent)
                .size(Size::new(mark.0, mark.1), Size::new(picture.0, picture.1));
            size.map(|size| (size.width, size.height))
        };
        assert_eq!(size(20, (1_000, 500), (2_000, 1_000)), Some((400, 200)));
        assert_eq!(size(20, (100, 50), (2_000, 1_000)), Some((100, 50)));
        assert_eq!(size(100, (500, 5_000), (2_000, 1_000)), Some((50, 500)), "half the height at most");
        assert_eq!(size(1, (1_000, 1), (50, 50)), None);
    }

    #[test]
    fn a_mark_lies_inside_the_picture_wherever_it_goes() {
        let mark = Plane::filled(40, 20, 4, 255);
        for corner in
            [Corner::TopLeft, Corner::TopRight, Corner::BottomLeft, Corner::BottomRight, Corner::Center]
        {
            for (width, height) in [(40, 20), (41, 21), (100, 30), (2_000, 1_000)] {
                let (x, y) = brand(corner, 100).place(&mark, Size::new(width, height));
                assert!(x + 40 <= width as usize && y + 20 <= height as usize, "{corner:?} {width}x{height}");
            }
        }
    }
}
