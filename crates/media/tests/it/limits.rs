//! Bombs: small files that claim, or unfold to, large pictures.

use std::io::Write;
use std::time::{Duration, Instant};

use image::ImageFormat;
use media::{Format, Ladder, Limits, MediaError, probe, render};
use turbojpeg::Subsamp;

use crate::fixtures::{LIMITS, encoded, jpeg, jpeg_with, ladder, make, png_chunk, rung, swirl};

/// Overwrites the size in the frame header of a JPEG.
fn claim(jpeg: &[u8], width: u16, height: u16) -> Vec<u8> {
    let frame = jpeg.windows(2).position(|pair| matches!(pair, [0xFF, 0xC0..=0xC2])).unwrap();
    let mut out = jpeg.to_vec();
    out[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    out[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    out
}

fn quick<T>(work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = work();
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
    done
}

#[test]
fn claimed_sizes_are_refused_from_the_header() {
    let huge_jpeg = claim(&jpeg(&swirl(64, 64), Subsamp::Sub2x2), 65_535, 65_535);
    let mut huge_png = encoded(swirl(8, 8), ImageFormat::Png);
    let side = 50_000_u32.to_be_bytes();
    let header = png_chunk(*b"IHDR", &[&side[..], &side, &[8, 2, 0, 0, 0]].concat());
    huge_png.splice(8..33, header);
    let gif = [b"GIF89a".as_slice(), &[0xFF; 4], &[0, 0, 0, 0x3B]].concat();
    for source in [huge_jpeg, huge_png] {
        let error = quick(|| make(&source, &ladder(&[80], &[Format::Jpeg])).unwrap_err());
        assert_eq!(error.code(), "too_many_pixels", "{error}");
    }
    assert!(quick(|| make(&gif, &ladder(&[80], &[Format::Jpeg])).is_err()));
}

#[test]
fn a_thin_claim_within_the_side_still_counts_its_pixels() {
    let limits = Limits { pixels_max: 1000, ..LIMITS };
    let source = jpeg(&swirl(200, 10), Subsamp::Sub2x2);
    assert_eq!(probe(&source, &limits).unwrap_err().code(), "too_many_pixels");
    let limits = Limits { bytes_max: 100, ..LIMITS };
    assert_eq!(probe(&source, &limits).unwrap_err().code(), "too_large");
}

#[test]
fn a_claim_far_above_the_data_ends_soon() {
    let source = claim(&jpeg(&swirl(64, 64), Subsamp::Sub2x2), 12_000, 9_000);
    // Filled in, marked, or refused: all are answers, as long as they come.
    let outcome = make(&source, &ladder(&[80], &[Format::Jpeg]));
    assert!(outcome.map_or(true, |rendered| rendered.degraded.is_some()));
}

#[test]
fn memory_has_a_bound_of_its_own() {
    let limits = Limits { alloc_bytes_max: 50_000, ..LIMITS };
    let progressive =
        jpeg_with(&swirl(300, 300), Subsamp::Sub2x2, |encoder| encoder.set_progressive(true).unwrap());
    let stop = false.into();
    for source in
        [progressive, encoded(swirl(300, 300), ImageFormat::Png), encoded(swirl(300, 300), ImageFormat::Tiff)]
    {
        let error = render(&source, &ladder(&[300], &[Format::Jpeg]), None, &limits, &stop, &mut |_, _| {})
            .unwrap_err();
        assert_eq!(error.code(), "out_of_budget", "{error}");
    }
}

#[test]
fn thousands_of_scans_are_refused() {
    let source = jpeg_with(&swirl(64, 64), Subsamp::Sub2x2, |encoder| encoder.set_progressive(true).unwrap());
    let last = source.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    let scan = &source[last..source.len() - 2];
    let bomb = [&source[..source.len() - 2], &scan.repeat(3000), &[0xFF, 0xD9]].concat();
    let error = quick(|| make(&bomb, &ladder(&[64], &[Format::Jpeg])).unwrap_err());
    assert_eq!(error.code(), "out_of_budget", "{error}");
    assert!(make(&source, &ladder(&[64], &[Format::Jpeg])).is_ok());
}

#[test]
fn compressed_metadata_does_not_unfold() {
    let plain = encoded(swirl(32, 32), ImageFormat::Png);
    let mut deflated = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    (0..300).for_each(|_| deflated.write_all(&zeros).unwrap());
    let deflated = deflated.finish().unwrap();
    for (kind, prefix) in [(b"iCCP", b"x\0\0".as_slice()), (b"zTXt", b"x\0\0"), (b"iTXt", b"x\0\x01\0\0\0")] {
        let bomb = png_chunk(*kind, &[prefix, &deflated].concat());
        let source = [&plain[..33], &bomb, &plain[33..]].concat();
        let limits = Limits { alloc_bytes_max: 8 << 20, ..LIMITS };
        let before = peak_kb();
        let _ = quick(|| {
            render(&source, &ladder(&[32], &[Format::Jpeg]), None, &limits, &false.into(), &mut |_, _| {})
        });
        assert!(peak_kb() < before + 150_000, "{kind:?} unfolded");
    }
}

fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn impossible_ladders_are_named() {
    let source = encoded(swirl(32, 32), ImageFormat::Png);
    let zero = Ladder { rungs: vec![rung(0, &[Format::Jpeg])], crop: None };
    let mut loud = ladder(&[10], &[Format::Jpeg]);
    loud.rungs[0].quality = 101;
    for bad in [zero, loud] {
        assert!(matches!(make(&source, &bad), Err(MediaError::BadLadder { .. })));
    }
}
