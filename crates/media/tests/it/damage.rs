//! Broken, cut and hostile files: an answer every time, never a panic, never a hang.

use std::sync::atomic::{AtomicBool, Ordering};

use image::ImageFormat;
use media::{Format, MediaError, probe, render};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use turbojpeg::Subsamp;

use crate::fixtures::{LIMITS, encoded, heif, jpeg, jpeg_with, ladder, make, photograph, swirl};

fn every_kind() -> Vec<(&'static str, Vec<u8>)> {
    let picture = swirl(160, 120);
    let rgba = image::DynamicImage::from(picture.clone()).into_rgba8();
    vec![
        ("jpeg", jpeg(&picture, Subsamp::Sub2x2)),
        (
            "progressive",
            jpeg_with(&picture, Subsamp::Sub2x1, |encoder| encoder.set_progressive(true).unwrap()),
        ),
        ("png", encoded(picture.clone(), ImageFormat::Png)),
        ("webp", encoded(picture.clone(), ImageFormat::WebP)),
        ("gif", encoded(picture.clone(), ImageFormat::Gif)),
        ("tiff", encoded(picture, ImageFormat::Tiff)),
        ("heic", heif(&rgba, false)),
        ("avif", heif(&rgba, true)),
    ]
}

#[test]
fn cut_at_every_tenth() {
    for (name, source) in every_kind() {
        for tenth in 1..10 {
            let cut = &source[..source.len() * tenth / 10];
            let error = match make(cut, &ladder(&[80], &[Format::Jpeg])) {
                Err(error) => error,
                // The part that matters may be whole: a GIF's first frame, a TIFF's pixels before its end.
                Ok(_) if matches!(name, "gif" | "tiff") => continue,
                Ok(_) => panic!("{name} cut at {tenth}/10 was rendered"),
            };
            assert!(error.is_permanent(), "{name} at {tenth}/10: {error}");
            if matches!(name, "jpeg" | "progressive" | "png") {
                assert_eq!(error, MediaError::Truncated, "{name} cut at {tenth}/10");
            }
        }
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let mut random = StdRng::seed_from_u64(20);
    for (_, source) in every_kind() {
        for _ in 0..60 {
            let mut hurt = source.clone();
            for _ in 0..random.random_range(1..20) {
                let at = random.random_range(0..hurt.len());
                hurt[at] = random.random();
            }
            if let Err(error) = make(&hurt, &ladder(&[80], &[Format::Jpeg, Format::WebP])) {
                assert!(!error.to_string().is_empty() && error.is_permanent(), "{error}");
            }
        }
    }
}

#[test]
fn garbage_behind_a_true_magic_never_panics() {
    let mut random = StdRng::seed_from_u64(21);
    for (_, source) in every_kind() {
        for _ in 0..20 {
            let mut garbage = source[..source.len().min(40)].to_vec();
            garbage.extend((0..random.random_range(0..4000)).map(|_| random.random::<u8>()));
            assert!(make(&garbage, &ladder(&[80], &[Format::Jpeg])).is_err());
        }
    }
}

#[test]
fn a_photograph_with_a_damaged_middle_is_kept_and_marked() {
    let mut hurt = photograph("Garden.jpg");
    let middle = hurt.len() / 2;
    // Ones are bad codes in every Huffman table, and FF 00 is an ordinary FF.
    for pair in hurt[middle..middle + 400].chunks_exact_mut(2) {
        pair.copy_from_slice(&[0xFF, 0x00]);
    }
    let rendered = make(&hurt, &ladder(&[320], &[Format::Jpeg])).unwrap();
    assert!(rendered.degraded.unwrap().contains("Corrupt"), "the damage was not noticed");
    let whole = make(&photograph("Garden.jpg"), &ladder(&[320], &[Format::Jpeg])).unwrap();
    assert_eq!(whole.degraded, None);
}

#[test]
fn what_is_no_picture_is_named() {
    let cases: [(&[u8], &str); 7] = [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "SVG"),
        (b"II*\0\x10\0\0\0CR\x02\0", "sensor"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", "film"),
    ];
    for (source, word) in cases {
        let error = probe(source, &LIMITS).unwrap_err();
        assert_eq!(error.code(), "unsupported_format");
        assert!(error.to_string().contains(word), "{error}");
    }
}

/// Two kinds of file in one: readers of archives look for theirs at the end.
#[test]
fn an_archive_behind_a_photograph_does_not_travel() {
    let photograph = jpeg(&swirl(160, 120), Subsamp::Sub2x2);
    let hidden = b"PK\x03\x04 run me PK\x05\x06".repeat(50);
    let rungs = ladder(&[160], &[Format::Jpeg, Format::WebP]);
    let rendered = make(&[&photograph[..], &hidden].concat(), &rungs).unwrap();
    assert_eq!(rendered, make(&photograph, &rungs).unwrap(), "as if it had never been there");
}

#[test]
fn the_stop_flag_is_heeded_at_every_stage() {
    let source = jpeg(&swirl(400, 300), Subsamp::Sub2x2);
    let rungs = ladder(&[300, 100], &[Format::Jpeg, Format::WebP]);
    for stage in 0..7 {
        let stop = AtomicBool::new(stage == 0);
        let mut calls = 0;
        let mut last = 0;
        let outcome = render(&source, &rungs, None, &LIMITS, &stop, &mut |percent, _| {
            assert!(percent >= last && percent <= 100);
            last = percent;
            calls += 1;
            stop.store(calls >= stage, Ordering::Relaxed);
        });
        let error = outcome.unwrap_err();
        assert_eq!((error.code(), error.is_permanent()), ("cancelled", false));
        assert!(calls <= stage + 1, "went on for {calls} reports after stage {stage}");
    }
}
