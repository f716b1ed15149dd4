//! What is learned of a source without decoding it, held against ExifTool.

use std::ops::Range;

use image::{DynamicImage, ImageFormat};
use media::{Inspected, SourceKind, inspect};
use moxcms::ColorProfile;
use serde_json::Value;
use turbojpeg::Subsamp;

use crate::fixtures::{LIMITS, encoded, heif, jpeg, swirl, through, webp_with};

/// Tags as a camera writes them; each is asked of both.
const TAKEN: [&str; 18] = [
    "-EXIF:Make=Canon",
    "-EXIF:Model=Canon EOS R5",
    "-EXIF:LensModel=RF24-105mm F4 L IS USM",
    "-EXIF:ExposureTime=1/250",
    "-EXIF:FNumber=5.6",
    "-EXIF:ISO=400",
    "-EXIF:FocalLength=35.5",
    "-EXIF:DateTimeOriginal=2026:05:01 10:20:30",
    "-EXIF:SubSecTimeOriginal=25",
    "-EXIF:OffsetTimeOriginal=+02:00",
    "-EXIF:Orientation#=6",
    "-EXIF:GPSLatitude=33.8568",
    "-EXIF:GPSLatitudeRef=S",
    "-EXIF:GPSLongitude=151.2153",
    "-EXIF:GPSLongitudeRef=W",
    "-EXIF:GPSAltitude=12.5",
    "-EXIF:GPSAltitudeRef#=1",
    "-EXIF:SerialNumber=SN-4711",
];

fn written(plain: &[u8], suffix: &str, tags: &[&str]) -> Vec<u8> {
    let args = [&["-q", "-overwrite_original"], tags, &["{in}", "-o", "{out}"]].concat();
    through("exiftool", "libimage-exiftool-perl", plain, (suffix, suffix), &args)
}

fn look(bytes: &[u8]) -> Inspected {
    inspect(bytes, &LIMITS).unwrap()
}

/// What ExifTool reads in the file, numbers as numbers.
fn truth(bytes: &[u8], suffix: &str) -> Value {
    let file = tempfile::Builder::new().suffix(&format!(".{suffix}")).tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let done = std::process::Command::new("exiftool").args(["-j", "-n"]).arg(file.path()).output().unwrap();
    serde_json::from_slice::<Value>(&done.stdout).unwrap()[0].take()
}

fn close(ours: Option<f64>, theirs: &Value) -> bool {
    match (ours, theirs.as_f64()) {
        (Some(ours), Some(theirs)) => (ours - theirs).abs() < 1e-6,
        (ours, theirs) => ours.is_none() && theirs.is_none(),
    }
}

/// Asserts that both saw the same.
fn agree(bytes: &[u8], suffix: &str) -> Inspected {
    let (ours, theirs) = (look(bytes), truth(bytes, suffix));
    let shot = &ours.shot;
    let numbers = [
        (shot.exposure_s, "ExposureTime"),
        (shot.f_number, "FNumber"),
        (shot.iso.map(f64::from), "ISO"),
        (shot.focal_length_mm, "FocalLength"),
        (ours.position.map(|position| position.latitude), "GPSLatitude"),
        (ours.position.map(|position| position.longitude), "GPSLongitude"),
        (ours.position.and_then(|position| position.altitude_m), "GPSAltitude"),
    ];
    for (number, tag) in numbers {
        assert!(close(number, &theirs[tag]), "{suffix} {tag}: {number:?} and {}", theirs[tag]);
    }
    for (text, tag) in [(&shot.make, "Make"), (&shot.model, "Model"), (&shot.lens, "LensModel")] {
        assert_eq!(text.as_deref(), theirs[tag].as_str(), "{suffix} {tag}");
    }
    assert_eq!(ours.probe.icc.as_deref(), theirs["ProfileDescription"].as_str(), "{suffix}");
    // What turns HEIC and AVIF is said outside of EXIF, whose word does not count then.
    let turned_by_exif = !matches!(ours.probe.kind, SourceKind::Heic | SourceKind::Avif);
    let orientation = theirs["Orientation"].as_u64().filter(|_| turned_by_exif);
    assert_eq!(u64::from(ours.probe.orientation), orientation.unwrap_or(1), "{suffix}");
    let (width, height) = (theirs["ImageWidth"].as_u64().unwrap(), theirs["ImageHeight"].as_u64().unwrap());
    let turned = ours.probe.orientation >= 5;
    let (width, height) = if turned { (height, width) } else { (width, height) };
    assert_eq!((u64::from(ours.probe.width), u64::from(ours.probe.height)), (width, height), "{suffix}");
    ours
}

/// Where the EXIF block of a JPEG lies, from its byte order on.
fn exif_in(jpeg: &[u8]) -> Range<usize> {
    let begins = jpeg.windows(6).position(|window| window == b"Exif\0\0").unwrap() + 6;
    let length = usize::from(u16::from_be_bytes([jpeg[begins - 8], jpeg[begins - 7]])) - 8;
    begins..begins + length
}

#[test]
fn exiftool_and_we_read_the_same() {
    let picture = swirl(64, 48);
    let opaque = DynamicImage::from(picture.clone()).into_rgba8();
    let sources = [
        ("jpg", SourceKind::Jpeg, jpeg(&picture, Subsamp::Sub2x2)),
        ("png", SourceKind::Png, encoded(picture.clone(), ImageFormat::Png)),
        ("tif", SourceKind::Tiff, encoded(picture.clone(), ImageFormat::Tiff)),
        ("webp", SourceKind::WebP, encoded(picture.clone(), ImageFormat::WebP)),
        ("heic", SourceKind::Heic, heif(&opaque, false)),
        ("avif", SourceKind::Avif, heif(&opaque, true)),
    ];
    for (suffix, kind, plain) in sources {
        let bare = agree(&plain, suffix);
        assert_eq!((bare.probe.kind, bare.shot, bare.position), (kind, media::Shot::default(), None));
        let taken = if kind == SourceKind::WebP {
            let other = written(&jpeg(&picture, Subsamp::Sub2x2), "jpg", &TAKEN);
            webp_with(&plain, &other[exif_in(&other)])
        } else {
            written(&plain, suffix, &TAKEN)
        };
        let full = agree(&taken, suffix);
        assert_eq!(full.shot.taken_at.as_deref(), Some("2026-05-01T10:20:30.25+02:00"), "{suffix}");
        let position = full.position.unwrap();
        assert!(position.latitude < 0.0 && position.longitude < 0.0 && position.altitude_m.unwrap() < 0.0);
        let serial = serde_json::to_string(&full).unwrap();
        assert!(!serial.contains("4711"), "serial numbers are nobody's business");
    }
}

#[test]
fn exiftool_and_we_call_a_colour_profile_the_same() {
    let picture = swirl(64, 48);
    let sources = [
        ("jpg", jpeg(&picture, Subsamp::Sub2x2)),
        ("png", encoded(picture.clone(), ImageFormat::Png)),
        ("tif", encoded(picture, ImageFormat::Tiff)),
    ];
    for profile in [ColorProfile::new_display_p3(), ColorProfile::new_adobe_rgb()] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), profile.encode().unwrap()).unwrap();
        let with = format!("-ICC_Profile<={}", file.path().display());
        for (suffix, plain) in &sources {
            let seen = agree(&written(plain, suffix, &[&with]), suffix);
            assert!(seen.probe.icc.is_some(), "{suffix}");
        }
    }
}

#[test]
fn what_a_camera_left_out_is_not_made_up() {
    let plain = jpeg(&swirl(32, 32), Subsamp::Sub2x2);
    let dated = |tags: &[&str]| agree(&written(&plain, "jpg", tags), "jpg").shot.taken_at;
    let date = "-EXIF:DateTimeOriginal=2026:05:01 10:20:30";
    assert_eq!(dated(&[date]).as_deref(), Some("2026-05-01T10:20:30"), "a clock without a zone");
    assert_eq!(dated(&["-EXIF:OffsetTimeOriginal=+02:00"]), None, "a zone without a clock");
    let unset = dated(&["-n", "-EXIF:DateTimeOriginal=0000:00:00 00:00:00"]);
    assert_eq!(unset, None, "a clock that was never set");
    // Half a position is none.
    let half = written(&plain, "jpg", &["-EXIF:GPSLatitude=10", "-EXIF:GPSLatitudeRef=N"]);
    assert_eq!(look(&half).position, None);
}

/// The thumbnail has a directory of its own, which may say what it likes.
#[test]
fn what_a_thumbnail_says_is_not_said_of_the_picture() {
    let thumbnail = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(thumbnail.path(), jpeg(&swirl(16, 12), Subsamp::Sub2x2)).unwrap();
    let with = format!("-ThumbnailImage<={}", thumbnail.path().display());
    let tags = [&with[..], "-IFD0:Orientation#=6", "-IFD1:Orientation#=3", "-IFD0:Model=EOS R5"];
    let seen = look(&written(&jpeg(&swirl(64, 48), Subsamp::Sub2x2), "jpg", &tags));
    assert_eq!((seen.probe.orientation, seen.shot.model.as_deref()), (6, Some("EOS R5")));
    assert_eq!((seen.probe.width, seen.probe.height), (48, 64));
}

/// Every byte of the metadata turned over, one at a time: it may say less, and is never a reason to refuse the picture.
#[test]
fn damaged_metadata_says_less_and_refuses_nothing() {
    let whole = written(&jpeg(&swirl(32, 32), Subsamp::Sub2x2), "jpg", &TAKEN);
    for at in exif_in(&whole) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        let seen = look(&damaged);
        let position = seen.position.map(|position| (position.latitude.abs(), position.longitude.abs()));
        assert!(position.is_none_or(|(latitude, longitude)| latitude <= 90.0 && longitude <= 180.0));
        assert!(seen.shot.exposure_s.is_none_or(f64::is_finite));
    }
}
