//! Ladders of a fixed shape, around a point of the picture as it is displayed.

use image::GrayImage;
use media::{Crop, FocalPoint, Format, Ladder, MediaError};
use turbojpeg::Subsamp;

use crate::fixtures::{
    BLUE, GREEN, RED, WHITE, assert_quadrants, exif_orientation, jpeg, ladder, look, make, png, quadrants,
    splice, swirl,
};

fn cropped(shape: (u32, u32), at: (u16, u16), edges: &[u32]) -> Ladder {
    let focal_point = FocalPoint { x_permille: at.0, y_permille: at.1 };
    let formats = [Format::Jpeg, Format::WebP];
    Ladder { crop: Some(Crop { width: shape.0, height: shape.1, focal_point }), ..ladder(edges, &formats) }
}

/// A quarter of the picture, by the point in its middle: one colour, whichever way the camera was held.
#[test]
fn the_point_is_where_people_see_it() {
    let stored = jpeg(&quadrants(400, 200), Subsamp::Sub2x2);
    for orientation in 1..=8 {
        let source = splice(&stored, 0xE1, &exif_orientation(orientation, true));
        let whole = look(&make(&source, &ladder(&[400], &[Format::Jpeg])).unwrap().outputs[0]);
        // A strip along the shorter side, at either end of the longer one.
        let shape = if orientation >= 5 { (200, 100) } else { (100, 200) };
        for end in [0, 1_000] {
            let made = make(&source, &cropped(shape, (end, end), &[200, 60])).unwrap();
            assert_eq!(made.probe.orientation, orientation as u8);
            for output in &made.outputs {
                let seen = look(output);
                let ratio = f64::from(seen.width()) / f64::from(seen.height());
                assert!(
                    (ratio - f64::from(shape.0) / f64::from(shape.1)).abs() < 0.01,
                    "{:?}",
                    seen.dimensions()
                );
                for (x, y) in [(1, 1), (3, 1), (1, 3), (3, 3)] {
                    let part = seen.get_pixel(seen.width() * x / 4, seen.height() * y / 4).0;
                    let near = |side: u32, kept: u32, of: u32| {
                        if end == 0 { kept * of / 4 } else { side - kept + kept * of / 4 }
                    };
                    let place = (near(whole.width(), shape.0, x), near(whole.height(), shape.1, y));
                    let wanted = whole.get_pixel(place.0, place.1).0;
                    let is_near = part.iter().zip(wanted).all(|(seen, wanted)| seen.abs_diff(wanted) < 24);
                    assert!(is_near, "orientation {orientation}, end {end}: {part:?}, wanted {wanted:?}");
                }
            }
        }
    }
}

#[test]
fn every_kind_of_picture_is_cut_at_the_same_place() {
    let picture = quadrants(300, 200);
    let alpha = image::DynamicImage::from(picture.clone()).into_rgba8();
    let sources =
        [jpeg(&picture, Subsamp::Sub2x2), jpeg(&picture, Subsamp::None), png(picture.clone()), png(alpha)];
    for source in sources {
        let made = make(&source, &cropped((1, 1), (500, 500), &[200, 50])).unwrap();
        for output in &made.outputs {
            assert_eq!(output.width, output.height);
            assert_quadrants(&look(output), [RED, GREEN, BLUE, WHITE], &output.rung);
        }
    }
    let gray = GrayImage::from_fn(300, 200, |x, _| image::Luma([if x < 100 { 20 } else { 230 }]));
    let made = make(&png(gray), &cropped((1, 1), (1_000, 0), &[200])).unwrap();
    assert!(look(&made.outputs[0]).pixels().all(|pixel| pixel.0[0] > 200), "the dark third is cut off");
}

/// Whatever is kept, the same picture is made by cutting the whole one.
#[test]
fn a_part_is_the_part_of_the_whole() {
    let source = png(swirl(640, 427));
    let whole = look(&make(&source, &ladder(&[640], &[Format::Jpeg])).unwrap().outputs[0]);
    let part = make(&source, &cropped((4, 5), (300, 700), &[427])).unwrap().outputs.remove(0);
    assert_eq!((part.width, part.height), (342, 427));
    let left = 640 * 300 / 1_000 - 342 / 2;
    let (seen, wanted) = (look(&part), image::imageops::crop_imm(&whole, left & !1, 0, 342, 427).to_image());
    let off: u64 = seen.as_raw().iter().zip(wanted.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(off < 2 * seen.as_raw().len() as u64, "off by {off}");
}

#[test]
fn nothing_is_enlarged_and_the_placeholder_shows_everything() {
    let source = png(swirl(64, 48));
    let made = make(&source, &cropped((4, 5), (500, 500), &[1_350])).unwrap();
    assert_eq!((made.outputs[0].width, made.outputs[0].height), (38, 48));
    let whole = make(&source, &ladder(&[1_350], &[Format::Jpeg])).unwrap();
    assert_eq!(made.thumbhash, whole.thumbhash);
}

#[test]
fn impossible_shapes_are_named() {
    let source = png(swirl(32, 32));
    for bad in
        [cropped((0, 5), (0, 0), &[10]), cropped((5, 0), (0, 0), &[10]), cropped((1, 1), (0, 1_001), &[10])]
    {
        assert!(matches!(make(&source, &bad), Err(MediaError::BadLadder { .. })));
    }
}
