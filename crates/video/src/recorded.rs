//! How and where a film was recorded, as its camera wrote it down. Read for whoever owns the film; none of it is written
//! into anything that is made from it.

use chrono::{DateTime, Datelike, FixedOffset, SecondsFormat};
use ffmpeg_next::DictionaryRef;
use serde::{Deserialize, Serialize};

/// Longest word that is kept of what a camera wrote.
const WORD_CHARS_MAX: usize = 200;
/// Boxes count seconds from 1904, and cameras whose clock was never set write a zero.
const FIRST_YEAR: i32 = 1971;

/// How a film was recorded. What the camera did not write down, or wrote down as nonsense, is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Maker of the camera.
    pub make: Option<String>,
    /// The camera.
    pub model: Option<String>,
    /// When, as in RFC 3339: by the camera's clock where it wrote down its zone, else in UTC.
    pub taken_at: Option<String>,
}

/// Where a film was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// In degrees, north of the equator.
    pub latitude: f64,
    /// In degrees, east of Greenwich.
    pub longitude: f64,
    /// In metres above the sea.
    pub altitude_m: Option<f64>,
}

/// Reads what libav found beside the streams, under the names that phones and cameras use.
pub(crate) fn read(metadata: &DictionaryRef<'_>) -> (Recorded, Option<Position>) {
    let first = |names: &[&str]| names.iter().find_map(|name| metadata.get(name));
    let recorded = Recorded {
        make: first(&["com.apple.quicktime.make", "com.android.manufacturer", "make"]).and_then(word),
        model: first(&["com.apple.quicktime.model", "com.android.model", "model"]).and_then(word),
        taken_at: first(&["com.apple.quicktime.creationdate"])
            .and_then(moment)
            .or_else(|| first(&["creation_time"]).and_then(moment)),
    };
    let position = first(&["com.apple.quicktime.location.ISO6709", "location", "location-eng"]);
    (recorded, position.and_then(iso6709))
}

fn word(written: &str) -> Option<String> {
    let kept: String = written.chars().filter(|c| !c.is_control()).take(WORD_CHARS_MAX).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

fn moment(written: &str) -> Option<String> {
    let moment: DateTime<FixedOffset> = DateTime::parse_from_rfc3339(written)
        .or_else(|_| DateTime::parse_from_str(written, "%Y-%m-%dT%H:%M:%S%z"))
        .ok()?;
    (moment.year() >= FIRST_YEAR).then(|| moment.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// ISO 6709, annex H, in decimal degrees: `+52.5000+013.4000+034.5/`, with or without a height.
fn iso6709(written: &str) -> Option<Position> {
    let written = written.trim_end_matches('/');
    let starts: Vec<usize> = written.match_indices(['+', '-']).map(|(at, _)| at).collect();
    if starts.first() != Some(&0) {
        return None;
    }
    let ends = starts.iter().skip(1).copied().chain([written.len()]);
    let numbers: Option<Vec<f64>> =
        starts.iter().zip(ends).take(3).map(|(from, to)| written.get(*from..to)?.parse().ok()).collect();
    let numbers = numbers?;
    let (latitude, longitude) = (*numbers.first()?, *numbers.get(1)?);
    (latitude.abs() <= 90.0 && longitude.abs() <= 180.0).then(|| Position {
        latitude,
        longitude,
        altitude_m: numbers.get(2).copied(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn positions_come_with_and_without_a_height() {
        let at = |latitude, longitude, altitude_m| Some(Position { latitude, longitude, altitude_m });
        assert_eq!(iso6709("+52.5000+013.4000/"), at(52.5, 13.4, None));
        assert_eq!(iso6709("-33.8688+151.2093-002.500/"), at(-33.8688, 151.2093, Some(-2.5)));
        for nonsense in
            ["", "/", "+52.5", "52.5+13.4", "+91.0+000.0/", "+10.0+181.0/", "+1e9+1", "++", "+é+é"]
        {
            assert_eq!(iso6709(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_clock_that_was_never_set_says_nothing() {
        assert_eq!(moment("2026-05-01T12:20:30+0200").as_deref(), Some("2026-05-01T12:20:30+02:00"));
        assert_eq!(moment("2026-05-01T10:20:30.000000Z").as_deref(), Some("2026-05-01T10:20:30Z"));
        assert_eq!(moment("1904-01-01T00:00:00.000000Z"), None);
        assert_eq!(moment("yesterday"), None);
    }

    proptest! {
        #[test]
        fn nothing_a_camera_writes_breaks_it(written in "\\PC{0,40}") {
            let _ = (iso6709(&written), moment(&written));
            prop_assert!(word(&written).is_none_or(|word| word.chars().count() <= WORD_CHARS_MAX));
        }
    }
}
