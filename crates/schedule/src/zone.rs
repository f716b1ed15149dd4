//! Time zones by the names of the IANA database, which is built into the program.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

/// The release of the IANA database that this program knows, such as `2025b`.
pub const ZONES_RELEASE: &str = chrono_tz::IANA_TZDB_VERSION;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(pub(crate) Tz);

impl Zone {
    /// Coordinated universal time, which never changes its offset.
    pub const UTC: Self = Self(Tz::UTC);

    /// Its name, such as `Europe/Berlin`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What a clock on the wall shows at `at`, with the offset: `2026-10-25T02:30:00+01:00`.
    pub fn local(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.0).to_rfc3339()
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
    fn a_zone_is_found_by_its_name_and_a_slip_is_named() {
        assert_eq!("Europe/Berlin".parse::<Zone>().unwrap().name(), "Europe/Berlin");
        assert!("europe/berlin".parse::<Zone>().unwrap_err().to_string().ends_with("write Europe/Berlin"));
        for wrong in ["", "Berlin", "+02:00", "Europe/Berlin\0"] {
            let said = wrong.parse::<Zone>().unwrap_err().to_string();
            assert!(said.contains("such as Europe/Berlin"), "{wrong:?}: {said}");
        }
    }
}
