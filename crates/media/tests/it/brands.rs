//! A mark over pictures of every kind.

use image::{GrayImage, Luma, RgbImage};
use media::{Brand, Corner, Format, MediaError, render};
use turbojpeg::Subsamp;

use crate::fixtures::{BLUE, LIMITS, RED, half_transparent, jpeg, ladder, look, png};

/// Red on its left half, nothing on its right one.
fn brand(corner: Corner, opacity_percent: u8) -> Brand {
    Brand { mark: png(half_transparent(200, 100)), corner, width_percent: 50, opacity_percent }
}

fn branded(source: &[u8], brand: &Brand, format: Format) -> Result<RgbImage, MediaError> {
    let made =
        render(source, &ladder(&[400], &[format]), Some(brand), &LIMITS, &false.into(), &mut |_, _| {})?;
    Ok(look(&made.outputs[0]))
}

#[track_caller]
fn is_about(picture: &RgbImage, (x, y): (u32, u32), colour: [u8; 3]) {
    let seen = picture.get_pixel(x, y).0;
    assert!(
        seen.iter().zip(colour).all(|(seen, wanted)| seen.abs_diff(wanted) < 24),
        "{seen:?} at {x}, {y}; wanted {colour:?}"
    );
}

#[test]
fn a_mark_covers_what_it_shows_and_nothing_else() {
    let blue = RgbImage::from_pixel(400, 200, image::Rgb(BLUE));
    let gray = GrayImage::from_pixel(400, 200, Luma([200]));
    for (source, under) in [
        (jpeg(&blue, Subsamp::Sub2x2), BLUE),
        (png(blue.clone()), BLUE),
        (png(gray), [200; 3]),
        (png(image::RgbaImage::from_pixel(400, 200, image::Rgba([BLUE[0], BLUE[1], BLUE[2], 254]))), BLUE),
    ] {
        for format in [Format::Jpeg, Format::WebP] {
            let seen = branded(&source, &brand(Corner::TopLeft, 100), format).unwrap();
            is_about(&seen, (30, 30), RED);
            is_about(&seen, (180, 30), under);
            is_about(&seen, (30, 150), under);
            let seen = branded(&source, &brand(Corner::BottomRight, 100), format).unwrap();
            is_about(&seen, (30, 30), under);
            is_about(&seen, (230, 180), RED);
        }
    }
}

#[test]
fn half_a_mark_lets_half_through() {
    let white = RgbImage::from_pixel(400, 200, image::Rgb([255; 3]));
    let seen = branded(&png(white), &brand(Corner::TopLeft, 50), Format::Jpeg).unwrap();
    is_about(&seen, (30, 30), RED.map(|value| u8::midpoint(value, 255)));
}

#[test]
fn a_mark_that_is_no_picture_is_told_apart_from_the_photograph() {
    let white = png(RgbImage::from_pixel(40, 20, image::Rgb([255; 3])));
    let broken = Brand { mark: b"<svg/>".to_vec(), ..brand(Corner::Center, 100) };
    let refused = branded(&white, &broken, Format::Jpeg).unwrap_err();
    assert_eq!(refused.code(), "bad_brand", "{refused}");
}
