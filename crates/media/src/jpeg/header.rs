//! The marker segments before the first scan: everything to be known about a JPEG before decoding it.

use crate::MediaError;
use crate::ladder::Size;
use crate::rights::Blocks;

/// Real profiles are below 1 MB; a larger one is an attack on memory or a mistake.
const ICC_BYTES_MAX: usize = 4 << 20;

/// One colour component of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) id: u8,
    pub(crate) across: u8,
    pub(crate) down: u8,
}

/// What the header of a JPEG says.
#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) size: Option<Size>,
    pub(crate) progressive: bool,
    pub(crate) components: Vec<Component>,
    /// Colour transform of the Adobe marker: 0 none, 1 YCbCr, 2 YCCK.
    pub(crate) adobe: Option<u8>,
    pub(crate) icc: Option<Vec<u8>>,
    pub(crate) blocks: Blocks,
    /// Where the first scan starts.
    pub(crate) scan_start: usize,
    icc_chunks: Vec<(u8, Vec<u8>)>,
}

/// True when an end-of-image marker follows. Entropy-coded data never contains one (every FF is stuffed), so
/// a file without it was cut.
pub(crate) fn has_end(source: &[u8], header: &Header) -> bool {
    let scans = source.get(header.scan_start..).unwrap_or_default();
    scans.windows(2).rev().any(|pair| pair == [0xFF, 0xD9])
}

impl Header {
    /// Walks the segments up to the first scan.
    pub(crate) fn read(source: &[u8]) -> Result<Self, MediaError> {
        let mut header = Self::default();
        let mut at = 2;
        loop {
            // Bytes between segments are against the standard and harmless; fill bytes are allowed.
            let skipped = source.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xFF));
            at += skipped.ok_or(MediaError::Truncated)? + 1;
            let marker = *source.get(at).ok_or(MediaError::Truncated)?;
            match marker {
                0xFF => continue,
                0x00 | 0x01 | 0xD0..=0xD8 => {
                    at += 1;
                    continue;
                }
                0xD9 => return Err(MediaError::Truncated),
                _ => {}
            }
            let length = source.get(at + 1..at + 3).ok_or(MediaError::Truncated)?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            if length < 2 {
                return Err(MediaError::corrupt("a marker segment has no length"));
            }
            let end = at + 1 + length;
            let payload = source.get(at + 3..end).ok_or(MediaError::Truncated)?;
            if marker == 0xDA {
                header.scan_start = end;
                return header.finish();
            }
            header.segment(marker, payload)?;
            at = end;
        }
    }

    fn segment(&mut self, marker: u8, payload: &[u8]) -> Result<(), MediaError> {
        match marker {
            0xC0..=0xC2 => self.frame(marker, payload)?,
            0xC3 | 0xC7 | 0xCB | 0xCF => return Err(MediaError::unsupported("a lossless JPEG")),
            0xC5 | 0xC6 | 0xCD | 0xCE => return Err(MediaError::unsupported("a hierarchical JPEG")),
            0xC9 | 0xCA => return Err(MediaError::unsupported("an arithmetic-coded JPEG")),
            0xE1 => self.app1(payload),
            0xE2 => self.app2(payload),
            0xED => self.app13(payload),
            0xEE if payload.starts_with(b"Adobe") => self.adobe = payload.get(11).copied(),
            _ => {}
        }
        Ok(())
    }

    fn frame(&mut self, marker: u8, payload: &[u8]) -> Result<(), MediaError> {
        let [precision, h1, h0, w1, w0, count, rest @ ..] = payload else {
            return Err(MediaError::corrupt("the frame header is too short"));
        };
        if *precision != 8 {
            return Err(MediaError::unsupported(format!("a JPEG with {precision} bits per sample")));
        }
        if self.size.is_some() {
            return Err(MediaError::corrupt("two frame headers"));
        }
        let width = u32::from(u16::from_be_bytes([*w1, *w0]));
        let height = u32::from(u16::from_be_bytes([*h1, *h0]));
        self.size = Some(Size::new(width, height));
        self.progressive = marker == 0xC2;
        let component = |raw: &[u8]| Component { id: raw[0], across: raw[1] >> 4, down: raw[1] & 15 };
        self.components = rest.chunks_exact(3).take(usize::from(*count)).map(component).collect();
        Ok(())
    }

    fn app1(&mut self, payload: &[u8]) {
        // Editors append further EXIF segments; the first is the one cameras and viewers go by.
        if let Some(tiff) = payload.strip_prefix(b"Exif\0\0") {
            self.blocks.exif.get_or_insert_with(|| tiff.to_vec());
        } else if let Some(packet) = payload.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
            self.blocks.xmp.get_or_insert_with(|| packet.to_vec());
        }
    }

    /// A profile longer than a segment comes in numbered pieces.
    fn app2(&mut self, payload: &[u8]) {
        let Some([number, _of, data @ ..]) = payload.strip_prefix(b"ICC_PROFILE\0") else { return };
        let held: usize = self.icc_chunks.iter().map(|(_, piece)| piece.len()).sum();
        if held + data.len() <= ICC_BYTES_MAX {
            self.icc_chunks.push((*number, data.to_vec()));
        }
    }

    /// Photoshop's resource blocks; number 0x0404 holds IPTC.
    fn app13(&mut self, payload: &[u8]) {
        let Some(mut rest) = payload.strip_prefix(b"Photoshop 3.0\0") else { return };
        while let [b'8', b'B', b'I', b'M', id1, id0, name_len, tail @ ..] = rest {
            let name = usize::from(*name_len) | 1;
            let Some([s3, s2, s1, s0, body @ ..]) = tail.get(name..) else { return };
            let size = u32::from_be_bytes([*s3, *s2, *s1, *s0]) as usize;
            let Some(data) = body.get(..size) else { return };
            if [*id1, *id0] == [0x04, 0x04] {
                self.blocks.iptc = Some(data.to_vec());
                return;
            }
            rest = body.get(size + size % 2..).unwrap_or_default();
        }
    }

    fn finish(mut self) -> Result<Self, MediaError> {
        if self.size.is_none() {
            return Err(MediaError::corrupt("the picture data comes before its frame header"));
        }
        if !matches!(self.components.len(), 1 | 3 | 4) {
            let detail = format!("a JPEG with {} colour components", self.components.len());
            return Err(MediaError::unsupported(detail));
        }
        if self.components.iter().any(|c| !(1..=4).contains(&c.across) || !(1..=4).contains(&c.down)) {
            return Err(MediaError::corrupt("impossible chroma subsampling"));
        }
        self.icc_chunks.sort_by_key(|(number, _)| *number);
        let chunks = std::mem::take(&mut self.icc_chunks);
        if !chunks.is_empty() {
            self.icc = Some(chunks.into_iter().flat_map(|(_, data)| data).collect());
        }
        Ok(self)
    }

    /// True for a three-component JPEG that stores RGB instead of YCbCr.
    pub(crate) fn is_rgb(&self) -> bool {
        let ids: Vec<u8> = self.components.iter().map(|component| component.id).collect();
        self.components.len() == 3 && (self.adobe == Some(0) || (self.adobe.is_none() && ids == *b"RGB"))
    }

    /// Colour model and subsampling, as a person would write them.
    pub(crate) fn color(&self) -> String {
        let model = match self.components.len() {
            1 => return "Gray".to_owned(),
            4 if self.adobe == Some(2) => return "YCCK".to_owned(),
            4 => return "CMYK".to_owned(),
            _ if self.is_rgb() => "RGB",
            _ => "YCbCr",
        };
        let (luma, chroma) = (self.components[0], self.components[1]);
        let ratio = (luma.across / chroma.across.max(1), luma.down / chroma.down.max(1));
        let sampling = match ratio {
            (1, 1) => "4:4:4",
            (2, 1) => "4:2:2",
            (2, 2) => "4:2:0",
            (1, 2) => "4:4:0",
            (4, 1) => "4:1:1",
            _ => return format!("{model} {}x{}", ratio.0, ratio.1),
        };
        format!("{model} {sampling}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(segments: &[(u8, &[u8])]) -> Vec<u8> {
        let mut out = vec![0xFF, 0xD8];
        for (marker, payload) in segments {
            out.extend_from_slice(&[0xFF, *marker]);
            out.extend_from_slice(&(payload.len() as u16 + 2).to_be_bytes());
            out.extend_from_slice(payload);
        }
        out
    }

    const FRAME: &[u8] = &[8, 0, 10, 0, 20, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];

    #[test]
    fn size_color_and_scan() {
        let source = jpeg(&[(0xC0, FRAME), (0xDA, &[0; 10])]);
        let header = Header::read(&source).unwrap();
        assert_eq!(header.size, Some(Size::new(20, 10)));
        assert_eq!(header.color(), "YCbCr 4:2:0");
        assert_eq!(header.scan_start, source.len());
        assert!(!has_end(&source, &header));
    }

    #[test]
    fn profile_in_pieces_is_joined_in_order() {
        let pieces: [(u8, &[u8]); 4] = [
            (0xE2, b"ICC_PROFILE\0\x02\x02cd"),
            (0xE2, b"ICC_PROFILE\0\x01\x02ab"),
            (0xC0, FRAME),
            (0xDA, &[0; 10]),
        ];
        assert_eq!(Header::read(&jpeg(&pieces)).unwrap().icc.as_deref(), Some(b"abcd".as_slice()));
    }

    #[test]
    fn what_no_browser_shows_is_refused_by_name() {
        for (marker, word) in [(0xC3, "lossless"), (0xC9, "arithmetic"), (0xC5, "hierarchical")] {
            let error = Header::read(&jpeg(&[(marker, FRAME)])).unwrap_err();
            assert_eq!(error.code(), "unsupported_format");
            assert!(error.to_string().contains(word), "{error}");
        }
        let deep: Vec<u8> = [&[12][..], &FRAME[1..]].concat();
        let error = Header::read(&jpeg(&[(0xC1, &deep)])).unwrap_err();
        assert!(error.to_string().contains("12 bits"), "{error}");
    }

    #[test]
    fn iptc_inside_photoshop_resources() {
        let resources = b"Photoshop 3.0\x008BIM\x04\x25\0\0\0\0\0\x01x\08BIM\x04\x04\0\0\0\0\0\x03abc";
        let source = jpeg(&[(0xED, resources), (0xC0, FRAME), (0xDA, &[0; 10])]);
        assert_eq!(Header::read(&source).unwrap().blocks.iptc.as_deref(), Some(b"abc".as_slice()));
    }
}
