//! Writing JPEG from planes, with the photographer's mark and nothing else.

use turbojpeg::{Compressor, Subsamp, YuvImage, YuvPlanesImage};

use crate::MediaError;
use crate::frame::Planar;

/// Encodes the planes at 4:2:0 (or as one gray component), with `exif` as its only metadata.
pub(crate) fn encode(planar: &Planar, quality: u8, exif: Option<&[u8]>) -> Result<Vec<u8>, MediaError> {
    let bytes = compress(planar, quality)
        .map_err(|error| MediaError::Encode { format: "JPEG", detail: error.to_string() })?;
    Ok(match exif {
        Some(tiff) => with_exif(&bytes, tiff),
        None => bytes,
    })
}

fn compress(planar: &Planar, quality: u8) -> turbojpeg::Result<Vec<u8>> {
    let mut encoder = Compressor::new()?;
    encoder.set_quality(i32::from(quality))?;
    encoder.set_optimize(true)?;
    let (width, height) = (planar.luma.width, planar.luma.height);
    let Some([blue, red]) = &planar.chroma else {
        let pixels = planar.luma.data.as_slice();
        let image = YuvImage { pixels, width, align: 1, height, subsamp: Subsamp::Gray };
        return encoder.compress_yuv_to_vec(image);
    };
    // The encoder reads whole 2 x 2 groups, so an odd luma plane needs one more column or row.
    let padded;
    let luma = if width % 2 == 0 && height % 2 == 0 {
        &planar.luma
    } else {
        padded = planar.luma.padded(width.next_multiple_of(2), height.next_multiple_of(2));
        &padded
    };
    encoder.compress_yuv_planes_to_vec(&YuvPlanesImage {
        y_plane: luma.data.as_slice(),
        u_plane: blue.data.as_slice(),
        v_plane: red.data.as_slice(),
        width,
        height,
        y_stride: luma.width,
        u_stride: blue.width,
        v_stride: red.width,
        subsamp: Subsamp::Sub2x2,
    })
}

/// Puts an APP1 segment after the JFIF header, where both kinds of reader look.
fn with_exif(jpeg: &[u8], tiff: &[u8]) -> Vec<u8> {
    let jfif = if jpeg.get(2..4) == Some(&[0xFF, 0xE0]) {
        2 + usize::from(u16::from_be_bytes([jpeg[4], jpeg[5]]))
    } else {
        0
    };
    let (head, tail) = jpeg.split_at(2 + jfif);
    // A mark is two lines of bounded length: far below a segment's 64 KB.
    let length = (2 + 6 + tiff.len()) as u16;
    [head, &[0xFF, 0xE1], &length.to_be_bytes(), b"Exif\0\0", tiff, tail].concat()
}
