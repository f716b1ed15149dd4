//! HEIC and AVIF through the system's libheif.

use libheif_rs::{
    Channel, ColorSpace, CompressionFormat, EncoderParameterValue, EncoderQuality, HeifContext, HeifError,
    HeifErrorSubCode, Image, ImageHandle, RgbChroma,
};

use crate::error::contained;
use crate::frame::Inks;
use crate::ladder::Size;
use crate::plane::Plane;
use crate::rights::Blocks;
use crate::{Limits, MediaError};

/// Encoder effort, 0 (best) to 9 (fastest).
const AV1_SPEED: i32 = 8;

/// What the header of a HEIF file says. The size is the displayed one: libheif turns pictures upright by
/// itself, so the EXIF orientation must not be applied a second time.
pub(crate) struct HeifHeader {
    pub(crate) size: Size,
    pub(crate) has_alpha: bool,
    pub(crate) color: String,
    pub(crate) icc: Option<Vec<u8>>,
    pub(crate) blocks: Blocks,
}

pub(crate) fn read_header(source: &[u8], limits: &Limits) -> Result<HeifHeader, MediaError> {
    contained(|| {
        let context = HeifContext::read_from_bytes(source).map_err(refusal)?;
        let handle = context.primary_image_handle().map_err(refusal)?;
        let size = Size::new(handle.width(), handle.height());
        limits.check_size(size.width, size.height)?;
        let blocks = Blocks { exif: exif(&handle), ..Blocks::default() };
        Ok(HeifHeader {
            size,
            has_alpha: handle.has_alpha_channel(),
            color: format!("YCbCr {}-bit", handle.luma_bits_per_pixel()),
            icc: handle.color_profile_raw().map(|profile| profile.data),
            blocks,
        })
    })
}

pub(crate) fn decode(source: &[u8], limits: &Limits) -> Result<(Plane, Inks), MediaError> {
    contained(|| {
        let context = HeifContext::read_from_bytes(source).map_err(refusal)?;
        let handle = context.primary_image_handle().map_err(refusal)?;
        let size = Size::new(handle.width(), handle.height());
        limits.check_size(size.width, size.height)?;
        // The decoder's own planes, libheif's RGB, and our copy without gaps between the rows.
        limits.check_alloc(size.pixels().saturating_mul(3 + 4 + 4))?;
        let (chroma, channels, inks) = if handle.has_alpha_channel() {
            (RgbChroma::Rgba, 4, Inks::Rgba)
        } else {
            (RgbChroma::Rgb, 3, Inks::Rgb)
        };
        let image = handle.decode(ColorSpace::Rgb(chroma), None).map_err(refusal)?;
        let plane =
            image.planes().interleaved.ok_or_else(|| MediaError::corrupt("no pixels were decoded"))?;
        let (width, height) = (plane.width as usize, plane.height as usize);
        limits.check_size(plane.width, plane.height)?;
        let row_bytes = width * channels;
        if plane.stride < row_bytes {
            return Err(MediaError::corrupt("the decoded rows are too short"));
        }
        let mut data = Vec::with_capacity(row_bytes * height);
        for row in plane.data.chunks(plane.stride).take(height) {
            data.extend_from_slice(&row[..row_bytes]);
        }
        Ok((Plane::new(width, height, channels, data), inks))
    })
}

/// Writes an AVIF. One thread, so that equal input gives equal bytes and a worker's cores are its own.
pub(crate) fn encode_avif(pixels: &Plane, opaque: bool, quality: u8) -> Result<Vec<u8>, MediaError> {
    contained(|| avif(pixels, opaque, quality).map_err(failed))
}

fn avif(pixels: &Plane, opaque: bool, quality: u8) -> libheif_rs::Result<Vec<u8>> {
    let (width, height) = (pixels.width as u32, pixels.height as u32);
    let (chroma, channels) = if opaque { (RgbChroma::Rgb, 3) } else { (RgbChroma::Rgba, 4) };
    let mut image = Image::new(width, height, ColorSpace::Rgb(chroma))?;
    image.create_plane(Channel::Interleaved, width, height, 8)?;
    if let Some(plane) = image.planes_mut().interleaved {
        for (to, from) in plane.data.chunks_mut(plane.stride).zip(pixels.rows()) {
            for (to, from) in to.chunks_exact_mut(channels).zip(from.chunks_exact(4)) {
                to.copy_from_slice(&from[..channels]);
            }
        }
    }
    let mut context = HeifContext::new()?;
    let mut encoder = context.encoder_for_format(CompressionFormat::Av1)?;
    encoder.set_quality(EncoderQuality::Lossy(quality))?;
    encoder.set_parameter_value("speed", EncoderParameterValue::Int(AV1_SPEED))?;
    encoder.set_parameter_value("threads", EncoderParameterValue::Int(1))?;
    context.encode_image(&image, &mut encoder, None)?;
    context.write_to_bytes()
}

/// The TIFF structure of the EXIF item, which starts with its own offset and usually `Exif\0\0`.
fn exif(handle: &ImageHandle<'_>) -> Option<Vec<u8>> {
    let mut ids = [0];
    if handle.metadata_block_ids("Exif", &mut ids) == 0 {
        return None;
    }
    let block = handle.metadata(ids[0]).ok()?;
    let skip = u32::from_be_bytes(block.get(..4)?.try_into().ok()?) as usize;
    Some(block.get(skip.checked_add(4)?..)?.to_vec())
}

fn refusal(error: HeifError) -> MediaError {
    let text = error.message.to_ascii_lowercase();
    match error.sub_code {
        HeifErrorSubCode::EndOfData => MediaError::Truncated,
        _ if text.contains("end of data") || text.contains("end of file") => MediaError::Truncated,
        HeifErrorSubCode::UnsupportedCodec => MediaError::unsupported("a HEIF file with an unknown codec"),
        _ => MediaError::corrupt(error.message),
    }
}

fn failed(error: HeifError) -> MediaError {
    MediaError::Encode { format: "AVIF", detail: error.message }
}
