//! The eight ways a camera can be held.

use image::ImageFormat;
use media::{Format, probe};
use turbojpeg::Subsamp;

use crate::fixtures::{
    BLUE, GREEN, LIMITS, RED, WHITE, assert_quadrants, encoded, exif_orientation, heif, jpeg, ladder, look,
    make, one, png, png_chunk, quadrants, splice, through, webp_with,
};

/// Reading order of the quadrants as displayed, by EXIF value.
const DISPLAYED: [[[u8; 3]; 4]; 8] = [
    [RED, GREEN, BLUE, WHITE],
    [GREEN, RED, WHITE, BLUE],
    [WHITE, BLUE, GREEN, RED],
    [BLUE, WHITE, RED, GREEN],
    [RED, BLUE, GREEN, WHITE],
    [BLUE, RED, WHITE, GREEN],
    [WHITE, GREEN, BLUE, RED],
    [GREEN, WHITE, RED, BLUE],
];

#[test]
fn every_orientation_has_its_size_and_its_corners() {
    let stored = jpeg(&quadrants(301, 200), Subsamp::Sub2x2);
    for (orientation, corners) in (1..=8).zip(DISPLAYED) {
        for big_endian in [false, true] {
            let source = splice(&stored, 0xE1, &exif_orientation(orientation, big_endian));
            let rendered = make(&source, &ladder(&[301, 151, 40], &[Format::Jpeg, Format::WebP])).unwrap();
            let turned = orientation >= 5;
            assert_eq!(rendered.probe.orientation, orientation as u8);
            assert_eq!(
                (rendered.probe.width, rendered.probe.height),
                if turned { (200, 301) } else { (301, 200) }
            );
            for (output, (long, short)) in rendered
                .outputs
                .chunks(2)
                .zip([(301, 200), (151, 100), (40, 27)])
                .flat_map(|(pair, size)| pair.iter().map(move |output| (output, size)))
            {
                let size = if turned { (short, long) } else { (long, short) };
                assert_eq!((output.width, output.height), size, "orientation {orientation}");
                assert_quadrants(
                    &look(output),
                    corners,
                    &format!("orientation {orientation}, {output:.0?}", output = output.rung),
                );
            }
        }
    }
}

#[test]
fn what_is_no_jpeg_is_turned_as_it_says_too() {
    let picture = quadrants(64, 48);
    let (png, webp) = (png(picture.clone()), encoded(picture, ImageFormat::WebP));
    for (orientation, corners) in (1..=8).zip(DISPLAYED) {
        let exif = &exif_orientation(orientation, true)[6..];
        let size = if orientation >= 5 { (48, 64) } else { (64, 48) };
        let told = [&png[..33], &png_chunk(*b"eXIf", exif), &png[33..]].concat();
        for source in [told, webp_with(&webp, exif)] {
            let output = one(&source, 64, Format::Jpeg);
            assert_eq!((output.width, output.height), size, "orientation {orientation}");
            assert_quadrants(&look(&output), corners, &format!("orientation {orientation}"));
        }
    }
}

/// The scale of a scaled decode has to be chosen against the side that the stored axis becomes.
#[test]
fn a_turned_picture_is_as_sharp_as_an_upright_one() {
    let upright = jpeg(&quadrants(1600, 800), Subsamp::Sub2x2);
    let turned = splice(&upright, 0xE1, &exif_orientation(6, false));
    let seen = make(&turned, &ladder(&[800], &[Format::Jpeg])).unwrap().outputs.remove(0);
    assert_eq!((seen.width, seen.height), (400, 800));
    assert_quadrants(&look(&seen), DISPLAYED[5], "half size, turned");
}

#[test]
fn the_first_of_two_exif_segments_counts() {
    let stored = jpeg(&quadrants(64, 32), Subsamp::Sub2x2);
    let second = splice(&stored, 0xE1, &exif_orientation(3, false));
    let both = splice(&second, 0xE1, &exif_orientation(6, true));
    assert_eq!(probe(&both, &LIMITS).unwrap().orientation, 6);
}

#[test]
fn nonsense_is_upright() {
    let stored = jpeg(&quadrants(64, 32), Subsamp::Sub2x2);
    for value in [0, 9, 300] {
        let source = splice(&stored, 0xE1, &exif_orientation(value, false));
        assert_eq!(probe(&source, &LIMITS).unwrap().orientation, 1);
    }
    let mut past_the_end = exif_orientation(6, false);
    past_the_end[10..14].copy_from_slice(&0xFFFF_FF00_u32.to_le_bytes());
    assert_eq!(probe(&splice(&stored, 0xE1, &past_the_end), &LIMITS).unwrap().orientation, 1);
    assert_eq!(probe(&png(quadrants(8, 8)), &LIMITS).unwrap().orientation, 1);
}

/// In HEIC the container says how to turn and EXIF only repeats it: here EXIF says 6 and the container nothing.
#[test]
fn exif_does_not_turn_heic() {
    let stored = splice(&jpeg(&quadrants(320, 200), Subsamp::Sub2x2), 0xE1, &exif_orientation(6, false));
    let args = ["-q", "95", "{in}", "-o", "{out}"];
    let heic = through("heif-enc", "libheif-examples", &stored, ("jpg", "heic"), &args);
    let output = make(&heic, &ladder(&[320], &[Format::Jpeg])).unwrap().outputs.remove(0);
    assert_eq!((output.width, output.height), (320, 200));
    assert_quadrants(&look(&output), DISPLAYED[0], "heic, EXIF orientation 6");
}

/// Phones write a rotation box. Our encoder does not, so its last descriptive box is made into one: a quarter
/// turn clockwise, which the standard counts as three anticlockwise.
#[test]
fn the_container_turns_heic_once() {
    let mut heic = heif(&image::DynamicImage::from(quadrants(320, 200)).into_rgba8(), false);
    let at = heic.windows(4).position(|window| window == b"pixi").unwrap();
    heic[at..at + 12].copy_from_slice(b"irot\x03\0\0\0\0\0\0\0");
    let rendered = make(&heic, &ladder(&[320], &[Format::Jpeg])).unwrap();
    assert_eq!((rendered.probe.width, rendered.probe.height), (200, 320));
    assert_quadrants(&look(&rendered.outputs[0]), DISPLAYED[5], "heic, turned by its container");
}
