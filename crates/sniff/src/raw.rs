//! What a camera's sensor recorded: TIFF that is not a photograph yet.

/// Of a TIFF file: this picture is a smaller one of another in the file, if its lowest bit is set.
const NEW_SUBFILE_TYPE: u16 = 254;
/// Of a TIFF file: it is Adobe's raw format.
const DNG_VERSION: u16 = 50_706;

/// Whether this is what a camera's sensor recorded. Such files are TIFF with a small picture first, which is not the
/// photograph.
#[must_use]
pub fn is_raw(prefix: &[u8]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

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
