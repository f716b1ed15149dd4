//! The photographer's mark: the only words that survive from source to output.

/// Longer notices are cut here: a field this long is not a notice, and it is copied into every output.
const CHARS_MAX: usize = 500;

/// Copyright notice and credit line, from wherever the source keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) copyright: Option<String>,
    pub(crate) credit: Option<String>,
}

/// The metadata blocks of a source, as found.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    pub(crate) exif: Option<Vec<u8>>,
    pub(crate) iptc: Option<Vec<u8>>,
    pub(crate) xmp: Option<Vec<u8>>,
}

impl Mark {
    /// EXIF first, then IPTC, then XMP: the order in which cameras and editors keep them current.
    pub(crate) fn find(tags: &crate::exif::Tags, blocks: &Blocks) -> Self {
        let iptc = blocks.iptc.as_deref().map(from_iptc).unwrap_or_default();
        let xmp = blocks.xmp.as_deref().map(from_xmp).unwrap_or_default();
        Self {
            copyright: tags.copyright.clone().or(iptc.copyright).or(xmp.copyright),
            credit: tags.artist.clone().or(iptc.credit).or(xmp.credit),
        }
    }
}

/// One line of text: no control characters, no padding, bounded; `None` where nothing is left.
pub(crate) fn clean(raw: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text.to_owned(),
        // Older cameras and editors write Latin-1.
        Err(_) => raw.iter().map(|&byte| char::from(byte)).collect(),
    };
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARS_MAX).collect();
    let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then_some(line)
}

/// IPTC-IIM datasets of record 2: by-line (80), credit (110), copyright notice (116).
fn from_iptc(mut iim: &[u8]) -> Mark {
    let mut mark = Mark::default();
    let mut byline = None;
    while let [0x1C, record, dataset, high, low, rest @ ..] = iim {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(value) = rest.get(..length) else { break };
        match (record, dataset) {
            (2, 80) => byline = byline.or_else(|| clean(value)),
            (2, 110) => mark.credit = clean(value),
            (2, 116) => mark.copyright = clean(value),
            _ => {}
        }
        iim = &rest[length..];
    }
    mark.credit = mark.credit.or(byline);
    mark
}

/// Reads the two properties out of an XMP packet by looking for their names. A full RDF reader would be more
/// code, and more exposed code, than a credit line is worth.
fn from_xmp(packet: &[u8]) -> Mark {
    let text = String::from_utf8_lossy(packet);
    let property = |name: &str| {
        let element = text.split_once(&format!("<{name}>")).and_then(|(_, rest)| {
            let (inside, _) = rest.split_once(&format!("</{name}>"))?;
            let item = inside.split_once("<rdf:li").and_then(|(_, item)| item.split_once('>'));
            Some(item.map_or(inside, |(_, item)| item.split('<').next().unwrap_or_default()))
        });
        let attribute = || {
            let (_, rest) = text.split_once(&format!("{name}=\""))?;
            rest.split('"').next()
        };
        clean(unescape(element.or_else(attribute)?).as_bytes())
    };
    Mark {
        copyright: property("dc:rights"),
        credit: property("photoshop:Credit").or_else(|| property("dc:creator")),
    }
}

fn unescape(text: &str) -> String {
    let named = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    named.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_one_clean_line() {
        assert_eq!(clean(b"  Ana\nRuiz\0\0").as_deref(), Some("Ana Ruiz"));
        assert_eq!(clean(b"\xA9 Ana").as_deref(), Some("\u{a9} Ana"));
        assert_eq!(clean(b" \0 "), None);
        assert_eq!(clean(&[b'x'; 9000]).unwrap().len(), CHARS_MAX);
    }

    #[test]
    fn iptc_and_xmp() {
        let iptc = b"\x1c\x02\x50\x00\x03Ana\x1c\x02\x74\x00\x06(c) Me";
        assert_eq!(from_iptc(iptc), Mark { copyright: Some("(c) Me".into()), credit: Some("Ana".into()) });
        let xmp = br#"<rdf:Description photoshop:Credit="A &amp; B"><dc:rights><rdf:Alt>
            <rdf:li xml:lang="x-default">(c) Studio</rdf:li></rdf:Alt></dc:rights>"#;
        assert_eq!(
            from_xmp(xmp),
            Mark { copyright: Some("(c) Studio".into()), credit: Some("A & B".into()) }
        );
    }
}
