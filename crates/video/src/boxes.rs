//! The little of MP4's box structure that is needed beside libav: where the first picture of a fragment ends, and where a
//! fragment stands in its film.

use std::ops::Range;

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

/// Where the content of the first box called `name` lies, among the boxes in `bytes[within]`.
fn place(bytes: &[u8], within: Range<usize>, name: [u8; 4]) -> Option<Range<usize>> {
    let mut at = within.start;
    while at + 8 <= within.end {
        let size = number(bytes, at)? as usize;
        let end = at.checked_add(size).filter(|end| size >= 8 && *end <= within.end)?;
        if *bytes.get(at + 4..at + 8)? == name {
            return Some(at + 8..end);
        }
        at = end;
    }
    None
}

/// The content of the first box called `name` among those in `bytes`.
fn find(bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    bytes.get(place(bytes, 0..bytes.len(), name)?)
}

/// Bytes of a description of samples before its list.
const STSD_HEADER_BYTES: usize = 8;
/// Bytes of the description of a picture before its boxes.
const AVC1_HEADER_BYTES: usize = 78;

/// How the picture is coded: the parameter sets, from the part of a file that every fragment needs before it.
pub(crate) fn parameter_sets(init: &[u8]) -> Option<&[u8]> {
    let path = [*b"moov", *b"trak", *b"mdia", *b"minf", *b"stbl", *b"stsd"];
    let stsd = path.into_iter().try_fold(init, find)?;
    let avc1 = find(stsd.get(STSD_HEADER_BYTES..)?, *b"avc1")?;
    find(avc1.get(AVC1_HEADER_BYTES..)?, *b"avcC")
}

/// Where the time at which a fragment begins to be decoded is written, as our muxer writes it: in 64 bits.
fn decode_time_place(moof: &[u8]) -> Option<Range<usize>> {
    let content = place(moof, 0..moof.len(), *b"moof")?;
    let traf = place(moof, content, *b"traf")?;
    let tfdt = place(moof, traf, *b"tfdt")?;
    let version = *moof.get(tfdt.start)?;
    (version == 1 && tfdt.len() == 12).then_some(tfdt.start + 4..tfdt.end)
}

/// When a fragment begins to be decoded. `moof` is the whole box.
pub(crate) fn decode_time(moof: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(moof.get(decode_time_place(moof)?)?.try_into().ok()?))
}

/// Gives a fragment another number and another time.
pub(crate) fn renumber(moof: &mut [u8], number: u32, decode_time: u64) -> Option<()> {
    let content = place(moof, 0..moof.len(), *b"moof")?;
    let mfhd = place(moof, content, *b"mfhd")?;
    let time = decode_time_place(moof)?;
    moof.get_mut(mfhd.start + 4..mfhd.start + 8)?.copy_from_slice(&number.to_be_bytes());
    moof.get_mut(time)?.copy_from_slice(&decode_time.to_be_bytes());
    Some(())
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
    fn a_fragment_takes_another_number_and_another_time() {
        let tfdt = [&1_u32.to_be_bytes()[..] as &[u8], &7_u64.to_be_bytes()].concat();
        let mfhd = boxed(*b"mfhd", &words(&[0, 1]));
        let mut moof = boxed(*b"moof", &[mfhd, boxed(*b"traf", &boxed(*b"tfdt", &tfdt))].concat());
        let content = place(&moof, 0..moof.len(), *b"moof").unwrap();
        let traf = place(&moof, content, *b"traf").unwrap();
        let tfdt = place(&moof, traf, *b"tfdt").unwrap();
        assert_eq!(decode_time(&moof), None, "32 bits are not what our muxer writes");
        moof[tfdt.start..tfdt.start + 4].copy_from_slice(&[1, 0, 0, 0]);
        assert_eq!(decode_time(&moof), Some(7));
        renumber(&mut moof, 9, 1 << 40).unwrap();
        assert_eq!(decode_time(&moof), Some(1 << 40));
        assert_eq!(find(find(&moof, *b"moof").unwrap(), *b"mfhd").unwrap(), words(&[0, 9]));
    }

    #[test]
    fn nonsense_is_no_fragment() {
        for bytes in [&b""[..], b"\0\0\0\x04moof", b"\0\0\0\xffmoof", b"\0\0\0\x08moof"] {
            assert_eq!(first_sample_end(bytes), None);
        }
    }
}
