//! How and where a picture was taken, as its camera wrote it down. Read for whoever owns the picture; none of it is
//! written into anything that is made from it.

use exif::{Exif, Field, In, Rational, Reader, Tag, Value};
use serde::{Deserialize, Serialize};

use crate::error::contained;

/// How a picture was taken. What the camera did not write down, or wrote down as nonsense, is not there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    /// Maker of the camera.
    pub make: Option<String>,
    /// The camera.
    pub model: Option<String>,
    /// The lens.
    pub lens: Option<String>,
    /// How long the shutter was open, in seconds.
    pub exposure_s: Option<f64>,
    /// The aperture.
    pub f_number: Option<f64>,
    /// The sensitivity.
    pub iso: Option<u32>,
    /// The focal length, in millimetres.
    pub focal_length_mm: Option<f64>,
    /// When, by the camera's clock, as in RFC 3339. Without a zone at its end where the camera did not write one down.
    pub taken_at: Option<String>,
}

/// Where a picture was taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// In degrees, north of the equator.
    pub latitude: f64,
    /// In degrees, east of Greenwich.
    pub longitude: f64,
    /// In metres above the sea.
    pub altitude_m: Option<f64>,
}

/// Reads a TIFF structure (an EXIF block after its `Exif\0\0`, or a TIFF file). Nonsense says nothing: a picture is not
/// refused because its metadata is broken.
pub(crate) fn read(tiff: Vec<u8>) -> (Shot, Option<Position>) {
    let parsed = contained(|| {
        let mut reader = Reader::new();
        let exif = reader.continue_on_error(true).read_raw(tiff);
        let exif = exif.or_else(|error| error.distill_partial_result(|_| {}));
        let exif = exif.map_err(crate::MediaError::corrupt)?;
        Ok((shot(&exif), position(&exif)))
    });
    parsed.unwrap_or_default()
}

fn shot(exif: &Exif) -> Shot {
    Shot {
        make: text(exif, Tag::Make),
        model: text(exif, Tag::Model),
        lens: text(exif, Tag::LensModel),
        exposure_s: number(exif, Tag::ExposureTime),
        f_number: number(exif, Tag::FNumber),
        iso: field(exif, Tag::PhotographicSensitivity).and_then(|field| field.value.get_uint(0)),
        focal_length_mm: number(exif, Tag::FocalLength),
        taken_at: taken_at(exif),
    }
}

fn field(exif: &Exif, tag: Tag) -> Option<&Field> {
    exif.get_field(tag, In::PRIMARY)
}

fn text(exif: &Exif, tag: Tag) -> Option<String> {
    let Value::Ascii(lines) = &field(exif, tag)?.value else { return None };
    crate::rights::clean(lines.first()?)
}

fn rationals(exif: &Exif, tag: Tag) -> Option<&[Rational]> {
    let Value::Rational(numbers) = &field(exif, tag)?.value else { return None };
    Some(numbers)
}

/// Nothing that is measured here is zero, and what is divided by zero is no number.
fn number(exif: &Exif, tag: Tag) -> Option<f64> {
    finite(*rationals(exif, tag)?.first()?).filter(|number| *number > 0.0)
}

fn finite(number: Rational) -> Option<f64> {
    (number.denom != 0).then(|| number.to_f64())
}

/// `2026:05:01 10:20:30`, a fraction and `+02:00`, each in a field of its own, as `2026-05-01T10:20:30.25+02:00`.
fn taken_at(exif: &Exif) -> Option<String> {
    let moment = text(exif, Tag::DateTimeOriginal)?;
    let (date, time) = moment.split_once(' ')?;
    let date: Vec<&str> = date.split(':').collect();
    let time_of_day: Vec<&str> = time.split(':').collect();
    let ([year, month, day], [hour, minute, second]) = (&date[..], &time_of_day[..]) else { return None };
    let fits = within(year, 4, 1, 9_999)
        && within(month, 2, 1, 12)
        && within(day, 2, 1, 31)
        && within(hour, 2, 0, 23)
        && within(minute, 2, 0, 59)
        && within(second, 2, 0, 60);
    if !fits {
        return None;
    }
    let fraction = text(exif, Tag::SubSecTimeOriginal)
        .filter(|digits| digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .map(|digits| format!(".{digits}"));
    let zone = text(exif, Tag::OffsetTimeOriginal).filter(|zone| is_zone(zone));
    let (fraction, zone) = (fraction.unwrap_or_default(), zone.unwrap_or_default());
    Some(format!("{year}-{month}-{day}T{time}{fraction}{zone}"))
}

fn within(digits: &str, length: usize, least: u32, most: u32) -> bool {
    let is_number = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number && digits.parse().is_ok_and(|number| (least..=most).contains(&number))
}

fn is_zone(zone: &str) -> bool {
    let Some((hours, minutes)) = zone.strip_prefix(['+', '-']).and_then(|unsigned| unsigned.split_once(':'))
    else {
        return zone == "Z";
    };
    within(hours, 2, 0, 23) && within(minutes, 2, 0, 59)
}

fn position(exif: &Exif) -> Option<Position> {
    let latitude = degrees(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, ["N", "S"], 90.0)?;
    let longitude = degrees(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, ["E", "W"], 180.0)?;
    let below = field(exif, Tag::GPSAltitudeRef).and_then(|field| match &field.value {
        Value::Byte(bytes) => bytes.first().copied(),
        _ => None,
    });
    let altitude_m = rationals(exif, Tag::GPSAltitude).and_then(|numbers| finite(*numbers.first()?));
    let altitude_m = altitude_m.map(|metres| if below == Some(1) { -metres } else { metres });
    Some(Position { latitude, longitude, altitude_m })
}

/// Degrees, minutes and seconds, and the side they are counted to.
fn degrees(exif: &Exif, tag: Tag, side_tag: Tag, toward: [&str; 2], most: f64) -> Option<f64> {
    let [whole, minutes, seconds] = rationals(exif, tag)? else { return None };
    let angle = finite(*whole)? + finite(*minutes)? / 60.0 + finite(*seconds).unwrap_or_default() / 3_600.0;
    let letter = text(exif, side_tag)?;
    if angle > most || !toward.contains(&letter.as_str()) {
        return None;
    }
    Some(if letter == toward[1] { -angle } else { angle })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_says_nothing() {
        for bytes in [&b""[..], b"II\x2a\x00", b"MM\x00\x2a\xff\xff\xff\xff", b"not a structure at all"] {
            assert_eq!(read(bytes.to_vec()), (Shot::default(), None));
        }
    }

    #[test]
    fn only_zones_are_zones() {
        for zone in ["+02:00", "-09:30", "Z"] {
            assert!(is_zone(zone), "{zone}");
        }
        for other in ["", "02:00", "+2:00", "+24:00", "+02:60", "CEST", "+02-00"] {
            assert!(!is_zone(other), "{other}");
        }
    }
}
