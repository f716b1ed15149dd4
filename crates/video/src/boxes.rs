//! The little of MP4's box structure that playlists need: where the first picture of a fragment ends.

/// Flags of a `tfhd`: which optional fields it has.
const TFHD_BASE_DATA_OFFSET: u32 = 0x01;
const TFHD_DESCRIPTION_INDEX: u32 = 0x02;
const TFHD_DEFAULT_DURATION: u32 = 0x08;
const TFHD_DEFAULT_SIZE: u32 = 0x10;
/// Flags of a `trun`.
const TRUN_DATA_OFFSET: u32 = 0x001;
const TRUN_FIRST_FLAGS: u32 = 0x004;
const TRUN_DURATIONS: u32 = 0x100;
const TRUN_SIZES: u32 = 0x200;

/// Size of the header of an `mdat` that our muxer writes.
const MDAT_HEADER_BYTES: u64 = 8;

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Size of the box that begins here.
pub(crate) fn box_bytes(bytes: &[u8]) -> Option<u32> {
    number(bytes, 0)
}

/// The content of the first box called `name` among those in `bytes`.
fn find(mut bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    while bytes.len() >= 8 {
        let size = number(bytes, 0)? as usize;
        if size < 8 {
            return None;
        }
        let whole = bytes.get(..size)?;
        if *whole.get(4..8)? == name {
            return whole.get(8..);
        }
        bytes = bytes.get(size..)?;
    }
    None
}

/// How many bytes of a fragment hold its `moof` and its first sample. `moof` is the whole box; one `mdat` follows it.
pub(crate) fn first_sample_end(moof: &[u8]) -> Option<u64> {
    let traf = find(find(moof, *b"moof")?, *b"traf")?;
    let (tfhd, trun) = (find(traf, *b"tfhd")?, find(traf, *b"trun")?);
    let flags = number(trun, 0)? & 0x00FF_FFFF;
    let optional = |flags: u32, flag: u32, bytes: usize| if flags & flag == 0 { 0 } else { bytes };
    let size = if flags & TRUN_SIZES == 0 {
        let flags = number(tfhd, 0)? & 0x00FF_FFFF;
        if flags & TFHD_DEFAULT_SIZE == 0 {
            return None;
        }
        let at = 8
            + optional(flags, TFHD_BASE_DATA_OFFSET, 8)
            + optional(flags, TFHD_DESCRIPTION_INDEX, 4)
            + optional(flags, TFHD_DEFAULT_DURATION, 4);
        number(tfhd, at)?
    } else {
        let at = 8
            + optional(flags, TRUN_DATA_OFFSET, 4)
            + optional(flags, TRUN_FIRST_FLAGS, 4)
            + optional(flags, TRUN_DURATIONS, 4);
        number(trun, at)?
    };
    Some(u64::from(number(moof, 0)?) + MDAT_HEADER_BYTES + u64::from(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: [u8; 4], content: &[u8]) -> Vec<u8> {
        let size = (content.len() as u32 + 8).to_be_bytes();
        [&size[..], &name, content].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn moof(tfhd: &[u32], trun: &[u32]) -> Vec<u8> {
        let traf = [boxed(*b"tfhd", &words(tfhd)), boxed(*b"trun", &words(trun))].concat();
        boxed(*b"moof", &[boxed(*b"mfhd", &words(&[0, 1])), boxed(*b"traf", &traf)].concat())
    }

    #[test]
    fn a_size_of_its_own_is_found_behind_the_optional_fields() {
        let moof = moof(&[0x2_0000, 1], &[0x305, 2, 100, 0, 3003, 777, 3003, 5]);
        assert_eq!(first_sample_end(&moof), Some(moof.len() as u64 + 8 + 777));
    }

    #[test]
    fn a_size_shared_by_all_samples_is_found_in_the_header() {
        let moof = moof(&[0x2_0018, 1, 3003, 512], &[0x001, 1, 100]);
        assert_eq!(first_sample_end(&moof), Some(moof.len() as u64 + 8 + 512));
    }

    #[test]
    fn nonsense_is_no_fragment() {
        for bytes in [&b""[..], b"\0\0\0\x04moof", b"\0\0\0\xffmoof", b"\0\0\0\x08moof"] {
            assert_eq!(first_sample_end(bytes), None);
        }
    }
}
