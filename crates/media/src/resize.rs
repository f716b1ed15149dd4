//! Lanczos3 resizing, with the chroma plane kept in register with the luma plane.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

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

    /// Luma, gray, packed pixels, or colours of as many pixels: `extent` of the source onto exactly `width` x `height`.
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

    /// The whole of a plane onto exactly `width` x `height`.
    pub(crate) fn luma_whole(
        &mut self,
        source: Plane,
        width: usize,
        height: usize,
    ) -> Result<Plane, MediaError> {
        let extent = Extent::whole(&source);
        self.luma(source, extent, width, height)
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
            .use_alpha(false);
        let size = (across.samples, down.samples);
        let channels = source.channels;
        if channels == 1 {
            return self.convolve(&source.data, (source.width, source.height), size, &options);
        }
        // One channel at a time, though the library has packed pixels too: it compiles into this crate, once
        // for every pixel type used, and one type is a third of the build and no slower.
        let mut target = Plane::filled(size.0, size.1, channels, 0);
        for channel in 0..channels {
            let single = extract(source, channel, weigh_alpha);
            let sized = self.convolve(&single, (source.width, source.height), size, &options)?;
            for (to, from) in target.data.iter_mut().skip(channel).step_by(channels).zip(sized.data) {
                *to = from;
            }
        }
        if weigh_alpha {
            unweigh(&mut target);
        }
        Ok(target)
    }

    fn convolve(
        &mut self,
        source: &[u8],
        from: (usize, usize),
        to: (usize, usize),
        options: &ResizeOptions,
    ) -> Result<Plane, MediaError> {
        let mut data = vec![0; to.0 * to.1];
        let source = TypedImageRef::<U8>::from_buffer(from.0 as u32, from.1 as u32, source)
            .map_err(MediaError::corrupt)?;
        let mut target = TypedImage::<U8>::from_buffer(to.0 as u32, to.1 as u32, &mut data)
            .map_err(MediaError::corrupt)?;
        self.resizer.resize_typed(&source, &mut target, options).map_err(MediaError::corrupt)?;
        Ok(Plane::new(to.0, to.1, 1, data))
    }
}

/// One channel of packed pixels; with `weigh_alpha` colour is multiplied by the fourth channel.
fn extract(plane: &Plane, channel: usize, weigh_alpha: bool) -> Vec<u8> {
    let pixels = plane.data.chunks_exact(plane.channels);
    if weigh_alpha && channel < 3 {
        let weigh = |pixel: &[u8]| ((u32::from(pixel[channel]) * u32::from(pixel[3]) + 127) / 255) as u8;
        return pixels.map(weigh).collect();
    }
    pixels.map(|pixel| pixel[channel]).collect()
}

/// Undoes the multiplication by alpha. Lanczos may leave colour above alpha, hence the bound.
fn unweigh(plane: &mut Plane) {
    for [r, g, b, alpha] in plane.data.as_chunks_mut::<4>().0 {
        let alpha = u32::from(*alpha);
        for color in [r, g, b] {
            *color = (u32::from(*color) * 255 + alpha / 2)
                .checked_div(alpha)
                .map_or(0, |value| value.min(255) as u8);
        }
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
