//! What kind of file this is, by its first bytes and nothing else: names and declared types lie.
//!
//! Pure, and without an opinion of what to do with it: whoever takes files in and whoever opens them ask the same question,
//! and get the same answer.

mod raw;

pub use raw::is_raw;

/// How many bytes are worth looking at: a camera's directory of tags is within.
pub const PREFIX_BYTES: u64 = 4 * 1024;
/// How many of them name the kind.
const HEADER_BYTES: usize = 64;

/// A kind of picture or film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    WebP,
    /// GIF.
    Gif,
    /// TIFF, which may be what a camera's sensor recorded: see [`is_raw`].
    Tiff,
    /// HEIC, as phones write it.
    Heic,
    /// AVIF.
    Avif,
    /// MP4 and 3GP.
    Mp4,
    /// MOV.
    QuickTime,
    /// MKV.
    Matroska,
    /// WebM.
    WebM,
    /// AVI.
    Avi,
    /// An MPEG program stream.
    Mpeg,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Jpeg,
        Self::Png,
        Self::WebP,
        Self::Gif,
        Self::Tiff,
        Self::Heic,
        Self::Avif,
        Self::Mp4,
        Self::QuickTime,
        Self::Matroska,
        Self::WebM,
        Self::Avi,
        Self::Mpeg,
    ];

    /// As `Content-Type` says it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Tiff => "image/tiff",
            Self::Heic => "image/heic",
            Self::Avif => "image/avif",
            Self::Mp4 => "video/mp4",
            Self::QuickTime => "video/quicktime",
            Self::Matroska => "video/x-matroska",
            Self::WebM => "video/webm",
            Self::Avi => "video/x-msvideo",
            Self::Mpeg => "video/mpeg",
        }
    }
}

/// The kind of a picture or a film that begins with `prefix`; none when it is neither, or of no kind that is read.
#[must_use]
pub fn kind(prefix: &[u8]) -> Option<Kind> {
    match prefix {
        [0xFF, 0xD8, 0xFF, ..] => Some(Kind::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Kind::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Kind::Gif),
        // Little-endian, big-endian. BigTIFF (43) is not decoded.
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(Kind::Tiff),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Kind::WebP),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Some(Kind::Avi),
        [0, 0, 1, 0xBA, ..] => Some(Kind::Mpeg),
        [0x1A, 0x45, 0xDF, 0xA3, rest @ ..] => matroska(rest),
        [a, b, c, d, b'f', b't', b'y', b'p', brands @ ..] => {
            iso_brands(u32::from_be_bytes([*a, *b, *c, *d]) as usize, brands)
        }
        _ => None,
    }
}

/// ISO base media: the major brand decides, then the compatible ones in order, as far as the box of `size` bytes reaches.
fn iso_brands(size: usize, brands: &[u8]) -> Option<Kind> {
    let end = size.min(HEADER_BYTES).saturating_sub(8).min(brands.len());
    let major = brands.get(..4);
    let compatible = brands.get(8..end).unwrap_or_default().chunks_exact(4);
    major.into_iter().chain(compatible).find_map(|brand| match brand {
        b"avif" | b"avis" => Some(Kind::Avif),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Some(Kind::Heic),
        b"qt  " => Some(Kind::QuickTime),
        b"isom" | b"iso2" | b"iso4" | b"iso5" | b"iso6" | b"mp41" | b"mp42" | b"avc1" | b"M4V " | b"MSNV" => {
            Some(Kind::Mp4)
        }
        [b'3', b'g', b'p' | b'2', _] => Some(Kind::Mp4),
        _ => None,
    })
}

/// The header of Matroska names the kind of document; WebM is one.
fn matroska(header: &[u8]) -> Option<Kind> {
    let header = &header[..header.len().min(HEADER_BYTES)];
    let holds = |name: &[u8]| header.windows(name.len()).any(|window| window == name);
    if holds(b"webm") { Some(Kind::WebM) } else { holds(b"matroska").then_some(Kind::Matroska) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_and_films_are_known_by_their_first_bytes() {
        let cases: [(&[u8], Kind); 16] = [
            (b"\xFF\xD8\xFF\xE0\x00\x10JFIF", Kind::Jpeg),
            (b"\x89PNG\r\n\x1a\n\0\0", Kind::Png),
            (b"GIF89a\x01\x00", Kind::Gif),
            (b"II*\0\x08\0\0\0", Kind::Tiff),
            (b"MM\0*\0\0\0\x08", Kind::Tiff),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Kind::WebP),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Kind::Heic),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", Kind::Avif),
            (b"\0\0\0\x14ftypavif\0\0\0\0", Kind::Avif),
            (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", Kind::Mp4),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", Kind::QuickTime),
            (b"\0\0\0\x14ftyp3gp4\0\0\0\0", Kind::Mp4),
            (b"\x1A\x45\xDF\xA3\xA3\x42\x86\x81\x01\x42\x82\x88matroska", Kind::Matroska),
            (b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\x82\x84webm", Kind::WebM),
            (b"RIFF\x10\0\0\0AVI LIST", Kind::Avi),
            (b"\0\0\x01\xBA\x44\0", Kind::Mpeg),
        ];
        for (prefix, expected) in cases {
            assert_eq!(kind(prefix), Some(expected));
            assert!(Kind::ALL.contains(&expected));
        }
    }

    #[test]
    fn everything_else_is_nothing() {
        let cases: [&[u8]; 9] = [
            b"",
            b"\xFF\xD8",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\">",
            b"%PDF-1.7",
            b"RIFF\x10\0\0\0WAVEfmt ",
            b"\x1A\x45\xDF\xA3\x9F\x42\x86",
            b"\xFF\xFF\xFF\xFFftyp",
            b"\0\0\0\0ftypmif1",
            b"<!doctype html><script>",
        ];
        for prefix in cases {
            assert_eq!(kind(prefix), None, "{prefix:?}");
        }
    }

    #[test]
    fn no_two_kinds_share_a_media_type() {
        let mut types = Kind::ALL.map(Kind::media_type).to_vec();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types.len(), Kind::ALL.len());
    }
}
