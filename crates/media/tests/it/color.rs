//! Colours arrive where they were, and as they were.

use image::{GrayAlphaImage, LumaA, Rgb, RgbImage};
use media::{Format, probe};
use moxcms::{ColorProfile, Layout, TransformOptions};
use turbojpeg::{Colorspace, Image, PixelFormat, Subsamp};

use crate::fixtures::{
    BLUE, GREEN, LIMITS, RED, WHITE, assert_quadrants, close, encoded, jpeg, jpeg_with, ladder, look, make,
    one, png, quadrants, splice, swirl,
};

const CORNERS: [[u8; 3]; 4] = [RED, GREEN, BLUE, WHITE];

/// Splices a profile into a JPEG, in pieces of `piece` bytes.
fn with_profile(jpeg: &[u8], icc: &[u8], piece: usize) -> Vec<u8> {
    let pieces: Vec<&[u8]> = icc.chunks(piece).collect();
    let count = pieces.len() as u8;
    // Spliced at the front one after the other, so the last piece goes in first.
    pieces.iter().enumerate().rev().fold(jpeg.to_vec(), |jpeg, (index, piece)| {
        splice(&jpeg, 0xE2, &[b"ICC_PROFILE\0".as_slice(), &[index as u8 + 1, count], piece].concat())
    })
}

#[test]
fn every_subsampling_reads_the_same() {
    let picture = quadrants(256, 192);
    let cases = [
        (Subsamp::None, "YCbCr 4:4:4"),
        (Subsamp::Sub2x1, "YCbCr 4:2:2"),
        (Subsamp::Sub2x2, "YCbCr 4:2:0"),
        (Subsamp::Sub1x2, "YCbCr 4:4:0"),
        (Subsamp::Sub4x1, "YCbCr 4:1:1"),
    ];
    for (subsamp, name) in cases {
        let source = jpeg(&picture, subsamp);
        assert_eq!(probe(&source, &LIMITS).unwrap().color, name);
        for output in make(&source, &ladder(&[256, 99], &[Format::Jpeg, Format::WebP])).unwrap().outputs {
            assert_quadrants(&look(&output), CORNERS, name);
        }
    }
}

#[test]
fn progressive_reads_like_baseline() {
    let picture = swirl(333, 222);
    let progressive = jpeg_with(&picture, Subsamp::Sub2x2, |encoder| encoder.set_progressive(true).unwrap());
    let baseline = jpeg(&picture, Subsamp::Sub2x2);
    assert_eq!(one(&progressive, 111, Format::Jpeg).bytes, one(&baseline, 111, Format::Jpeg).bytes);
}

#[test]
fn gray_stays_gray() {
    let gray = jpeg(&swirl(200, 100), Subsamp::Gray);
    assert_eq!(probe(&gray, &LIMITS).unwrap().color, "Gray");
    for source in [gray, png(image::DynamicImage::from(swirl(200, 100)).to_luma8())] {
        for output in make(&source, &ladder(&[101], &[Format::Jpeg, Format::WebP])).unwrap().outputs {
            let spread = |pixel: &Rgb<u8>| pixel.0.iter().max().unwrap() - pixel.0.iter().min().unwrap();
            assert!(look(&output).pixels().all(|pixel| spread(pixel) <= 2), "{:?}", output.format);
        }
    }
}

#[test]
fn rgb_inside_a_jpeg() {
    let source = jpeg_with(&quadrants(128, 96), Subsamp::None, |encoder| {
        encoder.set_colorspace(Colorspace::RGB).unwrap();
    });
    assert_eq!(probe(&source, &LIMITS).unwrap().color, "RGB 4:4:4");
    assert_quadrants(&look(&one(&source, 64, Format::Jpeg)), CORNERS, "RGB JPEG");
}

/// Inks as Adobe writes them: inverted, with its marker, as CMYK or as YCCK.
#[test]
fn inks_become_colours() {
    let rgb = quadrants(128, 96);
    let inks: Vec<u8> = rgb.pixels().flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect();
    for (colorspace, name) in [(Colorspace::CMYK, "CMYK"), (Colorspace::YCCK, "YCCK")] {
        let mut encoder = turbojpeg::Compressor::new().unwrap();
        encoder.set_quality(95).unwrap();
        encoder.set_colorspace(colorspace).unwrap();
        let image =
            Image { pixels: inks.as_slice(), width: 128, pitch: 512, height: 96, format: PixelFormat::CMYK };
        let source = encoder.compress_to_vec(image).unwrap();
        assert_eq!(probe(&source, &LIMITS).unwrap().color, name);
        for format in [Format::Jpeg, Format::WebP] {
            assert_quadrants(&look(&one(&source, 64, format)), CORNERS, name);
        }
    }
}

/// A hard edge between two hues of about equal brightness, at odd widths: it may not move with the size.
#[test]
fn a_colour_edge_stays_where_it_was() {
    let (left, right) = ([200, 60, 60], [40, 110, 160]);
    for source_width in [1200, 1201] {
        let edge = source_width / 3;
        let picture = RgbImage::from_fn(source_width, 601, |x, _| Rgb(if x < edge { left } else { right }));
        for subsamp in [Subsamp::Sub2x2, Subsamp::None] {
            let source = jpeg(&picture, subsamp);
            let edges = [source_width, 799, 401, 201, 101];
            for output in make(&source, &ladder(&edges, &[Format::Jpeg])).unwrap().outputs {
                let expected = f64::from(edge) * f64::from(output.width) / f64::from(source_width);
                let found = edge_at(&chroma_row(&output.bytes));
                assert!(
                    (found - expected).abs() < 0.3,
                    "width {}: edge at {found:.2}, not {expected:.2}",
                    output.width
                );
            }
        }
    }
}

/// Red-difference samples of the middle row, with their distance in luma pixels being 2.
fn chroma_row(bytes: &[u8]) -> Vec<u8> {
    let planes = turbojpeg::decompress_to_yuv(bytes).unwrap();
    let (width, height) = (planes.uv_width(), planes.uv_height());
    let red = planes.y_width() * planes.y_height() + width * height;
    planes.pixels[red + height / 2 * width..][..planes.width.div_ceil(2)].to_vec()
}

/// Where a falling step crosses, from the area under it: exact to a fraction of a pixel.
fn edge_at(row: &[u8]) -> f64 {
    let (high, low) = (f64::from(row[0]), f64::from(row[row.len() - 1]));
    2.0 * row.iter().map(|&value| (f64::from(value) - low) / (high - low)).sum::<f64>()
}

#[test]
fn display_p3_becomes_srgb() {
    let p3 = ColorProfile::new_display_p3();
    let colors = [[200, 100, 50], [60, 160, 90], [128, 128, 128], [90, 60, 180]];
    let expected: Vec<[u8; 3]> = {
        let srgb = ColorProfile::new_srgb();
        let transform =
            p3.create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, TransformOptions::default()).unwrap();
        let mut out = vec![0; 12];
        transform.transform(colors.as_flattened(), &mut out).unwrap();
        out.as_chunks().0.to_vec()
    };
    let picture =
        RgbImage::from_fn(256, 192, |x, y| Rgb(colors[usize::from(x >= 128) + 2 * usize::from(y >= 96)]));
    let source = with_profile(&jpeg(&picture, Subsamp::Sub2x2), &p3.encode().unwrap(), 150);
    assert!(probe(&source, &LIMITS).unwrap().icc.unwrap().contains("P3"));
    let corners = [expected[0], expected[1], expected[2], expected[3]];
    assert!(expected[0][0] > 205, "the test would see nothing: {expected:?}");
    for format in [Format::Jpeg, Format::WebP] {
        let seen = look(&one(&source, 128, format));
        for ((x, y), color) in [(32, 24), (96, 24), (32, 72), (96, 72)].into_iter().zip(corners) {
            assert!(close(*seen.get_pixel(x, y), color, 4), "{:?} for {color:?}", seen.get_pixel(x, y));
        }
    }
}

#[test]
fn an_srgb_profile_keeps_the_fast_path_and_a_broken_one_is_ignored() {
    let plain = jpeg(&swirl(300, 200), Subsamp::Sub2x2);
    let bare = one(&plain, 150, Format::Jpeg).bytes;
    let srgb = with_profile(&plain, &ColorProfile::new_srgb().encode().unwrap(), 60_000);
    assert_eq!(one(&srgb, 150, Format::Jpeg).bytes, bare);
    let broken = with_profile(&plain, &[7; 900], 400);
    assert_eq!(one(&broken, 150, Format::Jpeg).bytes, bare);
}

#[test]
fn gray_keeps_its_transparency() {
    let half = GrayAlphaImage::from_fn(120, 80, |x, _| LumaA(if x < 60 { [100, 255] } else { [0, 0] }));
    let source = png(half);
    assert_eq!(probe(&source, &LIMITS).unwrap().color, "Gray + alpha 8-bit");
    let flat = look(&one(&source, 60, Format::Jpeg));
    assert!(close(*flat.get_pixel(10, 20), [100; 3], 6) && close(*flat.get_pixel(50, 20), [255; 3], 6));
    let kept = image::load_from_memory(&one(&source, 60, Format::WebP).bytes).unwrap().into_rgba8();
    assert_eq!((kept.get_pixel(5, 20)[3], kept.get_pixel(55, 20)[3]), (255, 0));
}

#[test]
fn sixteen_bits_and_transparency() {
    let deep = image::DynamicImage::from(quadrants(120, 80)).into_rgb16();
    let source = png(deep);
    assert_eq!(probe(&source, &LIMITS).unwrap().color, "RGB 16-bit");
    assert_quadrants(&look(&one(&source, 60, Format::WebP)), CORNERS, "16-bit PNG");

    let clear = encoded(crate::fixtures::half_transparent(120, 80), image::ImageFormat::Png);
    assert!(probe(&clear, &LIMITS).unwrap().has_alpha);
    let flat = look(&one(&clear, 61, Format::Jpeg));
    assert!(close(*flat.get_pixel(10, 20), RED, 10), "{:?}", flat.get_pixel(10, 20));
    assert!(close(*flat.get_pixel(50, 20), [255; 3], 4), "{:?}", flat.get_pixel(50, 20));
    let kept = one(&clear, 61, Format::WebP);
    let kept = image::load_from_memory(&kept.bytes).unwrap().into_rgba8();
    assert_eq!((kept.get_pixel(5, 20)[3], kept.get_pixel(55, 20)[3]), (255, 0));
    // Nothing of the black under the transparent half shows at the edge.
    let edge = (0..61).map(|x| kept.get_pixel(x, 20)).filter(|pixel| pixel[3] > 40);
    edge.for_each(|pixel| assert!(pixel[0] > 180, "{pixel:?}"));
}
