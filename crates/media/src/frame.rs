//! The picture between decoder and encoders.

use crate::MediaError;
use crate::color::{self, Profile};
use crate::ladder::Size;
use crate::orient::Turn;
use crate::plane::Plane;
use crate::resize::{Extent, Scaler};

/// What the channels of packed pixels mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inks {
    Gray,
    Rgb,
    Rgba,
    /// `inverted`: 255 means no ink, as Adobe writes it.
    Cmyk {
        inverted: bool,
    },
}

/// Pixels as a decoder left them: stored orientation, possibly larger than needed.
pub(crate) enum Pixels {
    /// Full-range BT.601 YCbCr in sRGB, any subsampling.
    Planar { luma: Plane, extent: Extent, chroma: Option<[Plane; 2]>, chroma_extent: Extent },
    /// Interleaved channels.
    Packed { plane: Plane, extent: Extent, inks: Inks },
}

/// A decoded source, with what is left to be done to it.
pub(crate) struct Decoded {
    pub(crate) pixels: Pixels,
    /// Profile to convert from; `None` where the pixels are sRGB already.
    pub(crate) profile: Option<Profile>,
    pub(crate) turn: Turn,
    pub(crate) degraded: Option<String>,
}

/// Opaque sRGB picture as full-range BT.601 planes at 4:2:0; gray has no chroma.
#[derive(Debug, Clone)]
pub(crate) struct Planar {
    pub(crate) luma: Plane,
    pub(crate) chroma: Option<[Plane; 2]>,
}

/// A picture of the cascade: displayed orientation, sRGB, exactly the size of a rung.
#[derive(Debug, Clone)]
pub(crate) enum Frame {
    Planar(Planar),
    /// RGBA, not premultiplied.
    Alpha(Plane),
}

impl Decoded {
    /// The first and largest picture of the cascade. Orientation and colour come here and not earlier,
    /// because here are the fewest pixels that still make every output.
    pub(crate) fn into_frame(self, displayed: Size, scaler: &mut Scaler) -> Result<Frame, MediaError> {
        let turn = self.turn;
        let stored = displayed.transposed_if(turn.transpose);
        let (width, height) = (stored.width as usize, stored.height as usize);
        match self.pixels {
            Pixels::Planar { luma, extent, chroma, chroma_extent } => {
                let luma = turn.apply(scaler.luma(luma, extent, width, height)?);
                let chroma = match chroma {
                    Some([blue, red]) => Some([
                        scaler.chroma(blue, chroma_extent, (width, height), turn)?,
                        scaler.chroma(red, chroma_extent, (width, height), turn)?,
                    ]),
                    None => None,
                };
                Ok(Frame::Planar(Planar { luma, chroma }))
            }
            Pixels::Packed { plane, extent, inks } => {
                let sized = match inks {
                    Inks::Rgba => scaler.alpha(plane, width, height)?,
                    _ => scaler.luma(plane, extent, width, height)?,
                };
                Ok(color::to_frame(sized, inks, self.profile.as_ref(), turn))
            }
        }
    }
}

impl Frame {
    pub(crate) fn size(&self) -> Size {
        let plane = match self {
            Self::Planar(planar) => &planar.luma,
            Self::Alpha(plane) => plane,
        };
        Size::new(plane.width as u32, plane.height as u32)
    }

    /// The next picture down the cascade.
    pub(crate) fn shrunk(self, size: Size, scaler: &mut Scaler) -> Result<Self, MediaError> {
        if self.size() == size {
            return Ok(self);
        }
        let (width, height) = (size.width as usize, size.height as usize);
        match self {
            Self::Alpha(plane) => Ok(Self::Alpha(scaler.alpha(plane, width, height)?)),
            Self::Planar(Planar { luma, chroma }) => {
                let upright = Turn::from_exif(1);
                let half = Extent { width: luma.width as f64 / 2.0, height: luma.height as f64 / 2.0 };
                let chroma = match chroma {
                    Some([blue, red]) => Some([
                        scaler.chroma(blue, half, (width, height), upright)?,
                        scaler.chroma(red, half, (width, height), upright)?,
                    ]),
                    None => None,
                };
                let extent = Extent::whole(&luma);
                let luma = scaler.luma(luma, extent, width, height)?;
                Ok(Self::Planar(Planar { luma, chroma }))
            }
        }
    }

    /// The picture without transparency, on white.
    pub(crate) fn flattened(&self) -> std::borrow::Cow<'_, Planar> {
        match self {
            Self::Planar(planar) => std::borrow::Cow::Borrowed(planar),
            Self::Alpha(plane) => std::borrow::Cow::Owned(color::rgb_to_planar(&color::on_white(plane))),
        }
    }

    /// RGBA, for encoders and hashes that want pixels.
    pub(crate) fn rgba(&self) -> std::borrow::Cow<'_, Plane> {
        match self {
            Self::Planar(planar) => std::borrow::Cow::Owned(color::planar_to_rgba(planar)),
            Self::Alpha(plane) => std::borrow::Cow::Borrowed(plane),
        }
    }
}
