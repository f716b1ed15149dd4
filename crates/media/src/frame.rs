//! The picture between decoder and encoders.

use crate::MediaError;
use crate::color::{self, Profile};
use crate::fine::Fine;
use crate::ladder::Size;
use crate::orient::Turn;
use crate::plane::Plane;
use crate::resize::{Extent, Scaler};

/// Colours of a source, per pixel and axis, from which a picture gets one for every pixel.
const FINE_SHARE: f64 = 0.9;
const UPRIGHT: Turn = Turn { flip_x: false, flip_y: false, transpose: false };

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
    /// Opaque, with a colour for every pixel.
    Fine(Fine),
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
                coloured(luma, chroma, chroma_extent, (width, height), turn, scaler)
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
            Self::Fine(fine) => &fine.luma,
            Self::Alpha(plane) => plane,
        };
        Size::new(plane.width as u32, plane.height as u32)
    }

    /// The part of this size whose upper left corner is at `left`, `top`, both even.
    pub(crate) fn cut(&self, (left, top): (usize, usize), size: Size) -> Self {
        let (width, height) = (size.width as usize, size.height as usize);
        let whole = |plane: &Plane| plane.cut(left, top, width, height);
        let half = |plane: &Plane| plane.cut(left / 2, top / 2, width.div_ceil(2), height.div_ceil(2));
        match self {
            Self::Planar(Planar { luma, chroma }) => {
                let chroma = chroma.as_ref().map(|planes| planes.each_ref().map(half));
                Self::Planar(Planar { luma: whole(luma), chroma })
            }
            Self::Fine(Fine { luma, chroma }) => {
                Self::Fine(Fine { luma: whole(luma), chroma: chroma.each_ref().map(whole) })
            }
            Self::Alpha(plane) => Self::Alpha(whole(plane)),
        }
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
                let half = Extent { width: luma.width as f64 / 2.0, height: luma.height as f64 / 2.0 };
                let luma = scaler.luma_whole(luma, width, height)?;
                coloured(luma, chroma, half, (width, height), UPRIGHT, scaler)
            }
            Self::Fine(Fine { luma, chroma }) => {
                let whole = Extent::whole(&luma);
                let luma = scaler.luma_whole(luma, width, height)?;
                coloured(luma, Some(chroma), whole, (width, height), UPRIGHT, scaler)
            }
        }
    }

    /// The picture without transparency, on white, at 4:2:0.
    pub(crate) fn flattened(&self) -> std::borrow::Cow<'_, Planar> {
        match self {
            Self::Planar(planar) => std::borrow::Cow::Borrowed(planar),
            Self::Fine(fine) => std::borrow::Cow::Owned(fine.subsampled()),
            Self::Alpha(plane) => std::borrow::Cow::Owned(color::rgb_to_planar(&color::on_white(plane))),
        }
    }

    /// RGBA, for encoders and hashes that want pixels.
    pub(crate) fn rgba(&self) -> std::borrow::Cow<'_, Plane> {
        match self {
            Self::Alpha(plane) => std::borrow::Cow::Borrowed(plane),
            Self::Planar(_) | Self::Fine(_) => {
                std::borrow::Cow::Owned(color::planar_to_rgba(&self.flattened()))
            }
        }
    }
}

/// `luma` with its colours: one for every pixel where the source has nearly as many, one for four where it has not.
/// `size` is in the source's axes, and `luma` is turned already.
fn coloured(
    luma: Plane,
    chroma: Option<[Plane; 2]>,
    extent: Extent,
    (width, height): (usize, usize),
    turn: Turn,
    scaler: &mut Scaler,
) -> Result<Frame, MediaError> {
    let Some([blue, red]) = chroma else { return Ok(Frame::Planar(Planar { luma, chroma: None })) };
    if extent.width >= FINE_SHARE * width as f64 && extent.height >= FINE_SHARE * height as f64 {
        let mut fine = |plane| Ok::<_, MediaError>(turn.apply(scaler.luma(plane, extent, width, height)?));
        return Ok(Frame::Fine(Fine { luma, chroma: [fine(blue)?, fine(red)?] }));
    }
    let mut half = |plane| scaler.chroma(plane, extent, (width, height), turn);
    Ok(Frame::Planar(Planar { luma, chroma: Some([half(blue)?, half(red)?]) }))
}
