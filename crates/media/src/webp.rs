//! Writing WebP through libwebp, from planes where there are planes.
#![expect(unsafe_code, reason = "libwebp's picture interface takes planes, and no safe crate passes them on")]

use std::mem::MaybeUninit;

use libwebp_sys::{
    WebPConfig, WebPEncode, WebPEncodingError, WebPMemoryWrite, WebPMemoryWriter, WebPMemoryWriterClear,
    WebPMemoryWriterInit, WebPPicture, WebPPictureFree, WebPPictureImportRGBA,
};

use crate::MediaError;
use crate::color::{limited_chroma, limited_luma};
use crate::frame::{Frame, Planar};
use crate::plane::Plane;

/// 4 is where libwebp stops paying: 2 is twice as fast for 2.5% more bytes, 6 thrice as slow for 5% fewer.
const METHOD: i32 = 4;

/// Encodes the picture, with `exif` as its only metadata.
pub(crate) fn encode(frame: &Frame, quality: u8, exif: Option<&[u8]>) -> Result<Vec<u8>, MediaError> {
    let size = frame.size();
    let bytes = match frame {
        Frame::Alpha(plane) => encode_rgba(plane, quality),
        Frame::Planar(_) | Frame::Fine(_) => encode_planar(&frame.flattened(), quality),
    }
    .map_err(|detail| MediaError::Encode { format: "WebP", detail })?;
    Ok(match exif {
        Some(tiff) => with_exif(&bytes, tiff, size.width, size.height, matches!(frame, Frame::Alpha(_))),
        None => bytes,
    })
}

fn encode_planar(planar: &Planar, quality: u8) -> Result<Vec<u8>, String> {
    let mut luma = limited_luma(&planar.luma);
    let [mut blue, mut red] = if let Some([blue, red]) = &planar.chroma {
        [limited_chroma(blue), limited_chroma(red)]
    } else {
        let none = Plane::filled(luma.width.div_ceil(2), luma.height.div_ceil(2), 1, 128);
        [none.clone(), none]
    };
    let mut picture = Picture::new(luma.width, luma.height)?;
    picture.raw.use_argb = 0;
    picture.raw.y = luma.data.as_mut_ptr();
    picture.raw.u = blue.data.as_mut_ptr();
    picture.raw.v = red.data.as_mut_ptr();
    picture.raw.y_stride = luma.width as i32;
    picture.raw.uv_stride = blue.width as i32;
    // The planes outlive the call: they are locals of this function, and `encode` keeps no pointer.
    picture.encode(quality)
}

fn encode_rgba(plane: &Plane, quality: u8) -> Result<Vec<u8>, String> {
    let mut picture = Picture::new(plane.width, plane.height)?;
    picture.raw.use_argb = 1;
    let stride = (plane.width * 4) as i32;
    // SAFETY: the buffer holds `height` rows of `stride` bytes, and libwebp copies them.
    let imported = unsafe { WebPPictureImportRGBA(&raw mut picture.raw, plane.data.as_ptr(), stride) };
    if imported == 0 {
        return Err("out of memory".to_owned());
    }
    picture.encode(quality)
}

/// A `WebPPicture` that frees what libwebp allocated in it. Planes set from outside are not freed by libwebp.
struct Picture {
    raw: WebPPicture,
}

impl Picture {
    fn new(width: usize, height: usize) -> Result<Self, String> {
        let mut raw = WebPPicture::new().map_err(|()| "version mismatch".to_owned())?;
        raw.width = width as i32;
        raw.height = height as i32;
        Ok(Self { raw })
    }

    fn encode(&mut self, quality: u8) -> Result<Vec<u8>, String> {
        let mut config = WebPConfig::new().map_err(|()| "version mismatch".to_owned())?;
        config.quality = f32::from(quality);
        config.method = METHOD;
        config.thread_level = 0;
        let mut writer = Writer::new();
        self.raw.writer = Some(WebPMemoryWrite);
        self.raw.custom_ptr = (&raw mut writer.raw).cast();
        // SAFETY: config and picture are initialised by libwebp's own functions, the picture's planes are as
        // large as its size and strides say, and the writer lives until after the call.
        let done = unsafe { WebPEncode(&raw const config, &raw mut self.raw) };
        self.raw.custom_ptr = std::ptr::null_mut();
        if done == 0 || self.raw.error_code != WebPEncodingError::VP8_ENC_OK {
            return Err(format!("{:?}", self.raw.error_code));
        }
        Ok(writer.bytes().to_vec())
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: the picture was initialised in `new`; freeing twice is prevented by ownership.
        unsafe { WebPPictureFree(&raw mut self.raw) }
    }
}

struct Writer {
    raw: WebPMemoryWriter,
}

impl Writer {
    fn new() -> Self {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: the call initialises every field.
        let raw = unsafe {
            WebPMemoryWriterInit(raw.as_mut_ptr());
            raw.assume_init()
        };
        Self { raw }
    }

    fn bytes(&self) -> &[u8] {
        if self.raw.mem.is_null() {
            return &[];
        }
        // SAFETY: libwebp wrote `size` bytes at `mem`, and they live until the writer is cleared.
        unsafe { std::slice::from_raw_parts(self.raw.mem, self.raw.size) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, cleared once.
        unsafe { WebPMemoryWriterClear(&raw mut self.raw) }
    }
}

/// Adds an EXIF chunk, which only the extended container may hold.
fn with_exif(webp: &[u8], tiff: &[u8], width: u32, height: u32, alpha: bool) -> Vec<u8> {
    const HAS_ALPHA: u8 = 0x10;
    const HAS_EXIF: u8 = 0x08;
    // RIFF, length, WEBP; what follows is VP8X first if libwebp needed the extended container for alpha.
    let mut chunks = webp.get(12..).unwrap_or_default();
    if chunks.starts_with(b"VP8X") {
        chunks = chunks.get(18..).unwrap_or_default();
    }
    let flags = HAS_EXIF | if alpha { HAS_ALPHA } else { 0 };
    let mut body = b"WEBPVP8X\x0A\0\0\0".to_vec();
    body.extend_from_slice(&[flags, 0, 0, 0]);
    body.extend_from_slice(&(width - 1).to_le_bytes()[..3]);
    body.extend_from_slice(&(height - 1).to_le_bytes()[..3]);
    body.extend_from_slice(chunks);
    body.extend_from_slice(b"EXIF");
    body.extend_from_slice(&(tiff.len() as u32).to_le_bytes());
    body.extend_from_slice(tiff);
    if tiff.len() % 2 == 1 {
        body.push(0);
    }
    [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat()
}
