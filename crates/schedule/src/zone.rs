//! Time zones by the names of the IANA database, which is built into the program.

use std::{fmt, str::FromStr};

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

/// The release of the IANA database that this program knows, such as `2025b`.
pub const ZONES_RELEASE: &str = chrono_tz::IANA_TZDB_VERSION;

/// Longest stretch of the clock that a zone has ever skipped, in minutes: a day, when one crossed the date line.
const GAP_MINUTES_MAX: i64 = 24 * 60;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(pub(crate) Tz);

impl Zone {
    /// Coordinated universal time, which never changes its offset.
    pub const UTC: Self = Self(Tz::UTC);

    /// The names of all zones, in the order of the alphabet.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TZ_VARIANTS.iter().map(|zone| zone.name())
    }

    /// Its name, such as `Europe/Berlin`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What a clock on the wall shows at `at`, with the offset: `2026-10-25T02:30:00+01:00`.
    pub fn local(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.0).to_rfc3339()
    }

    /// What a clock on the wall shows at `at`, without the offset.
    pub fn wall(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.0).naive_local()
    }

    /// When the clock shows `wall`: of two moments the first that lies after `after`, and the end of the gap when the
    /// clock skips it.
    pub fn showing(self, wall: NaiveDateTime, after: DateTime<Utc>) -> DateTime<Utc> {
        for minutes in 0..=GAP_MINUTES_MAX {
            match self.0.from_local_datetime(&(wall + TimeDelta::minutes(minutes))) {
                LocalResult::Single(at) => return at.to_utc(),
                LocalResult::Ambiguous(first, second) => {
                    let first = first.to_utc();
                    return if first > after { first } else { second.to_utc() };
                }
                LocalResult::None => {}
            }
        }
        wall.and_utc()
    }

    /// When an appointment at `wall` is: of two moments the first, and when the clock skips it, as much later as the clock
    /// skips. So calendars read the times of their entries.
    pub fn appointed(self, wall: NaiveDateTime) -> DateTime<Utc> {
        match self.0.from_local_datetime(&wall) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
            LocalResult::None => {
                // A day before, the clock went as it did before the gap.
                let day = TimeDelta::days(1);
                self.showing(wall - day, DateTime::<Utc>::MIN_UTC) + day
            }
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No zone has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no zone of the IANA database {ZONES_RELEASE} is called so; {}", advice(*meant))]
pub struct UnknownZone {
    meant: Option<&'static str>,
}

fn advice(meant: Option<&str>) -> String {
    meant.map_or_else(
        || "write a name such as Europe/Berlin or UTC".to_owned(),
        |name| format!("write {name}"),
    )
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        name.parse().map(Self).map_err(|_| {
            let close = TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name.trim()));
            UnknownZone { meant: close.map(|zone| zone.name()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_is_read_both_ways() {
        let (zone, before) = ("Europe/Berlin".parse::<Zone>().unwrap(), DateTime::<Utc>::MIN_UTC);
        let showing = |wall: &str| zone.local(zone.showing(wall.parse().unwrap(), before));
        assert_eq!(showing("2026-07-01T08:00:00"), "2026-07-01T08:00:00+02:00");
        assert_eq!(showing("2026-03-29T02:30:00"), "2026-03-29T03:00:00+02:00");
        assert_eq!(showing("2026-10-25T02:30:00"), "2026-10-25T02:30:00+02:00");
        let at = "2026-01-01T23:30:00Z".parse().unwrap();
        assert_eq!(zone.wall(at).to_string(), "2026-01-02 00:30:00");
    }

    #[test]
    fn an_appointment_in_a_gap_is_as_much_later_as_the_clock_skips() {
        for (zone, wall, at) in [
            ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:00Z"),
            ("America/New_York", "2026-03-09T02:30:00", "2026-03-09T06:30:00Z"),
            ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z"),
            ("Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:45:00Z"),
            ("Asia/Kathmandu", "2026-06-01T12:00:00", "2026-06-01T06:15:00Z"),
            ("Pacific/Apia", "2011-12-30T10:00:00", "2011-12-30T20:00:00Z"),
        ] {
            let appointed = zone.parse::<Zone>().unwrap().appointed(wall.parse().unwrap());
            assert_eq!(appointed, at.parse::<DateTime<Utc>>().unwrap(), "{zone} {wall}");
        }
    }

    #[test]
    fn a_zone_is_found_by_its_name_and_a_slip_is_named() {
        assert_eq!("Europe/Berlin".parse::<Zone>().unwrap().name(), "Europe/Berlin");
        assert!("europe/berlin".parse::<Zone>().unwrap_err().to_string().ends_with("write Europe/Berlin"));
        for wrong in ["", "Berlin", "+02:00", "Europe/Berlin\0"] {
            let said = wrong.parse::<Zone>().unwrap_err().to_string();
            assert!(said.contains("such as Europe/Berlin"), "{wrong:?}: {said}");
        }
    }
}
