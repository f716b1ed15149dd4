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
}
