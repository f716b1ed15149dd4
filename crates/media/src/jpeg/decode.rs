//! Decoding through TurboJPEG, scaled, planar where the planes can be used as they are.

use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor, Subsamp, YuvImage};

use super::header::Header;
use crate::frame::{Inks, Pixels};
use crate::ladder::Size;
use crate::plane::Plane;
use crate::resize::Extent;
use crate::{Limits, MediaError};

/// Decoded pixels, and what was wrong with the file where a tolerant reading could do without it.
pub(crate) struct Jpeg {
    pub(crate) pixels: Pixels,
    pub(crate) degraded: Option<String>,
}

/// How TurboJPEG's complaint is to be taken.
enum Trouble {
    Truncated,
    TooManyScans,
    /// The whole picture was decoded, with damage in it.
    Warning(String),
    Fatal(String),
}

/// Decodes at the smallest scale that still covers `need` (stored axes). `planar` asks for YCbCr planes and
/// is honoured where the subsampling allows.
pub(crate) fn decode(
    source: &[u8],
    header: &Header,
    need: Size,
    planar: bool,
    limits: &Limits,
) -> Result<Jpeg, MediaError> {
    let size = header.size.unwrap_or(Size::new(0, 0));
    let denominator = shrink(size, need);
    match turbo(source, header, denominator, planar, limits) {
        Ok(jpeg) => Ok(jpeg),
        Err(Attempt::Refused(error)) => Err(error),
        Err(Attempt::Failed(trouble)) => match trouble {
            Trouble::Truncated => Err(MediaError::Truncated),
            Trouble::TooManyScans => {
                let detail = format!("more than {} progressive scans", limits.jpeg_scans_max);
                Err(MediaError::OutOfBudget { detail })
            }
            Trouble::Warning(detail) | Trouble::Fatal(detail) => tolerant(source, limits, detail),
        },
    }
}

/// 1, 2, 4 or 8: other factors have no fast inverse transform and save nothing.
fn shrink(size: Size, need: Size) -> u32 {
    let covers = |by: &u32| size.width >= need.width * by && size.height >= need.height * by;
    [8, 4, 2].into_iter().find(covers).unwrap_or(1)
}

enum Attempt {
    Refused(MediaError),
    Failed(Trouble),
}

impl From<MediaError> for Attempt {
    fn from(error: MediaError) -> Self {
        Self::Refused(error)
    }
}

impl From<turbojpeg::Error> for Attempt {
    fn from(error: turbojpeg::Error) -> Self {
        Self::Failed(classify(error))
    }
}

fn turbo(
    source: &[u8],
    header: &Header,
    denominator: u32,
    planar: bool,
    limits: &Limits,
) -> Result<Jpeg, Attempt> {
    let mut decoder = Decompressor::new()?;
    // Zero would mean "no limit" to TurboJPEG.
    decoder.set_scan_limit(limits.jpeg_scans_max.max(1))?;
    let known = decoder.read_header(source)?;
    decoder.set_scaling_factor(ScalingFactor::new(1, denominator as usize))?;
    let scaled = known.scaled(decoder.scaling_factor());
    let canvas = Canvas { width: scaled.width, height: scaled.height, denominator: f64::from(denominator) };
    let planar = planar && known.subsamp != Subsamp::Unknown;
    let channels = match header.components.len() {
        _ if planar => 3,
        1 => 1,
        3 => 3,
        _ => 4,
    };
    limits.check_alloc(cost(header, scaled.width as u64 * scaled.height as u64 * channels))?;
    let (pixels, done) = if planar {
        canvas.planes(&mut decoder, source, header, known.subsamp)?
    } else {
        canvas.packed(&mut decoder, source, header)
    };
    let degraded = match done.map_err(classify) {
        Ok(()) => None,
        // The buffer is complete: TurboJPEG goes on after a warning and reports it at the end.
        Err(Trouble::Warning(detail)) => Some(detail),
        Err(trouble) => return Err(Attempt::Failed(trouble)),
    };
    Ok(Jpeg { pixels, degraded })
}

/// Output buffer, and for a progressive file the coefficients of the whole picture, two bytes each.
fn cost(header: &Header, output: u64) -> u64 {
    let size = header.size.unwrap_or(Size::new(0, 0));
    let coefficients =
        if header.progressive { size.pixels() * header.components.len() as u64 * 2 } else { 0 };
    output + coefficients
}

/// The scaled picture TurboJPEG is to fill.
struct Canvas {
    width: usize,
    height: usize,
    denominator: f64,
}

type Filled = (Pixels, turbojpeg::Result<()>);

impl Canvas {
    /// Size of the picture in scaled samples; the last column and row may be picture only in part.
    fn extent(&self, header: &Header) -> Extent {
        let size = header.size.unwrap_or(Size::new(1, 1));
        Extent {
            width: f64::from(size.width) / self.denominator,
            height: f64::from(size.height) / self.denominator,
        }
    }

    fn planes(
        &self,
        decoder: &mut Decompressor,
        source: &[u8],
        header: &Header,
        subsamp: Subsamp,
    ) -> turbojpeg::Result<Filled> {
        let length = turbojpeg::yuv_pixels_len(self.width, 1, self.height, subsamp)?;
        let (width, height) = (self.width, self.height);
        let mut image = YuvImage { pixels: vec![0; length], width, align: 1, height, subsamp };
        let done = decoder.decompress_to_yuv(source, image.as_deref_mut());
        let ((y_width, y_height), (c_width, c_height)) = (image.y_size(), image.uv_size());
        let mut luma = image.pixels;
        let extent = self.extent(header);
        let chroma = (subsamp != Subsamp::Gray).then(|| {
            let mut first = luma.split_off(y_width * y_height);
            let mut second = first.split_off(c_width * c_height);
            second.truncate(c_width * c_height);
            [Plane::new(c_width, c_height, 1, first), Plane::new(c_width, c_height, 1, second)]
        });
        let chroma_extent = Extent {
            width: extent.width / subsamp.width() as f64,
            height: extent.height / subsamp.height() as f64,
        };
        luma.truncate(y_width * y_height);
        let luma = Plane::new(y_width, y_height, 1, luma);
        Ok((Pixels::Planar { luma, extent, chroma, chroma_extent }, done))
    }

    fn packed(&self, decoder: &mut Decompressor, source: &[u8], header: &Header) -> Filled {
        let (format, inks) = match header.components.len() {
            1 => (PixelFormat::GRAY, Inks::Gray),
            3 => (PixelFormat::RGB, Inks::Rgb),
            // Adobe stores the inks inverted; without its marker they are as the standard says.
            _ => (PixelFormat::CMYK, Inks::Cmyk { inverted: header.adobe.is_some() }),
        };
        let (width, height) = (self.width, self.height);
        let pitch = width * format.size();
        let mut image = Image { pixels: vec![0; pitch * height], width, pitch, height, format };
        let done = decoder.decompress(source, image.as_deref_mut());
        let plane = Plane::new(width, height, format.size(), image.pixels);
        (Pixels::Packed { plane, extent: self.extent(header), inks }, done)
    }
}

/// How the messages of libjpeg's recoverable complaints begin.
const WARNINGS: [&str; 5] = [
    "Corrupt JPEG data",
    "Inconsistent progression",
    "Warning:",
    "Unknown Adobe color transform",
    "Invalid SOS parameters",
];

fn classify(error: turbojpeg::Error) -> Trouble {
    let turbojpeg::Error::TurboJpegError(message) = error else {
        return Trouble::Fatal(error.to_string());
    };
    if message.starts_with("Premature end of JPEG file") {
        Trouble::Truncated
    } else if message.contains("has more than") && message.contains("scans") {
        Trouble::TooManyScans
    } else if WARNINGS.iter().any(|warning| message.starts_with(warning)) {
        Trouble::Warning(message)
    } else {
        Trouble::Fatal(message)
    }
}

/// The second and last attempt, with a decoder that fills in what it cannot read.
fn tolerant(source: &[u8], limits: &Limits, detail: String) -> Result<Jpeg, MediaError> {
    let (plane, inks) = crate::raster::tolerant_jpeg(source, limits).map_err(|error| match error {
        MediaError::Corrupt { .. } => MediaError::Corrupt { detail: detail.clone() },
        other => other,
    })?;
    let extent = Extent::whole(&plane);
    Ok(Jpeg { pixels: Pixels::Packed { plane, extent, inks }, degraded: Some(detail) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_covers_the_need() {
        assert_eq!(shrink(Size::new(6000, 4000), Size::new(2048, 1365)), 2);
        assert_eq!(shrink(Size::new(6000, 4000), Size::new(3072, 2048)), 1);
        assert_eq!(shrink(Size::new(6000, 4000), Size::new(320, 213)), 8);
        assert_eq!(shrink(Size::new(300, 200), Size::new(300, 200)), 1);
    }
}
