//! Places on the Earth, how far they lie apart, and what lies within reach.

use serde::{Deserialize, Serialize};

/// The mean radius of the Earth, in metres.
const EARTH_M: f64 = 6_371_008.8;

/// A place, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// North of the equator; south of it below zero.
    pub latitude: f64,
    /// East of Greenwich; west of it below zero.
    pub longitude: f64,
}

impl Point {
    /// The place at these degrees; none for numbers that name no place.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        ((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude))
            .then_some(Self { latitude, longitude })
    }

    /// How far `other` is along a great circle, in whole metres.
    pub fn metres_to(&self, other: &Self) -> u32 {
        let (one, two) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half = |from: f64, to: f64| ((to - from) / 2.0).sin().powi(2);
        let across = half(self.longitude.to_radians(), other.longitude.to_radians());
        let haversine = half(one, two) + one.cos() * two.cos() * across;
        (2.0 * EARTH_M * haversine.min(1.0).sqrt().asin()).round() as u32
    }
}

/// What holds every place within some distance of one, and little else. East may lie past 180° and west before -180°.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach {
    /// Its lowest latitude.
    pub south: f64,
    /// Its lowest longitude.
    pub west: f64,
    /// Its highest latitude.
    pub north: f64,
    /// Its highest longitude.
    pub east: f64,
}

impl Reach {
    /// What lies within `metres` of `point`.
    pub fn of(point: Point, metres: u32) -> Self {
        // A little more, because distances are rounded.
        let angle = (f64::from(metres) + 1.0) / EARTH_M;
        let (south, north) = (point.latitude - angle.to_degrees(), point.latitude + angle.to_degrees());
        let ratio = angle.sin() / point.latitude.to_radians().cos();
        // A circle that holds a pole holds every longitude.
        let wide =
            if south <= -90.0 || north >= 90.0 || ratio >= 1.0 { 360.0 } else { ratio.asin().to_degrees() };
        Self { south, west: point.longitude - wide, north, east: point.longitude + wide }
    }

    /// Whether `point` lies in it, however its longitude is written.
    pub fn holds(&self, point: Point) -> bool {
        (self.south..=self.north).contains(&point.latitude)
            && [-360.0, 0.0, 360.0]
                .iter()
                .any(|turn| (self.west..=self.east).contains(&(point.longitude + turn)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metres(one: (f64, f64), two: (f64, f64)) -> u32 {
        Point::new(one.0, one.1).unwrap().metres_to(&Point::new(two.0, two.1).unwrap())
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        assert_eq!(metres((-17.0, 179.99), (-17.0, -179.99)), 2_127, "across the antimeridian");
        assert_eq!(metres((0.0, 0.0), (0.0, 180.0)), 20_015_114, "half way round");
        assert_eq!(metres((90.0, 0.0), (90.0, 135.0)), 0, "the pole is one place");
        assert_eq!(metres((48.208_2, 16.373_8), (47.070_7, 15.439_5)), 144_560, "Vienna to Graz");
        assert!(Point::new(16.4, 148.2).is_some() && Point::new(148.2, 16.4).is_none(), "swapped");
        assert!(Point::new(f64::NAN, 0.0).is_none() && Point::new(0.0, f64::INFINITY).is_none());
    }

    proptest! {
        #[test]
        fn whoever_is_near_is_within_reach(
            latitude in -90.0..=90.0f64, longitude in -180.0..=180.0f64,
            other in (-90.0..=90.0f64, -180.0..=180.0f64), near in (-0.5..=0.5f64, -0.5..=0.5f64), metres in 1..300_000u32,
        ) {
            let home = Point::new(latitude, longitude).unwrap();
            let close = Point::new(latitude + near.0, longitude + near.1);
            for place in [Point::new(other.0, other.1), close].into_iter().flatten() {
                prop_assert!(home.metres_to(&place) > metres || Reach::of(home, metres).holds(place), "{place:?}");
            }
        }
    }
}
