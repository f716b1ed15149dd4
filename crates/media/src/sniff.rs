//! What kind of file this is, by its first bytes and nothing else: names and declared types lie.

use serde::{Deserialize, Serialize};

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

/// Tells the kind from the first bytes; 64 are enough for every kind.
#[must_use]
pub fn sniff(head: &[u8]) -> Option<SourceKind> {
    if head.starts_with(&[0xFF, 0xD8, 0xFF]) {
        return Some(SourceKind::Jpeg);
    }
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some(SourceKind::Png);
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return Some(SourceKind::WebP);
    }
    if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
        return Some(SourceKind::Gif);
    }
    if head.starts_with(b"II\x2a\x00") || head.starts_with(b"MM\x00\x2a") {
        return Some(SourceKind::Tiff);
    }
    if head.get(4..8) == Some(b"ftyp") {
        return sniff_brands(head);
    }
    None
}

/// Of a TIFF file: this picture is a smaller one of another in the file, if its lowest bit is set.
const NEW_SUBFILE_TYPE: u16 = 254;
/// Of a TIFF file: it is Adobe's raw format.
const DNG_VERSION: u16 = 50_706;

/// Whether this is what a camera's sensor recorded. Such files are TIFF with a small picture first, which is not the
/// photograph.
pub(crate) fn is_raw(source: &[u8]) -> bool {
    let is_little = source.starts_with(b"II\x2a\x00");
    if !is_little && !source.starts_with(b"MM\x00\x2a") {
        return false;
    }
    let says_so = |(tag, value): (u16, u32)| match tag {
        NEW_SUBFILE_TYPE => value & 1 == 1,
        DNG_VERSION => true,
        _ => false,
    };
    source.get(8..10) == Some(b"CR")
        || first_directory(source, is_little).is_some_and(|mut tags| tags.any(says_so))
}

/// Tags of the first picture of a TIFF file with their values, as far as they are there.
fn first_directory(tiff: &[u8], is_little: bool) -> Option<impl Iterator<Item = (u16, u32)>> {
    let short = move |at: usize| {
        let bytes: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = move |at: usize| {
        let bytes: [u8; 4] = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let at = long(4)? as usize;
    let entries = (0..usize::from(short(at)?)).map(move |nth| at + 2 + nth * 12);
    Some(entries.map_while(move |entry| Some((short(entry)?, long(entry + 8)?))))
}

/// The major brand decides; `mif1` and `msf1` only say "some HEIF", so then the compatible brands do.
fn sniff_brands(head: &[u8]) -> Option<SourceKind> {
    let box_len = u32::from_be_bytes(head.get(..4)?.try_into().ok()?) as usize;
    let brands = head.get(8..box_len.min(head.len()).min(64))?;
    let major = brands.chunks_exact(4).take(1);
    let compatible = brands.chunks_exact(4).skip(2);
    major.chain(compatible).find_map(|brand| match brand {
        b"avif" | b"avis" => Some(SourceKind::Avif),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Some(SourceKind::Heic),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_by_its_magic() {
        assert_eq!(sniff(b"\xFF\xD8\xFF\xE0"), Some(SourceKind::Jpeg));
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n"), Some(SourceKind::Png));
        assert_eq!(sniff(b"RIFF\0\0\0\0WEBPVP8 "), Some(SourceKind::WebP));
        assert_eq!(sniff(b"GIF89a"), Some(SourceKind::Gif));
        assert_eq!(sniff(b"MM\x00\x2a"), Some(SourceKind::Tiff));
        assert_eq!(sniff(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"), Some(SourceKind::Heic));
        assert_eq!(sniff(b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf"), Some(SourceKind::Avif));
    }

    #[test]
    fn a_film_or_a_page_is_nothing() {
        assert_eq!(sniff(b""), None);
        assert_eq!(sniff(b"<!doctype html><img src=x.jpg>"), None);
        assert_eq!(sniff(b"\0\0\0\x18ftypisom\0\0\0\0isommp41"), None);
        assert_eq!(sniff(b"RIFF\0\0\0\0WAVE"), None);
    }

    /// A TIFF file with one entry in its first directory.
    fn tiff(is_little: bool, tag: u16, value: u32) -> Vec<u8> {
        let short = |number: u16| if is_little { number.to_le_bytes() } else { number.to_be_bytes() };
        let long = |number: u32| if is_little { number.to_le_bytes() } else { number.to_be_bytes() };
        let mut file = if is_little { b"II\x2a\0".to_vec() } else { b"MM\0\x2a".to_vec() };
        file.extend(long(8));
        for number in [1, tag, 4] {
            file.extend(short(number));
        }
        file.extend(long(1));
        file.extend(long(value));
        file
    }

    #[test]
    fn what_a_camera_recorded_is_no_picture() {
        for is_little in [true, false] {
            assert!(is_raw(&tiff(is_little, NEW_SUBFILE_TYPE, 1)), "NEF has a small picture first");
            assert!(is_raw(&tiff(is_little, DNG_VERSION, 0x0401)), "DNG says what it is");
            assert!(!is_raw(&tiff(is_little, NEW_SUBFILE_TYPE, 0)));
            assert!(!is_raw(&tiff(is_little, 256, 1)));
        }
        assert!(is_raw(b"II\x2a\0\x10\0\0\0CR\x02\0"), "CR2 says what it is");
        for cut in 0..22 {
            assert!(!is_raw(&tiff(true, 256, 1)[..cut]), "{cut}");
        }
        assert!(!is_raw(b"II\x2a\0\xff\xff\xff\xff"));
    }
}
