//! What a source is, from its header alone.

use serde::{Deserialize, Serialize};

use crate::color::Profile;
use crate::frame::{Decoded, Inks, Pixels};
use crate::jpeg::Header;
use crate::ladder::Size;
use crate::orient::Turn;
use crate::resize::Extent;
use crate::rights::{Blocks, Mark};
use crate::shot::{self, Position, Shot};
use crate::{Limits, MediaError, SourceKind, exif, heif, jpeg, raster};

/// What a source is and how it is displayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Kind of file.
    pub kind: SourceKind,
    /// Width as displayed, after orientation.
    pub width: u32,
    /// Height as displayed, after orientation.
    pub height: u32,
    /// EXIF orientation, 1 to 8. For HEIC and AVIF always 1: their decoder turns the picture itself.
    pub orientation: u8,
    /// True where the file has an alpha channel, used or not.
    pub has_alpha: bool,
    /// Colour model, such as `YCbCr 4:2:0`, `CMYK`, `Gray`, `RGBA 16-bit`.
    pub color: String,
    /// Description of the embedded ICC profile.
    pub icc: Option<String>,
    /// Copyright notice, from EXIF, IPTC or XMP.
    pub copyright: Option<String>,
    /// Credit line: EXIF artist, IPTC credit or by-line, XMP credit or creator.
    pub credit: Option<String>,
}

/// Reads the header of a source and holds it against the limits. Cheap: no pixels are decoded, and nothing of
/// the picture's size is allocated.
pub fn probe(source: &[u8], limits: &Limits) -> Result<Probe, MediaError> {
    Opened::open(source, limits).map(|opened| opened.probe)
}

/// Everything that is known of a source without decoding it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inspected {
    /// What it is.
    pub probe: Probe,
    /// How it was taken.
    pub shot: Shot,
    /// Where it was taken. Personal: to be kept apart from everything else.
    pub position: Option<Position>,
}

/// Reads the header of a source, and what its camera wrote down. As cheap as [`probe`].
pub fn inspect(source: &[u8], limits: &Limits) -> Result<Inspected, MediaError> {
    let opened = Opened::open(source, limits)?;
    let tiff = if opened.probe.kind == SourceKind::Tiff { Some(source.to_vec()) } else { opened.exif };
    let (shot, position) = tiff.map(shot::read).unwrap_or_default();
    Ok(Inspected { probe: opened.probe, shot, position })
}

/// A source whose header has been read and accepted.
pub(crate) struct Opened<'a> {
    pub(crate) probe: Probe,
    pub(crate) mark: Mark,
    exif: Option<Vec<u8>>,
    source: &'a [u8],
    container: Container,
    profile: Option<Profile>,
}

enum Container {
    Jpeg(Box<Header>),
    Raster,
    Heif,
}

/// What every kind of header comes down to.
struct Facts {
    stored: Size,
    has_alpha: bool,
    color: String,
    icc: Option<Vec<u8>>,
    blocks: Blocks,
    container: Container,
}

impl<'a> Opened<'a> {
    pub(crate) fn open(source: &'a [u8], limits: &Limits) -> Result<Self, MediaError> {
        limits.check_bytes(source)?;
        if sniff::is_raw(source) {
            return Err(MediaError::unsupported(
                "it is what a camera's sensor recorded, to be developed first",
            ));
        }
        let kind = SourceKind::of(source).ok_or_else(|| MediaError::unsupported(describe(source)))?;
        let facts = match kind {
            SourceKind::Jpeg => jpeg_facts(source, limits)?,
            SourceKind::Heic | SourceKind::Avif => {
                let header = heif::read_header(source, limits)?;
                Facts {
                    stored: header.size,
                    has_alpha: header.has_alpha,
                    color: header.color,
                    icc: header.icc,
                    blocks: header.blocks,
                    container: Container::Heif,
                }
            }
            _ => {
                let header = raster::read_header(source, kind, limits)?;
                Facts {
                    stored: header.size,
                    has_alpha: header.has_alpha,
                    color: header.color,
                    icc: header.icc,
                    blocks: header.blocks,
                    container: Container::Raster,
                }
            }
        };
        Ok(Self::new(source, kind, facts))
    }

    fn new(source: &'a [u8], kind: SourceKind, facts: Facts) -> Self {
        // A TIFF file is itself the structure that EXIF borrows.
        let tiff = if kind == SourceKind::Tiff { Some(source) } else { facts.blocks.exif.as_deref() };
        let tags = tiff.map(exif::parse).unwrap_or_default();
        let orientation = match facts.container {
            Container::Heif => 1,
            _ => tags.orientation.unwrap_or(1),
        };
        let mark = Mark::find(&tags, &facts.blocks);
        let displayed = facts.stored.transposed_if(Turn::from_exif(orientation).transpose);
        let profile = facts.icc.as_deref().and_then(Profile::parse);
        let probe = Probe {
            kind,
            width: displayed.width,
            height: displayed.height,
            orientation,
            has_alpha: facts.has_alpha,
            color: facts.color,
            icc: profile.as_ref().and_then(|profile| profile.description.clone()),
            copyright: mark.copyright.clone(),
            credit: mark.credit.clone(),
        };
        let profile = profile.filter(|profile| !profile.is_srgb());
        Self { probe, mark, exif: facts.blocks.exif, source, container: facts.container, profile }
    }

    pub(crate) fn displayed(&self) -> Size {
        Size::new(self.probe.width, self.probe.height)
    }

    /// The one decode, just large enough for `largest` (displayed axes).
    pub(crate) fn decode(self, largest: Size, limits: &Limits) -> Result<Decoded, MediaError> {
        let turn = Turn::from_exif(self.probe.orientation);
        let profile = self.profile;
        let whole = |(plane, inks): (crate::plane::Plane, Inks)| {
            let extent = Extent::whole(&plane);
            Pixels::Packed { plane, extent, inks }
        };
        match &self.container {
            Container::Jpeg(header) => {
                // YCbCr planes are only sRGB if no profile says otherwise, and RGB or inks have no planes.
                let planes = match header.components.len() {
                    1 => true,
                    3 => !header.is_rgb(),
                    _ => false,
                };
                let need = largest.transposed_if(turn.transpose);
                let planar = planes && profile.is_none();
                let decoded = jpeg::decode(self.source, header, need, planar, limits)?;
                Ok(Decoded { pixels: decoded.pixels, profile, turn, degraded: decoded.degraded })
            }
            Container::Raster => {
                let pixels = whole(raster::decode(self.source, self.probe.kind, limits)?);
                Ok(Decoded { pixels, profile, turn, degraded: None })
            }
            Container::Heif => {
                let pixels = whole(heif::decode(self.source, limits)?);
                Ok(Decoded { pixels, profile, turn, degraded: None })
            }
        }
    }
}

fn jpeg_facts(source: &[u8], limits: &Limits) -> Result<Facts, MediaError> {
    let mut header = Header::read(source)?;
    let stored = header.size.unwrap_or(Size::new(0, 0));
    limits.check_size(stored.width, stored.height)?;
    if !jpeg::has_end(source, &header) {
        return Err(MediaError::Truncated);
    }
    Ok(Facts {
        stored,
        has_alpha: false,
        color: header.color(),
        icc: header.icc.take(),
        blocks: std::mem::take(&mut header.blocks),
        container: Container::Jpeg(Box::new(header)),
    })
}

/// A word about bytes that are no picture, for the message.
fn describe(source: &[u8]) -> &'static str {
    let head = &source[..source.len().min(256)];
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    if head.is_empty() {
        "the file is empty"
    } else if text.contains("<html") || text.contains("<!doctype") {
        "it is a web page"
    } else if text.contains("<svg") {
        "it is an SVG drawing"
    } else if head.starts_with(b"%PDF") {
        "it is a PDF"
    } else if head.get(4..8) == Some(b"ftyp") {
        "it is a film, or a HEIF of an unknown brand"
    } else {
        "its first bytes are of no known kind"
    }
}
