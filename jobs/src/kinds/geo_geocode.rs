//! `geo.geocode`: where an address is, and which clock hangs there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Backoff, Invalid, Job, Policy, Priority, Queue, Unique, UniqueFor};

/// Characters of an address: whoever is asked takes no more.
pub const ADDRESS_CHARS_MAX: usize = 256;
/// Words of it.
pub const ADDRESS_WORDS_MAX: usize = 20;
/// Countries that are looked in.
pub const COUNTRIES_MAX: usize = 20;

/// Finds an address, and says which zone it is in. Where coordinates are given nobody is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeoGeocode {
    /// The address on one line, from the house number to the country: at most 256 characters and 20 words, without semicolons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), extend("x-private" = true))]
    pub address: Option<String>,
    /// Only look in these countries: ISO 3166-1, two small letters, such as `at`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub countries: Vec<String>,
    /// Where it is, where that is known already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-private" = true))]
    pub position: Option<Coordinates>,
}

/// A place, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Coordinates {
    /// North of the equator; south of it below zero.
    #[schemars(range(min = -90.0, max = 90.0))]
    pub latitude: f64,
    /// East of Greenwich; west of it below zero.
    #[schemars(range(min = -180.0, max = 180.0))]
    pub longitude: f64,
}

/// How exactly it is known where something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// The coordinates were given.
    Given,
    /// The building, or its plot.
    Building,
    /// Somewhere on the street.
    Street,
    /// Somewhere in the area of the post code or the town.
    Area,
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Geocoded {
    /// Where.
    #[schemars(extend("x-private" = true))]
    pub position: Coordinates,
    /// The zone that it is in, such as `Europe/Vienna`; none where nobody's clock hangs.
    pub timezone: Option<String>,
    /// How exactly it is known.
    pub precision: Precision,
    /// Whether it is surely what was asked for; if not, a person should look.
    pub sure: bool,
    /// What it is called where it was found.
    #[schemars(extend("x-private" = true))]
    pub address: Option<String>,
}

impl Job for GeoGeocode {
    const KIND: &'static str = "geo.geocode";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Find where an address is, and its time zone";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 8,
        timeout_s: 60,
        backoff: Backoff { base_ms: 1_000, cap_s: 300 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Geocoded;

    fn check(&self) -> Result<(), Invalid> {
        if let Some(Coordinates { latitude, longitude }) = self.position {
            let is_there = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
            let range = "takes a latitude from -90 to 90 and a longitude from -180 to 180";
            Invalid::unless(is_there, "/position", range)?;
        }
        let Some(address) = &self.address else {
            return Invalid::unless(self.position.is_some(), "", "takes an address or a position");
        };
        let chars = address.chars().count();
        let words = address.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).count();
        let is_short = chars <= ADDRESS_CHARS_MAX && (1..=ADDRESS_WORDS_MAX).contains(&words);
        Invalid::unless(is_short, "/address", "takes 1 to 20 words with at most 256 characters")?;
        let is_line = !address.contains(|c: char| c == ';' || c.is_control());
        Invalid::unless(is_line, "/address", "is one line without semicolons")?;
        Invalid::unless(self.countries.len() <= COUNTRIES_MAX, "/countries", "takes at most 20 countries")?;
        for (index, country) in self.countries.iter().enumerate() {
            let is_code = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_lowercase());
            Invalid::unless(is_code, &format!("/countries/{index}"), "takes two small letters, such as at")?;
        }
        Ok(())
    }

    fn unique(&self) -> Option<Unique> {
        let asked = serde_json::to_vec(self).ok()?;
        Some(Unique { key: hex::encode(Sha256::digest(asked)), lasts: UniqueFor::UntilDone })
    }

    fn example() -> Self {
        let position = Coordinates { latitude: 48.208_2, longitude: 16.373_8 };
        Self { address: None, countries: Vec::new(), position: Some(position) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(address: &str) -> GeoGeocode {
        GeoGeocode { address: Some(address.to_owned()), countries: Vec::new(), position: None }
    }

    #[test]
    fn what_cannot_be_asked_is_refused_where_it_stands() {
        let long = "x".repeat(ADDRESS_CHARS_MAX + 1);
        let wordy = "a ".repeat(ADDRESS_WORDS_MAX + 1);
        for wrong in ["", " , ", "Am Hof 2; Wien", "Am Hof 2\nWien", &long, &wordy] {
            assert_eq!(asked(wrong).check().unwrap_err().pointer, "/address", "{wrong:?}");
        }
        assert_eq!(GeoGeocode { address: None, ..asked("") }.check().unwrap_err().pointer, "");
        let somewhere = GeoGeocode { countries: vec!["at".into(), "AUT".into()], ..asked("Am Hof 2, Wien") };
        assert_eq!(somewhere.check().unwrap_err().pointer, "/countries/1");
        let swapped = Coordinates { latitude: 148.2, longitude: 16.4 };
        let swapped = GeoGeocode { position: Some(swapped), ..asked("Am Hof 2, Wien") };
        assert_eq!(swapped.check().unwrap_err().pointer, "/position");
        assert!(asked("Straße des 17. Juni 135, 10623 Berlin").check().is_ok());
    }

    #[test]
    fn the_same_question_is_the_same_work() {
        let key = |asked: GeoGeocode| asked.unique().unwrap().key;
        assert_eq!(key(asked("Am Hof 2, Wien")), key(asked("Am Hof 2, Wien")));
        assert_ne!(key(asked("Am Hof 2, Wien")), key(asked("Am Hof 3, Wien")));
    }
}
