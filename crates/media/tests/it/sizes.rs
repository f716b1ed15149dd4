//! Exact sizes, the odd ones first.

use media::Format;
use turbojpeg::Subsamp;

use crate::fixtures::{encoded, jpeg, ladder, look, make, one, png, quadrants, swirl};

const BOTH: [Format; 2] = [Format::Jpeg, Format::WebP];

#[test]
fn odd_sizes_come_out_exact() {
    for (width, height) in [(1, 1), (1, 9), (9, 1), (2, 1), (3, 5), (17, 31), (2047, 1365)] {
        let picture = swirl(width, height);
        for subsamp in [Subsamp::Sub2x2, Subsamp::Sub2x1, Subsamp::None] {
            let source = jpeg(&picture, subsamp);
            let edges = [4096, width.max(height), (width.max(height) / 2).max(1), 3, 1];
            for output in make(&source, &ladder(&edges, &BOTH)).unwrap().outputs {
                look(&output);
                assert!(output.width >= 1 && output.height >= 1);
            }
        }
    }
}

#[test]
fn every_rung_is_derived_from_the_original() {
    let source = jpeg(&swirl(600, 400), Subsamp::Sub2x2);
    let rendered = make(&source, &ladder(&[32, 204, 128, 64], &[Format::Jpeg])).unwrap();
    let sizes: Vec<_> =
        rendered.outputs.iter().map(|output| (output.rung.as_str(), output.width, output.height)).collect();
    assert_eq!(sizes, [("e32", 32, 21), ("e204", 204, 136), ("e128", 128, 85), ("e64", 64, 43)]);
}

#[test]
fn a_small_source_is_not_enlarged() {
    let source = png(quadrants(90, 60));
    for output in make(&source, &ladder(&[2048, 640], &BOTH)).unwrap().outputs {
        assert_eq!((output.width, output.height), (90, 60));
    }
}

#[test]
fn panoramas_keep_a_height_and_fit_their_format() {
    let source = jpeg(&swirl(20_000, 1000), Subsamp::Sub2x2);
    let rendered = make(&source, &ladder(&[20_000, 320, 8], &BOTH)).unwrap();
    let sizes: Vec<_> = rendered.outputs.iter().map(|output| (output.width, output.height)).collect();
    assert_eq!(sizes, [(20_000, 1000), (16_383, 819), (320, 16), (320, 16), (8, 1), (8, 1)]);
    rendered.outputs.iter().for_each(|output| drop(look(output)));
}

#[test]
fn a_strip_one_pixel_wide_stays_one_pixel_wide() {
    for source in [jpeg(&swirl(1, 20_000), Subsamp::Sub2x2), png(swirl(1, 20_000))] {
        let rendered = make(&source, &ladder(&[2_048, 320], &BOTH)).unwrap();
        let sizes: Vec<_> = rendered.outputs.iter().map(|output| (output.width, output.height)).collect();
        assert_eq!(sizes, [(1, 2_048), (1, 2_048), (1, 320), (1, 320)]);
        rendered.outputs.iter().for_each(|output| drop(look(output)));
    }
}

#[test]
fn equal_input_gives_equal_bytes() {
    let rungs = ladder(&[200, 90], &[Format::Jpeg, Format::WebP, Format::Avif]);
    for source in [jpeg(&swirl(401, 299), Subsamp::Sub2x2), png(swirl(200, 100))] {
        assert_eq!(make(&source, &rungs).unwrap(), make(&source, &rungs).unwrap());
    }
}

#[test]
fn a_ladder_without_rungs_still_probes_and_hashes() {
    let rendered = make(&png(swirl(300, 200)), &ladder(&[], &[])).unwrap();
    assert!(rendered.outputs.is_empty());
    let (width, height, _) = thumbhash::thumb_hash_to_rgba(&rendered.thumbhash).unwrap();
    assert!(width > height);
}

/// The hash is of the displayed colours, so its mean is the picture's mean.
#[test]
fn the_hash_has_the_colour_of_the_picture() {
    let green = image::RgbImage::from_pixel(700, 500, image::Rgb([40, 160, 60]));
    for source in [jpeg(&green, Subsamp::Sub2x2), encoded(green.clone(), image::ImageFormat::Png)] {
        let rendered = make(&source, &ladder(&[320], &[Format::WebP])).unwrap();
        let (r, g, b, a) = thumbhash::thumb_hash_to_average_rgba(&rendered.thumbhash).unwrap();
        for (seen, expected) in [(r, 40.0), (g, 160.0), (b, 60.0), (a, 255.0)] {
            assert!((seen * 255.0 - expected).abs() < 12.0, "{seen} for {expected}");
        }
    }
}

#[test]
fn quality_changes_the_bytes() {
    let source = jpeg(&swirl(500, 300), Subsamp::Sub2x2);
    let good = one(&source, 400, Format::Jpeg).bytes.len();
    let mut rungs = ladder(&[400], &[Format::Jpeg]);
    rungs.rungs[0].quality = 30;
    assert!(make(&source, &rungs).unwrap().outputs[0].bytes.len() < good);
}
