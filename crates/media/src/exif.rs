//! The few EXIF fields that matter here, read from hostile bytes and written back minimal.

use crate::rights::Mark;

const ORIENTATION: u16 = 0x0112;
const ARTIST: u16 = 0x013B;
const COPYRIGHT: u16 = 0x8298;
const TYPE_ASCII: u16 = 2;
const TYPE_SHORT: u16 = 3;

/// A directory larger than this is not a camera's.
const ENTRIES_MAX: usize = 512;

/// What the first directory of a TIFF structure says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) orientation: Option<u8>,
    pub(crate) copyright: Option<String>,
    pub(crate) artist: Option<String>,
}

/// Reads a TIFF structure (an EXIF block after its `Exif\0\0`, or a TIFF file). Nonsense gives no tags: a
/// picture is not refused because its metadata is broken.
pub(crate) fn parse(tiff: &[u8]) -> Tags {
    Reader::new(tiff).and_then(|reader| reader.tags()).unwrap_or_default()
}

struct Reader<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..4)? {
            b"II\x2a\x00" => false,
            b"MM\x00\x2a" => true,
            _ => return None,
        };
        Some(Self { bytes, big_endian })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let raw: [u8; 2] = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let raw: [u8; 4] = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) })
    }

    fn tags(&self) -> Option<Tags> {
        let directory = self.u32(4)? as usize;
        let count = usize::from(self.u16(directory)?).min(ENTRIES_MAX);
        let mut tags = Tags::default();
        for index in 0..count {
            let entry = directory + 2 + index * 12;
            let Some(tag) = self.u16(entry) else { break };
            match tag {
                ORIENTATION => tags.orientation = self.orientation(entry),
                COPYRIGHT => tags.copyright = self.text(entry),
                ARTIST => tags.artist = self.text(entry),
                _ => {}
            }
        }
        Some(tags)
    }

    fn orientation(&self, entry: usize) -> Option<u8> {
        if self.u16(entry + 2)? != TYPE_SHORT {
            return None;
        }
        u8::try_from(self.u16(entry + 8)?).ok().filter(|value| (1..=8).contains(value))
    }

    fn text(&self, entry: usize) -> Option<String> {
        if self.u16(entry + 2)? != TYPE_ASCII {
            return None;
        }
        let length = self.u32(entry + 4)? as usize;
        let start = if length <= 4 { entry + 8 } else { self.u32(entry + 8)? as usize };
        let raw = self.bytes.get(start..start.checked_add(length)?)?;
        crate::rights::clean(raw)
    }
}

/// A TIFF structure that holds the mark and nothing else; `None` where there is nothing to say.
pub(crate) fn write(mark: &Mark) -> Option<Vec<u8>> {
    // Directory entries have to be in ascending order of tag.
    let fields: Vec<(u16, Vec<u8>)> = [(ARTIST, &mark.credit), (COPYRIGHT, &mark.copyright)]
        .into_iter()
        .filter_map(|(tag, text)| Some((tag, [text.as_ref()?.as_bytes(), b"\0"].concat())))
        .collect();
    if fields.is_empty() {
        return None;
    }
    let mut values_at = 8 + 2 + fields.len() * 12 + 4;
    let mut out = b"II\x2a\x00\x08\x00\x00\x00".to_vec();
    let mut values = Vec::new();
    out.extend_from_slice(&(fields.len() as u16).to_le_bytes());
    for (tag, text) in fields {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&TYPE_ASCII.to_le_bytes());
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        if text.len() <= 4 {
            let mut inline = text;
            inline.resize(4, 0);
            out.extend_from_slice(&inline);
        } else {
            out.extend_from_slice(&(values_at as u32).to_le_bytes());
            values_at += text.len();
            values.extend_from_slice(&text);
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&values);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(copyright: Option<&str>, credit: Option<&str>) -> Mark {
        Mark { copyright: copyright.map(Into::into), credit: credit.map(Into::into) }
    }

    #[test]
    fn what_is_written_reads_back() {
        for mark in [
            mark(Some("(c) 2026 Ana Ruiz"), Some("Ana Ruiz")),
            mark(Some("me"), None),
            mark(None, Some("Søren Ærø / Studio")),
        ] {
            let tags = parse(&write(&mark).unwrap());
            assert_eq!((tags.copyright, tags.artist), (mark.copyright, mark.credit));
            assert_eq!(tags.orientation, None);
        }
        assert_eq!(write(&mark(None, None)), None);
    }

    #[test]
    fn offsets_past_the_end_are_no_tags() {
        let mut bytes = write(&mark(Some("a long enough notice"), None)).unwrap();
        bytes[18..22].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&bytes), Tags::default());
        bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&bytes), Tags::default());
        assert_eq!(parse(b"II\x2a\x00"), Tags::default());
    }
}
