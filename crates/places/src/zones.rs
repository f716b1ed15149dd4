//! Which clock hangs at a place. Nobody is asked.

use std::sync::LazyLock;

use matching::Point;
use schedule::Zone;
use tzf_rs::EmbeddedFinder;

/// Opened at the first question: that looks at all of it once.
static SHAPES: LazyLock<EmbeddedFinder> = LazyLock::new(EmbeddedFinder::new);

/// The zone of a place; none where the shapes have none, or one that this program has no clock for. Borders are simplified: within
/// some hundred metres of one it may be that of the other side.
pub fn zone_at(point: Point) -> Option<Zone> {
    SHAPES.get_tz_name(point.longitude, point.latitude).parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(latitude: f64, longitude: f64) -> &'static str {
        zone_at(Point::new(latitude, longitude).unwrap()).unwrap().name()
    }

    #[test]
    fn places_have_the_clock_that_hangs_there() {
        for (latitude, longitude, name) in [
            (48.208_2, 16.373_8, "Europe/Vienna"),
            (40.712_8, -74.006, "America/New_York"),
            (33.448_4, -112.074, "America/Phoenix"),
            (-33.868_8, 151.209_3, "Australia/Sydney"),
            (27.717_2, 85.324, "Asia/Kathmandu"),
            (39.928_9, 116.388_3, "Asia/Shanghai"),
        ] {
            assert_eq!(zone(latitude, longitude), name);
        }
    }

    #[test]
    fn the_sea_and_the_ends_of_the_earth_have_one_too() {
        for (latitude, longitude) in [(0.0, -30.0), (90.0, 0.0), (-90.0, 0.0), (0.0, 180.0), (0.0, -180.0)] {
            let point = Point::new(latitude, longitude).unwrap();
            // Whatever it is, it is one that this program has a clock for, or it is none.
            assert!(zone_at(point).is_none_or(|zone| !zone.name().is_empty()), "{point:?}");
        }
        assert!(zone_at(Point::new(0.0, -30.0).unwrap()).is_some(), "the Atlantic");
    }

    proptest! {
        #[test]
        fn no_place_does_harm(latitude in -90.0..=90.0f64, longitude in -180.0..=180.0f64) {
            let _ = zone_at(Point::new(latitude, longitude).unwrap());
        }
    }
}
