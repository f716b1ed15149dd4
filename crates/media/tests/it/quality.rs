//! The outputs hold up against a reference that spares nothing: full decode, one Lanczos pass in RGB.

use image::RgbImage;
use image::imageops::{FilterType, resize};
use media::Format;
use turbojpeg::Subsamp;

use crate::fixtures::{jpeg_with, ladder, look, make, photograph};

fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    let squares: f64 =
        a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 / (squares / a.as_raw().len() as f64)).log10()
}

fn decoded(bytes: &[u8]) -> RgbImage {
    image::load_from_memory(bytes).unwrap().into_rgb8()
}

#[test]
fn a_rung_is_close_to_the_reference() {
    for name in ["YellowFlower.jpg", "Dune.jpg"] {
        let source = photograph(name);
        let full = image::load_from_memory(&source).unwrap().into_rgb8();
        let rendered = make(&source, &ladder(&[1280, 641], &[Format::Jpeg, Format::WebP])).unwrap();
        for output in &rendered.outputs {
            let reference = resize(&full, output.width, output.height, FilterType::Lanczos3);
            let decibels = psnr(&look(output), &reference);
            // What the encoder alone costs the reference itself: nothing made from planes can be far above.
            let ceiling = psnr(
                &decoded(&jpeg_with(&reference, Subsamp::Sub2x2, |encoder| {
                    encoder.set_quality(90).unwrap();
                })),
                &reference,
            );
            let context =
                format!("{name} {} {:?}: {decibels:.1} dB of {ceiling:.1}", output.rung, output.format);
            println!("{context}");
            assert!(decibels > 35.0_f64.min(ceiling - 1.5), "{context}");
        }
    }
}
