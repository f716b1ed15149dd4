//! What a file is, by its first bytes. Names and declared types are never asked.

/// How many bytes are looked at, at most: a camera's directory of tags is within.
pub(crate) const PREFIX_BYTES: u64 = 4 * 1024;
/// How many of them name the kind of a document.
const HEADER_BYTES: usize = 64;

/// Pictures and films that may be uploaded.
pub(crate) const ACCEPTED: [&str; 13] = [
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/tiff",
    "image/heic",
    "image/avif",
    "video/mp4",
    "video/quicktime",
    "video/x-matroska",
    "video/webm",
    "video/x-msvideo",
    "video/mpeg",
];

/// The media type of a picture or a film that begins with `prefix`; none when it is neither, or not accepted.
pub(crate) fn media_type(prefix: &[u8]) -> Option<&'static str> {
    match prefix {
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        // Little-endian, big-endian. BigTIFF (43) is not decoded, so it is not taken in.
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some("image/tiff"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Some("video/x-msvideo"),
        [0, 0, 1, 0xBA, ..] => Some("video/mpeg"),
        [0x1A, 0x45, 0xDF, 0xA3, rest @ ..] => matroska(rest),
        _ if prefix.len() >= 12 && &prefix[4..8] == b"ftyp" => iso_brands(prefix),
        _ => None,
    }
}

/// Of a TIFF file: this picture is a smaller one of another in the file, if its lowest bit is set.
const NEW_SUBFILE_TYPE: u16 = 254;
/// Of a TIFF file: it is Adobe's raw format.
const DNG_VERSION: u16 = 50_706;

/// Whether this is what a camera's sensor recorded: TIFF with a small picture first, which is not the photograph.
pub(crate) fn is_raw(prefix: &[u8]) -> bool {
    let is_little = prefix.starts_with(b"II\x2a\x00");
    if !is_little && !prefix.starts_with(b"MM\x00\x2a") {
        return false;
    }
    let says_so = |(tag, value): (u16, u32)| match tag {
        NEW_SUBFILE_TYPE => value & 1 == 1,
        DNG_VERSION => true,
        _ => false,
    };
    prefix.get(8..10) == Some(b"CR")
        || first_directory(prefix, is_little).is_some_and(|mut tags| tags.any(says_so))
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

/// ISO base media: the major brand decides, then the compatible ones in order.
fn iso_brands(prefix: &[u8]) -> Option<&'static str> {
    let size = u32::from_be_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]) as usize;
    let end = size.min(prefix.len()).min(HEADER_BYTES);
    let major = prefix[8..12].as_ref();
    let compatible = prefix.get(16..end).unwrap_or_default().chunks_exact(4);
    std::iter::once(major).chain(compatible).find_map(|brand| match brand {
        b"avif" | b"avis" => Some("image/avif"),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Some("image/heic"),
        b"qt  " => Some("video/quicktime"),
        b"isom" | b"iso2" | b"iso4" | b"iso5" | b"iso6" | b"mp41" | b"mp42" | b"avc1" | b"M4V " | b"MSNV" => {
            Some("video/mp4")
        }
        [b'3', b'g', b'p' | b'2', _] => Some("video/mp4"),
        _ => None,
    })
}

/// The header of Matroska names the kind of document; WebM is one.
fn matroska(header: &[u8]) -> Option<&'static str> {
    let header = &header[..header.len().min(HEADER_BYTES)];
    let holds = |name: &[u8]| header.windows(name.len()).any(|window| window == name);
    if holds(b"webm") { Some("video/webm") } else { holds(b"matroska").then_some("video/x-matroska") }
}

#[cfg(test)]
mod tests {
    use super::{DNG_VERSION, NEW_SUBFILE_TYPE, is_raw, media_type};

    #[test]
    fn pictures_and_films_are_known_by_their_first_bytes() {
        let cases: [(&[u8], &str); 16] = [
            (b"\xFF\xD8\xFF\xE0\x00\x10JFIF", "image/jpeg"),
            (b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
            (b"GIF89a\x01\x00", "image/gif"),
            (b"II*\0\x08\0\0\0", "image/tiff"),
            (b"MM\0*\0\0\0\x08", "image/tiff"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "image/avif"),
            (b"\0\0\0\x14ftypavif\0\0\0\0", "image/avif"),
            (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", "video/mp4"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "video/quicktime"),
            (b"\0\0\0\x14ftyp3gp4\0\0\0\0", "video/mp4"),
            (b"\x1A\x45\xDF\xA3\xA3\x42\x86\x81\x01\x42\x82\x88matroska", "video/x-matroska"),
            (b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"),
            (b"RIFF\x10\0\0\0AVI LIST", "video/x-msvideo"),
            (b"\0\0\x01\xBA\x44\0", "video/mpeg"),
        ];
        for (prefix, expected) in cases {
            assert_eq!(media_type(prefix), Some(expected));
        }
    }

    #[test]
    fn everything_else_is_refused() {
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
            assert_eq!(media_type(prefix), None, "{prefix:?}");
        }
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
