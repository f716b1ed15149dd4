//! The kinds of pictures that are opened here.

use serde::{Deserialize, Serialize};
use sniff::Kind;

/// A format we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// JPEG, 8 bits, baseline or progressive.
    Jpeg,
    /// PNG, any depth; of an animated one the default image.
    Png,
    /// WebP; of an animated one the first frame.
    WebP,
    /// GIF, the first frame.
    Gif,
    /// TIFF, the first page.
    Tiff,
    /// HEIC, as phones write it; the primary image.
    Heic,
    /// AVIF, the primary image.
    Avif,
}

impl SourceKind {
    /// Tells the kind from the first bytes; none where it is no picture.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        match sniff::kind(head)? {
            Kind::Jpeg => Some(Self::Jpeg),
            Kind::Png => Some(Self::Png),
            Kind::WebP => Some(Self::WebP),
            Kind::Gif => Some(Self::Gif),
            Kind::Tiff => Some(Self::Tiff),
            Kind::Heic => Some(Self::Heic),
            Kind::Avif => Some(Self::Avif),
            Kind::Mp4 | Kind::QuickTime | Kind::Matroska | Kind::WebM | Kind::Avi | Kind::Mpeg => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_or_a_page_is_no_picture() {
        assert_eq!(SourceKind::of(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"), Some(SourceKind::Heic));
        assert_eq!(SourceKind::of(b"<!doctype html><img src=x.jpg>"), None);
        assert_eq!(SourceKind::of(b"\0\0\0\x18ftypisom\0\0\0\0isommp41"), None);
        assert_eq!(SourceKind::of(b"RIFF\0\0\0\0AVI "), None);
    }
}
