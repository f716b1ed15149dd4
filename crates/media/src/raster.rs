//! PNG, WebP, GIF and TIFF through `image`, and the tolerant second reading of a damaged JPEG.

use std::io::Cursor;

use image::codecs::{
    gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, tiff::TiffDecoder, webp::WebPDecoder,
};
use image::error::{ImageError, LimitErrorKind};
use image::{ColorType, DynamicImage, ImageDecoder};

use crate::error::contained;
use crate::frame::Inks;
use crate::ladder::Size;
use crate::plane::Plane;
use crate::rights::Blocks;
use crate::{Limits, MediaError, SourceKind};

/// What the header of a raster file says.
pub(crate) struct RasterHeader {
    pub(crate) size: Size,
    pub(crate) has_alpha: bool,
    pub(crate) color: String,
    pub(crate) icc: Option<Vec<u8>>,
    pub(crate) blocks: Blocks,
}

pub(crate) fn read_header(
    source: &[u8],
    kind: SourceKind,
    limits: &Limits,
) -> Result<RasterHeader, MediaError> {
    contained(|| {
        let mut decoder = open(source, kind, limits)?;
        let (width, height) = decoder.dimensions();
        let size = Size::new(width, height);
        limits.check_size(width, height)?;
        let color = decoder.color_type();
        let blocks = Blocks {
            exif: decoder.exif_metadata().ok().flatten(),
            iptc: decoder.iptc_metadata().ok().flatten(),
            xmp: decoder.xmp_metadata().ok().flatten(),
        };
        let icc = match kind {
            SourceKind::Tiff => tiff_profile(source),
            _ => decoder.icc_profile().ok().flatten(),
        };
        Ok(RasterHeader { size, has_alpha: color.has_alpha(), color: name(color), icc, blocks })
    })
}

/// With the reader's own bounds: ours would hold each value against the size of the picture, which a profile may well exceed.
fn tiff_profile(source: &[u8]) -> Option<Vec<u8>> {
    TiffDecoder::new(Cursor::new(source)).ok()?.icc_profile().ok().flatten()
}

/// Decodes to 8 bits per channel.
pub(crate) fn decode(source: &[u8], kind: SourceKind, limits: &Limits) -> Result<(Plane, Inks), MediaError> {
    contained(|| read(open(source, kind, limits)?, limits))
}

/// Reads a JPEG as far as it goes; what cannot be read is filled in.
pub(crate) fn tolerant_jpeg(source: &[u8], limits: &Limits) -> Result<(Plane, Inks), MediaError> {
    contained(|| {
        let decoder = JpegDecoder::new(Cursor::new(source)).map_err(refusal)?;
        read(Box::new(decoder), limits)
    })
}

fn open<'a>(
    source: &'a [u8],
    kind: SourceKind,
    limits: &Limits,
) -> Result<Box<dyn ImageDecoder + 'a>, MediaError> {
    if kind == SourceKind::Png {
        // Before the reader sees it, so that a claimed size is refused as a size and not as memory.
        let side = |at: usize| source.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let (width, height) = side(16).zip(side(20)).ok_or(MediaError::Truncated)?;
        limits.check_size(width, height)?;
    }
    let cursor = Cursor::new(source);
    let mut decoder: Box<dyn ImageDecoder + 'a> = match kind {
        // The PNG reader inflates profiles and texts while it reads the header, so it has to know before.
        SourceKind::Png => Box::new(PngDecoder::with_limits(cursor, limits.for_image()).map_err(refusal)?),
        SourceKind::WebP => Box::new(WebPDecoder::new(cursor).map_err(refusal)?),
        SourceKind::Gif => Box::new(GifDecoder::new(cursor).map_err(refusal)?),
        SourceKind::Tiff => Box::new(TiffDecoder::new(cursor).map_err(refusal)?),
        SourceKind::Jpeg | SourceKind::Heic | SourceKind::Avif => {
            return Err(MediaError::unsupported("not a raster file"));
        }
    };
    let (width, height) = decoder.dimensions();
    limits.check_size(width, height)?;
    decoder.set_limits(limits.for_image()).map_err(refusal)?;
    Ok(decoder)
}

fn read(decoder: Box<dyn ImageDecoder + '_>, limits: &Limits) -> Result<(Plane, Inks), MediaError> {
    let (width, height) = decoder.dimensions();
    limits.check_size(width, height)?;
    let color = decoder.color_type();
    let pixels = Size::new(width, height).pixels();
    let widened =
        if matches!(color, ColorType::L8 | ColorType::Rgb8 | ColorType::Rgba8) { 0 } else { pixels * 4 };
    limits.check_alloc(decoder.total_bytes().saturating_add(widened))?;
    let picture = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    let (width, height) = (width as usize, height as usize);
    Ok(match picture {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageLuma16(_) => {
            (Plane::new(width, height, 1, picture.into_luma8().into_raw()), Inks::Gray)
        }
        _ if color.has_alpha() => (Plane::new(width, height, 4, picture.into_rgba8().into_raw()), Inks::Rgba),
        _ => (Plane::new(width, height, 3, picture.into_rgb8().into_raw()), Inks::Rgb),
    })
}

fn name(color: ColorType) -> String {
    let model = match (color.has_color(), color.has_alpha()) {
        (true, true) => "RGBA",
        (true, false) => "RGB",
        (false, true) => "Gray + alpha",
        (false, false) => "Gray",
    };
    format!("{model} {}-bit", color.bits_per_pixel() / u16::from(color.channel_count()))
}

fn refusal(error: ImageError) -> MediaError {
    match error {
        ImageError::Limits(limit) => match limit.kind() {
            LimitErrorKind::InsufficientMemory | LimitErrorKind::DimensionError => MediaError::OutOfBudget {
                detail: "its pixels or metadata need more memory than allowed".into(),
            },
            _ => MediaError::OutOfBudget { detail: limit.to_string() },
        },
        ImageError::Unsupported(what) => MediaError::unsupported(what),
        other if ends_early(&other) => MediaError::Truncated,
        other => MediaError::corrupt(other),
    }
}

/// Each decoder says "the file ended" in its own words, and some only in the source of their error.
fn ends_early(error: &ImageError) -> bool {
    const WORDS: [&str; 5] = ["unexpected eof", "end of file", "failed to fill", "unexpected end", "eof"];
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof) {
            return true;
        }
        let text = error.to_string().to_ascii_lowercase();
        if WORDS.iter().any(|word| text.contains(word)) {
            return true;
        }
        cause = error.source();
    }
    false
}
