//! Lanczos3 resizing, with the chroma plane kept in register with the luma plane.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::MediaError;
use crate::orient::Turn;
use crate::plane::Plane;

/// The part of a plane that carries picture, in that plane's own samples.
///
/// Fractional: of a picture 2047 wide decoded at half size, 1023.5 of the 1024 columns are picture, and its
/// chroma covers 511.75 of 512.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Extent {
    pub(crate) fn whole(plane: &Plane) -> Self {
        Self { width: plane.width as f64, height: plane.height as f64 }
    }
}

/// Part of one axis: where it starts in the source, how much of it, and how many samples come out.
struct Span {
    start: f64,
    length: f64,
    samples: usize,
}

/// Owns the scratch memory that one ladder's resizes share.
pub(crate) struct Scaler {
    resizer: Resizer,
}

impl Scaler {
    pub(crate) fn new() -> Self {
        Self { resizer: Resizer::new() }
    }

    /// Luma, gray or packed pixels: `extent` of the source onto exactly `width` x `height`.
    pub(crate) fn luma(
        &mut self,
        source: Plane,
        extent: Extent,
        width: usize,
        height: usize,
    ) -> Result<Plane, MediaError> {
        let whole = (extent.width - source.width as f64).abs() < 1e-9
            && (extent.height - source.height as f64).abs() < 1e-9;
        if whole && (source.width, source.height) == (width, height) {
            return Ok(source);
        }
        let across = Span { start: 0.0, length: extent.width, samples: width };
        let down = Span { start: 0.0, length: extent.height, samples: height };
        self.resize(&source, &across, &down, false)
    }

    /// RGBA, with colour weighed by alpha so that invisible pixels do not bleed into visible ones.
    pub(crate) fn alpha(&mut self, source: Plane, width: usize, height: usize) -> Result<Plane, MediaError> {
        if (source.width, source.height) == (width, height) {
            return Ok(source);
        }
        let across = Span { start: 0.0, length: source.width as f64, samples: width };
        let down = Span { start: 0.0, length: source.height as f64, samples: height };
        self.resize(&source, &across, &down, true)
    }

    /// Chroma for a luma plane of `width` x `height` (stored axes): displayed by `turn` and at 4:2:0.
    ///
    /// With an odd luma width the last chroma column reaches one luma column past the picture. Stretching the
    /// whole source onto it would move every colour edge by up to a pixel, so only the columns that lie inside
    /// are resized, and the last one is repeated. A flipped axis has its overhang at the other end.
    pub(crate) fn chroma(
        &mut self,
        source: Plane,
        extent: Extent,
        (width, height): (usize, usize),
        turn: Turn,
    ) -> Result<Plane, MediaError> {
        let across = chroma_span(extent.width, width, turn.flip_x);
        let down = chroma_span(extent.height, height, turn.flip_y);
        let same = source.width == across.samples && source.height == down.samples;
        let whole = (across.length - source.width as f64).abs() < 1e-9
            && (down.length - source.height as f64).abs() < 1e-9;
        let inner = if same && whole { source } else { self.resize(&source, &across, &down, false)? };
        let shown = turn.apply(inner);
        let (full_width, full_height) = if turn.transpose { (height, width) } else { (width, height) };
        let (full_width, full_height) = (full_width.div_ceil(2), full_height.div_ceil(2));
        if (shown.width, shown.height) == (full_width, full_height) {
            return Ok(shown);
        }
        Ok(shown.padded(full_width, full_height))
    }

    fn resize(
        &mut self,
        source: &Plane,
        across: &Span,
        down: &Span,
        weigh_alpha: bool,
    ) -> Result<Plane, MediaError> {
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
            .crop(across.start, down.start, across.length, down.length)
            .use_alpha(weigh_alpha);
        let size = (across.samples, down.samples);
        match source.channels {
            1 => self.convolve::<U8>(source, size, &options),
            3 => self.convolve::<U8x3>(source, size, &options),
            _ => self.convolve::<U8x4>(source, size, &options),
        }
        .map_err(MediaError::corrupt)
    }

    /// Typed, because the untyped call compiles every pixel type there is into this crate: minutes of build.
    fn convolve<P: PixelTrait>(
        &mut self,
        source: &Plane,
        (width, height): (usize, usize),
        options: &ResizeOptions,
    ) -> Result<Plane, Box<dyn std::error::Error>> {
        let mut data = vec![0; width * height * source.channels];
        let from = TypedImageRef::<P>::from_buffer(source.width as u32, source.height as u32, &source.data)?;
        let mut to = TypedImage::<P>::from_buffer(width as u32, height as u32, &mut data)?;
        self.resizer.resize_typed(&from, &mut to, options)?;
        Ok(Plane::new(width, height, source.channels, data))
    }
}

fn chroma_span(extent: f64, luma_samples: usize, flipped: bool) -> Span {
    let samples = (luma_samples / 2).max(1);
    let covered = (2 * samples).min(luma_samples);
    let length = extent * covered as f64 / luma_samples as f64;
    let start = if flipped { extent - length } else { 0.0 };
    Span { start, length, samples }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPRIGHT: Turn = Turn { flip_x: false, flip_y: false, transpose: false };

    #[test]
    fn odd_widths_resize_only_the_columns_inside() {
        let span = chroma_span(100.0, 41, false);
        assert_eq!(span.samples, 20);
        assert!((span.length - 100.0 * 40.0 / 41.0).abs() < 1e-9);
        let flipped = chroma_span(100.0, 41, true);
        assert!((flipped.start + flipped.length - 100.0).abs() < 1e-9);
        assert_eq!(chroma_span(0.5, 1, false).samples, 1);
    }

    #[test]
    fn chroma_of_an_odd_size_is_padded_to_the_even_size() {
        let source = Plane::filled(7, 5, 1, 90);
        let extent = Extent { width: 6.5, height: 4.5 };
        let made = Scaler::new().chroma(source, extent, (5, 3), UPRIGHT).unwrap();
        assert_eq!((made.width, made.height), (3, 2));
        assert!(made.data.iter().all(|&value| value == 90));
    }
}
