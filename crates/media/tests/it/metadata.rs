//! What leaves with the picture: the photographer's mark, and nothing else.

use image::ImageFormat;
use media::Format;
use turbojpeg::Subsamp;

use crate::fixtures::{encoded, half_transparent, jpeg, ladder, look, make, splice, swirl, through};

const SECRETS: [&[u8]; 6] =
    [b"GPS", b"52.5200", b"SN-4711", b"http://ns.adobe", b"ICC_PROFILE", b"Photoshop"];

/// A photograph as a camera and an editor leave it, written by ExifTool.
fn loaded() -> Vec<u8> {
    let plain = jpeg(&swirl(320, 240), Subsamp::Sub2x2);
    let args = [
        "-q",
        "-overwrite_original",
        "-EXIF:GPSLatitude=52.5200",
        "-EXIF:GPSLatitudeRef=N",
        "-EXIF:GPSLongitude=13.4",
        "-EXIF:GPSLongitudeRef=E",
        "-EXIF:SerialNumber=SN-4711",
        "-EXIF:Copyright=(c) 2026 Ana Ruiz",
        "-EXIF:Artist=Ana Ruiz",
        "-XMP:GPSLatitude=52.5200",
        "-IPTC:City=Berlin",
        "-EXIF:UserComment=SN-4711",
        "{in}",
        "-o",
        "{out}",
    ];
    through("exiftool", "libimage-exiftool-perl", &plain, ("jpg", "jpg"), &args)
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// What ExifTool finds in a file, apart from what describes the pixels.
fn found(bytes: &[u8], suffix: &str) -> String {
    let file = tempfile::Builder::new().suffix(&format!(".{suffix}")).tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let args = ["-a", "-G", "-EXIF:all", "-XMP:all", "-IPTC:all", "-GPS:all"];
    let done = std::process::Command::new("exiftool").args(args).arg(file.path()).output().unwrap();
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn only_the_mark_survives() {
    let source = loaded();
    assert!(holds(&source, b"SN-4711"), "the fixture holds nothing to lose");
    let rendered = make(&source, &ladder(&[160], &[Format::Jpeg, Format::WebP, Format::Avif])).unwrap();
    assert_eq!(rendered.probe.copyright.as_deref(), Some("(c) 2026 Ana Ruiz"));
    assert_eq!(rendered.probe.credit.as_deref(), Some("Ana Ruiz"));
    for output in &rendered.outputs {
        for secret in SECRETS {
            assert!(
                !holds(&output.bytes, secret),
                "{:?} in {:?}",
                String::from_utf8_lossy(secret),
                output.format
            );
        }
        look(output);
    }
    for output in &rendered.outputs[..2] {
        let text = found(&output.bytes, output.format.extension());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{:?} carries more than the mark:\n{text}", output.format);
        assert!(
            text.contains("Artist") && text.contains(": Ana Ruiz") && text.contains("(c) 2026 Ana Ruiz"),
            "{text}"
        );
    }
}

#[test]
fn without_a_mark_there_is_no_exif_at_all() {
    let source = jpeg(&swirl(100, 80), Subsamp::Sub2x2);
    for output in make(&source, &ladder(&[50], &[Format::Jpeg, Format::WebP])).unwrap().outputs {
        assert!(!holds(&output.bytes, b"Exif") && !holds(&output.bytes, b"EXIF"), "{:?}", output.format);
    }
}

#[test]
fn the_mark_is_found_in_iptc_and_in_xmp() {
    let plain = jpeg(&swirl(64, 64), Subsamp::Sub2x2);
    for group in ["IPTC:CopyrightNotice", "XMP-dc:Rights"] {
        let set = format!("-{group}=(c) Studio Nord");
        let args = ["-q", set.as_str(), "{in}", "-o", "{out}"];
        let source = through("exiftool", "libimage-exiftool-perl", &plain, ("jpg", "jpg"), &args);
        let rendered = make(&source, &ladder(&[64], &[Format::Jpeg])).unwrap();
        assert_eq!(rendered.probe.copyright.as_deref(), Some("(c) Studio Nord"), "{group}");
        assert!(holds(&rendered.outputs[0].bytes, b"(c) Studio Nord"), "{group}");
    }
}

#[test]
fn a_tiff_has_its_mark_and_its_orientation_in_itself() {
    let plain = encoded(swirl(64, 32), ImageFormat::Tiff);
    let args = ["-q", "-n", "-Copyright=(c) Me", "-Orientation=6", "{in}", "-o", "{out}"];
    let source = through("exiftool", "libimage-exiftool-perl", &plain, ("tif", "tif"), &args);
    let probe = make(&source, &ladder(&[64], &[Format::Jpeg])).unwrap().probe;
    assert_eq!((probe.width, probe.height, probe.copyright.as_deref()), (32, 64, Some("(c) Me")));
}

/// Transparent WebP is extended already; the mark has to go into the same container.
#[test]
fn a_transparent_webp_carries_the_mark_too() {
    let plain = encoded(half_transparent(64, 64), ImageFormat::Png);
    let args = ["-q", "-EXIF:Copyright=(c) Me", "{in}", "-o", "{out}"];
    let source = through("exiftool", "libimage-exiftool-perl", &plain, ("png", "png"), &args);
    let output = make(&source, &ladder(&[33], &[Format::WebP])).unwrap().outputs.remove(0);
    assert!(holds(&output.bytes, b"(c) Me"));
    let seen = image::load_from_memory(&output.bytes).unwrap().into_rgba8();
    assert_eq!((seen.get_pixel(3, 9)[3], seen.get_pixel(30, 9)[3]), (255, 0));
}

#[test]
fn a_hidden_thumbnail_does_not_travel() {
    let inner = jpeg(&swirl(32, 32), Subsamp::Sub2x2);
    let source = splice(
        &jpeg(&swirl(64, 64), Subsamp::Sub2x2),
        0xE1,
        &[b"Exif\0\0II\x2a\0", inner.as_slice()].concat(),
    );
    let output = make(&source, &ladder(&[64], &[Format::Jpeg])).unwrap().outputs.remove(0);
    assert_eq!(output.bytes.windows(3).filter(|window| window == b"\xFF\xD8\xFF").count(), 1);
}
