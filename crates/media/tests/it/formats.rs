//! Every kind of file goes in; every format comes out.

use image::{ImageFormat, Rgb, RgbImage};
use media::{Format, SourceKind, probe};
use turbojpeg::Subsamp;

use crate::fixtures::{
    BLUE, GREEN, LIMITS, RED, WHITE, assert_quadrants, close, encoded, half_transparent, heif, jpeg, ladder,
    look, make, one, png, png_chunk, quadrants, riff_chunk,
};

const CORNERS: [[u8; 3]; 4] = [RED, GREEN, BLUE, WHITE];
const ALL: [Format; 3] = [Format::Jpeg, Format::WebP, Format::Avif];

#[test]
fn every_kind_in_and_every_format_out() {
    let picture = quadrants(160, 120);
    let rgba = image::DynamicImage::from(picture.clone()).into_rgba8();
    let sources = [
        (SourceKind::Jpeg, jpeg(&picture, Subsamp::Sub2x2)),
        (SourceKind::Png, encoded(picture.clone(), ImageFormat::Png)),
        (SourceKind::WebP, encoded(picture.clone(), ImageFormat::WebP)),
        (SourceKind::Gif, encoded(picture.clone(), ImageFormat::Gif)),
        (SourceKind::Tiff, encoded(picture, ImageFormat::Tiff)),
        (SourceKind::Heic, heif(&rgba, false)),
        (SourceKind::Avif, heif(&rgba, true)),
    ];
    for (kind, source) in sources {
        assert_eq!(SourceKind::of(&source[..64]), Some(kind));
        let seen = probe(&source, &LIMITS).unwrap();
        assert_eq!((seen.kind, seen.width, seen.height), (kind, 160, 120));
        let rendered = make(&source, &ladder(&[160, 81], &ALL)).unwrap();
        assert_eq!(rendered.degraded, None);
        for output in &rendered.outputs {
            assert_quadrants(&look(output), CORNERS, &format!("{kind:?} to {:?}", output.format));
        }
    }
}

#[test]
fn outputs_are_what_they_say() {
    let source = jpeg(&quadrants(64, 64), Subsamp::Sub2x2);
    for (format, kind) in ALL.into_iter().zip([SourceKind::Jpeg, SourceKind::WebP, SourceKind::Avif]) {
        let output = one(&source, 32, format);
        assert_eq!(SourceKind::of(&output.bytes), Some(kind));
        assert!(format.mime().ends_with(if format == Format::Jpeg { "jpeg" } else { format.extension() }));
    }
}

#[test]
fn transparency_survives_heif_both_ways() {
    let clear = half_transparent(120, 80);
    let source = heif(&clear, true);
    assert!(probe(&source, &LIMITS).unwrap().has_alpha);
    let again = one(&source, 60, Format::Avif);
    assert!(probe(&again.bytes, &LIMITS).unwrap().has_alpha);
    let flat = look(&one(&again.bytes, 60, Format::Jpeg));
    assert!(close(*flat.get_pixel(10, 20), RED, 14) && close(*flat.get_pixel(50, 20), [255; 3], 6));
}

#[test]
fn an_animation_gives_its_first_frame() {
    let mut gif = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
        for color in [RED, BLUE, GREEN] {
            let frame =
                image::RgbaImage::from_pixel(40, 30, image::Rgba([color[0], color[1], color[2], 255]));
            encoder.encode_frame(image::Frame::new(frame)).unwrap();
        }
    }
    for animation in [gif, animated_webp(&[RED, BLUE, GREEN]), animated_png(RED, BLUE)] {
        let seen = look(&one(&animation, 40, Format::Jpeg));
        assert!(close(*seen.get_pixel(20, 15), RED, 10), "{:?}", seen.get_pixel(20, 15));
    }
}

fn filled(color: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(40, 30, Rgb(color))
}

fn animated_webp(colors: &[[u8; 3]]) -> Vec<u8> {
    let frame = |color: &[u8; 3]| {
        let whole: [u8; 16] = [0, 0, 0, 0, 0, 0, 39, 0, 0, 29, 0, 0, 100, 0, 0, 0];
        riff_chunk(*b"ANMF", &[&whole[..], &encoded(filled(*color), ImageFormat::WebP)[12..]].concat())
    };
    let head =
        [riff_chunk(*b"VP8X", &[2, 0, 0, 0, 39, 0, 0, 29, 0, 0]), riff_chunk(*b"ANIM", &[0; 6])].concat();
    let frames: Vec<u8> = colors.iter().flat_map(frame).collect();
    riff_chunk(*b"RIFF", &[b"WEBP", &head[..], &frames].concat())
}

/// One that shows `default` where animations are unknown, and else nothing but `frame`.
fn animated_png(default: [u8; 3], frame: [u8; 3]) -> Vec<u8> {
    let (default, frame) = (png(filled(default)), png(filled(frame)));
    let (before_end, end) = default.split_at(default.len() - 12);
    let pixels = frame.windows(4).position(|window| window == b"IDAT").unwrap() + 4;
    let counts = png_chunk(*b"acTL", &[1_u32, 0].map(u32::to_be_bytes).concat());
    let place = [&[0_u32, 40, 30, 0, 0].map(u32::to_be_bytes).concat()[..], &[0, 1, 0, 10, 0, 0]].concat();
    let content = [&1_u32.to_be_bytes(), &frame[pixels..frame.len() - 16]].concat();
    let shown = [png_chunk(*b"fcTL", &place), png_chunk(*b"fdAT", &content)].concat();
    [&before_end[..33], &counts, &before_end[33..], &shown, end].concat()
}

#[test]
fn requests_and_results_travel_as_json() {
    let rungs = ladder(&[640], &ALL);
    let json = serde_json::to_string(&rungs).unwrap();
    assert!(json.contains(r#""formats":["jpeg","webp","avif"]"#), "{json}");
    assert_eq!(serde_json::from_str::<media::Ladder>(&json).unwrap(), rungs);
}
