//! Pictures to feed in, and eyes to look at what comes out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, RgbaImage};
use media::{Format, Ladder, Limits, MediaError, Output, Rendered, Rung, render};
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

pub(crate) const LIMITS: Limits = Limits {
    bytes_max: 64 << 20,
    side_px_max: 30_000,
    pixels_max: 120_000_000,
    alloc_bytes_max: 512 << 20,
    jpeg_scans_max: 50,
};

pub(crate) const RED: [u8; 3] = [220, 30, 30];
pub(crate) const GREEN: [u8; 3] = [30, 200, 30];
pub(crate) const BLUE: [u8; 3] = [30, 30, 220];
pub(crate) const WHITE: [u8; 3] = [245, 245, 245];

/// A rung called after its size.
pub(crate) fn rung(long_edge_px: u32, formats: &[Format]) -> Rung {
    Rung { name: format!("e{long_edge_px}"), long_edge_px, formats: formats.to_vec(), quality: 90 }
}

pub(crate) fn ladder(edges: &[u32], formats: &[Format]) -> Ladder {
    Ladder { rungs: edges.iter().map(|&edge| rung(edge, formats)).collect(), crop: None }
}

pub(crate) fn make(source: &[u8], ladder: &Ladder) -> Result<Rendered, MediaError> {
    render(source, ladder, None, &LIMITS, &AtomicBool::new(false), &mut |_, _| {})
}

/// Renders one rung in one format.
pub(crate) fn one(source: &[u8], edge: u32, format: Format) -> Output {
    make(source, &ladder(&[edge], &[format])).unwrap().outputs.remove(0)
}

/// The output's pixels, through `image`, which shares no code with our encoders. AVIF goes through us.
pub(crate) fn look(output: &Output) -> RgbImage {
    let format = match output.format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::WebP => ImageFormat::WebP,
        Format::Avif => return look(&one(&output.bytes, 65_000, Format::Jpeg)),
    };
    let seen = image::load_from_memory_with_format(&output.bytes, format).unwrap().into_rgb8();
    assert_eq!(seen.dimensions(), (output.width, output.height), "{} as {:?}", output.rung, output.format);
    seen
}

/// Four quadrants: red, green / blue, white.
pub(crate) fn quadrants(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb(match (x < width / 2, y < height / 2) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => WHITE,
        })
    })
}

/// A busy, smooth picture with every hue in it.
pub(crate) fn swirl(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (fx, fy) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        let wave = |a: f64, b: f64| (127.5 + 110.0 * (a * fx + b * fy).sin()) as u8;
        Rgb([wave(9.0, 4.0), wave(-5.0, 11.0), wave(14.0, -3.0)])
    })
}

pub(crate) fn jpeg(picture: &RgbImage, subsamp: Subsamp) -> Vec<u8> {
    jpeg_with(picture, subsamp, |_| {})
}

pub(crate) fn jpeg_with(picture: &RgbImage, subsamp: Subsamp, set: impl FnOnce(&mut Compressor)) -> Vec<u8> {
    let mut encoder = Compressor::new().unwrap();
    encoder.set_quality(95).unwrap();
    encoder.set_subsamp(subsamp).unwrap();
    set(&mut encoder);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.as_raw().as_slice();
    encoder
        .compress_to_vec(Image { pixels, width, pitch: width * 3, height, format: PixelFormat::RGB })
        .unwrap()
}

pub(crate) fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    picture.into().write_to(&mut out, format).unwrap();
    out.into_inner()
}

pub(crate) fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(picture, ImageFormat::Png)
}

/// A PNG chunk, with its checksum.
pub(crate) fn png_chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), data].concat();
    let crc = body.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    });
    [&(data.len() as u32).to_be_bytes(), body.as_slice(), &(!crc).to_be_bytes()].concat()
}

/// A chunk of a WebP file, padded to an even length.
pub(crate) fn riff_chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    [&kind, &(data.len() as u32).to_le_bytes()[..], data, &[0][..data.len() % 2]].concat()
}

/// A WebP of 64 x 48 pixels with an EXIF block, which ExifTool reads and cannot write.
pub(crate) fn webp_with(plain: &[u8], exif: &[u8]) -> Vec<u8> {
    let has_exif = riff_chunk(*b"VP8X", &[0x08, 0, 0, 0, 63, 0, 0, 47, 0, 0]);
    riff_chunk(*b"RIFF", &[b"WEBP", &has_exif[..], &plain[12..], &riff_chunk(*b"EXIF", exif)].concat())
}

/// Left half opaque red, right half fully transparent (and black underneath).
pub(crate) fn half_transparent(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, _| {
        image::Rgba(if x < width / 2 { [RED[0], RED[1], RED[2], 255] } else { [0, 0, 0, 0] })
    })
}

/// Inserts a marker segment right after the start of a JPEG.
pub(crate) fn splice(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, marker], &length, payload, &jpeg[2..]].concat()
}

/// An EXIF segment with one orientation entry.
pub(crate) fn exif_orientation(orientation: u16, big_endian: bool) -> Vec<u8> {
    let u16 = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let u32 = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let magic: &[u8] = if big_endian { b"MM" } else { b"II" };
    let entry = [&u16(0x0112)[..], &u16(3), &u32(1), &u16(orientation), &[0, 0]].concat();
    [b"Exif\0\0", magic, &u16(42), &u32(8), &u16(1), &entry, &u32(0)].concat()
}

/// A photograph from Debian's `mate-backgrounds`.
pub(crate) fn photograph(name: &str) -> Vec<u8> {
    let path = Path::new("/usr/share/backgrounds/mate/nature").join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; the tests use its photographs: apt-get install mate-backgrounds", path.display())
    })
}

/// Runs a program over a file we made and gives back what it wrote. `args` name `{in}` and `{out}`.
pub(crate) fn through(
    program: &str,
    package: &str,
    input: &[u8],
    suffixes: (&str, &str),
    args: &[&str],
) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let from: PathBuf = folder.path().join(format!("in.{}", suffixes.0));
    let to: PathBuf = folder.path().join(format!("out.{}", suffixes.1));
    std::fs::write(&from, input).unwrap();
    let args = args.iter().map(|arg| match *arg {
        "{in}" => from.clone().into_os_string(),
        "{out}" => to.clone().into_os_string(),
        other => other.into(),
    });
    let done = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; the tests need it: apt-get install {package}"));
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    std::fs::read(&to).unwrap()
}

/// The picture as HEIC, or as AVIF.
pub(crate) fn heif(picture: &RgbaImage, avif: bool) -> Vec<u8> {
    let args: &[&str] =
        if avif { &["-A", "-q", "90", "{in}", "-o", "{out}"] } else { &["-q", "90", "{in}", "-o", "{out}"] };
    let suffix = if avif { "avif" } else { "heic" };
    through("heif-enc", "libheif-examples", &png(picture.clone()), ("png", suffix), args)
}

pub(crate) fn close(seen: Rgb<u8>, expected: [u8; 3], tolerance: u8) -> bool {
    seen.0.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= tolerance)
}

/// Asserts the colours in the middle of the four quadrants, in reading order.
pub(crate) fn assert_quadrants(seen: &RgbImage, expected: [[u8; 3]; 4], context: &str) {
    let (width, height) = seen.dimensions();
    let spots = [(1, 1), (3, 1), (1, 3), (3, 3)];
    for ((x, y), color) in spots.into_iter().zip(expected) {
        let pixel = *seen.get_pixel(width * x / 4, height * y / 4);
        assert!(close(pixel, color, 14), "{context}: at {x}/4, {y}/4 is {pixel:?}, not {color:?}");
    }
}
