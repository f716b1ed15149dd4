//! Forward geocoding as Mapbox speaks it, version 6: the question, and what an answer means.

use jobs::kinds::geo_geocode::{GeoGeocode, Precision};
use matching::Point;
use serde::Deserialize;
use url::Url;

/// Bytes of an answer: it holds one place.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Characters of an address that are kept.
const ADDRESS_CHARS_MAX: usize = 500;
/// What may be found. A region or a country is no place to send somebody to, and may have several clocks.
const TYPES: &str = "address,secondary_address,block,street,postcode,locality,neighborhood,place";

/// A place that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Where it is.
    pub point: Point,
    /// How exactly that is known.
    pub precision: Precision,
    /// Whether it is surely what was asked for.
    pub is_sure: bool,
    /// What it is called there.
    pub address: Option<String>,
}

/// The answer is none.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It is not of the form that was agreed.
    #[error("the answer is not of the form that was agreed")]
    Form(#[from] serde_json::Error),
    /// It names a place that is not on the Earth.
    #[error("the answer names a place that is not on the Earth")]
    Nowhere,
}

#[derive(Deserialize)]
struct Answer {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    properties: Properties,
}

#[derive(Deserialize)]
struct Properties {
    feature_type: String,
    coordinates: Coordinates,
    full_address: Option<String>,
    name: Option<String>,
    match_code: Option<MatchCode>,
}

#[derive(Deserialize)]
struct Coordinates {
    longitude: f64,
    latitude: f64,
    accuracy: Option<String>,
}

#[derive(Deserialize)]
struct MatchCode {
    confidence: Option<String>,
}

/// The address that has to be got to learn where `asked` is, with the token in it. None when `base` is no address, or nothing
/// is asked.
pub fn question(base: &str, token: &str, asked: &GeoGeocode) -> Option<Url> {
    let address = asked.address.as_deref()?;
    let mut url = Url::parse(base).ok()?.join("/search/geocode/v6/forward").ok()?;
    let countries = asked.countries.join(",");
    // What is kept has to be asked for as such.
    let mut pairs = vec![("q", address), ("permanent", "true"), ("autocomplete", "false"), ("limit", "1")];
    pairs.push(("types", TYPES));
    if !countries.is_empty() {
        pairs.push(("country", &countries));
    }
    pairs.push(("access_token", token));
    url.query_pairs_mut().extend_pairs(pairs);
    Some(url)
}

/// The place that an answer names; none when it names none.
///
/// # Errors
/// When it cannot be read.
pub fn read(body: &[u8]) -> Result<Option<Found>, NoAnswer> {
    let answer: Answer = serde_json::from_slice(body)?;
    let Some(Feature { properties }) = answer.features.into_iter().next() else { return Ok(None) };
    let Some(precision) = precision(&properties) else { return Ok(None) };
    let Coordinates { latitude, longitude, .. } = properties.coordinates;
    let confidence = properties.match_code.and_then(|code| code.confidence);
    let called = properties.full_address.or(properties.name);
    Ok(Some(Found {
        point: Point::new(latitude, longitude).ok_or(NoAnswer::Nowhere)?,
        precision,
        is_sure: matches!(confidence.as_deref(), Some("exact" | "high")),
        address: called.map(|name| name.chars().take(ADDRESS_CHARS_MAX).collect()),
    }))
}

/// How exactly a place is known; none when it is none to send somebody to.
fn precision(properties: &Properties) -> Option<Precision> {
    match (properties.feature_type.as_str(), properties.coordinates.accuracy.as_deref()) {
        ("address" | "secondary_address", Some("rooftop" | "parcel" | "point" | "proximate")) => {
            Some(Precision::Building)
        }
        ("address" | "secondary_address" | "street" | "block", _) => Some(Precision::Street),
        ("postcode" | "locality" | "neighborhood" | "place", _) => Some(Precision::Area),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn asked(address: &str, countries: &[&str]) -> GeoGeocode {
        GeoGeocode {
            address: Some(address.to_owned()),
            countries: countries.iter().map(ToString::to_string).collect(),
            position: None,
        }
    }

    fn answer(feature_type: &str, accuracy: Option<&str>, confidence: Option<&str>) -> Value {
        json!({"type": "FeatureCollection", "features": [{
            "type": "Feature", "id": "x",
            "geometry": {"type": "Point", "coordinates": [-77.05, 38.889]},
            "properties": {
                "mapbox_id": "x", "feature_type": feature_type, "name": "2 Lincoln Memorial Circle Southwest",
                "full_address": "2 Lincoln Memorial Circle Southwest, Washington, District of Columbia 20024, United States",
                "coordinates": {"longitude": -77.05, "latitude": 38.889, "accuracy": accuracy},
                "match_code": {"address_number": "matched", "confidence": confidence},
            }}], "attribution": "© Mapbox"})
    }

    fn found(answer: &Value) -> Option<Found> {
        read(answer.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_question_is_written_so_that_every_character_arrives() {
        let url =
            question("https://api.mapbox.com", "pk.x", &asked("Am Hof 2 & 3, 1010 Wien?", &["at", "de"]));
        let url = url.unwrap();
        assert_eq!(url.path(), "/search/geocode/v6/forward");
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let value =
            |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(value("q"), Some("Am Hof 2 & 3, 1010 Wien?"));
        assert_eq!((value("country"), value("permanent")), (Some("at,de"), Some("true")));
        assert_eq!((value("limit"), value("access_token")), (Some("1"), Some("pk.x")));
        let nothing = GeoGeocode { address: None, ..asked("", &[]) };
        assert!(question("https://api.mapbox.com", "pk.x", &nothing).is_none());
    }

    #[test]
    fn an_answer_says_where_and_how_exactly() {
        let place = found(&answer("address", Some("rooftop"), Some("exact"))).unwrap();
        assert_eq!((place.point.latitude, place.point.longitude), (38.889, -77.05));
        assert!(place.is_sure && place.precision == Precision::Building);
        assert!(place.address.unwrap().starts_with("2 Lincoln Memorial Circle Southwest, Washington"));
        for (feature, accuracy, precision) in [
            ("address", Some("interpolated"), Precision::Street),
            ("address", None, Precision::Street),
            ("street", None, Precision::Street),
            ("postcode", None, Precision::Area),
            ("place", None, Precision::Area),
        ] {
            let place = found(&answer(feature, accuracy, Some("low"))).unwrap();
            assert!(place.precision == precision && !place.is_sure, "{feature} {accuracy:?}");
        }
    }

    #[test]
    fn what_is_no_place_is_none() {
        assert_eq!(found(&json!({"type": "FeatureCollection", "features": []})), None);
        for too_large in ["region", "country", "district", "something_new"] {
            assert_eq!(found(&answer(too_large, None, None)), None, "{too_large}");
        }
        let mut nowhere = answer("address", Some("point"), None);
        nowhere["features"][0]["properties"]["coordinates"]["latitude"] = json!(148.2);
        assert!(matches!(read(nowhere.to_string().as_bytes()), Err(NoAnswer::Nowhere)));
        assert!(matches!(read(b"<html>"), Err(NoAnswer::Form(_))));
    }

    proptest! {
        #[test]
        fn no_answer_does_harm(noise in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
            let mut body = answer("address", None, None).to_string().into_bytes();
            let at = at.index(body.len());
            body.splice(at..at, noise);
            let _ = read(&body);
            let _ = read(&body[..at]);
        }
    }
}
