//! Where a visit is and where those who could do it start from: a picture without streets, made here, so that no map service learns
//! where anybody lives.

use matching::Point;
use maud::{Markup, html};
use tr::tr;

use super::words;

/// The side of the picture, and what stays free around it.
const SIDE: f64 = 240.0;
const MARGIN: f64 = 24.0;
/// Metres of a degree of latitude.
const METRES_A_DEGREE: f64 = 111_320.0;
/// The least that half of the picture shows, in metres: neighbours are no map apart.
const NEIGHBOURS_M: f64 = 300.0;

/// The visit in the middle, north above, and each of `starts` under the number of their place in the ranking.
pub(super) fn of(visit: Point, starts: &[(usize, Point)]) -> Markup {
    let apart: Vec<(usize, f64, f64)> =
        starts.iter().map(|(place, start)| (*place, east(visit, *start), north(visit, *start))).collect();
    let farthest =
        apart.iter().flat_map(|(_, east, north)| [east.abs(), north.abs()]).fold(NEIGHBOURS_M, f64::max);
    let scale = (SIDE / 2.0 - MARGIN) / farthest;
    let spot = |metres: f64| format!("{:.1}", SIDE / 2.0 + metres * scale);
    let distance = words::decimal(farthest / 1_000.0);
    let said = tr!(
        "The visit in the middle, north above, and {count} of those who were ranked around it; the edge is {distance} km away",
        count = starts.len(),
        distance
    );
    html! {
        figure.map {
            svg role="img" aria-label=(said) viewBox={ "0 0 " (SIDE) " " (SIDE) } {
                @for share in [1.0, 0.5] { circle.ring cx=(SIDE / 2.0) cy=(SIDE / 2.0) r=((SIDE / 2.0 - MARGIN) * share) {} }
                path.visit d={ "M" (SIDE / 2.0) " " (SIDE / 2.0 - 7.0) "l7 7l-7 7l-7 -7z" } {}
                @for (place, east, north) in &apart {
                    g {
                        circle.start cx=(spot(*east)) cy=(spot(-north)) r="9" {}
                        text x=(spot(*east)) y=(spot(-north)) dy="4" text-anchor="middle" { (place) }
                    }
                }
            }
            figcaption.soft { (tr!(
                "◆ the visit; numbers are places in the ranking, where they start from now. The outer ring is {distance} km away, north is above.",
                distance
            )) }
        }
    }
}

fn north(from: Point, to: Point) -> f64 {
    (to.latitude - from.latitude) * METRES_A_DEGREE
}

/// The shorter way around.
fn east(from: Point, to: Point) -> f64 {
    let degrees = (to.longitude - from.longitude + 540.0).rem_euclid(360.0) - 180.0;
    degrees * METRES_A_DEGREE * from.latitude.to_radians().cos()
}

#[cfg(test)]
mod tests {
    use matching::Point;

    use super::{east, north, of};

    #[test]
    fn places_lie_where_they_are() {
        let berlin = Point::new(52.5, 13.4).unwrap();
        assert!((north(berlin, Point::new(53.5, 13.4).unwrap()) - 111_320.0).abs() < 1.0);
        let across = east(Point::new(0.0, 179.5).unwrap(), Point::new(0.0, -179.5).unwrap());
        assert!((across - 111_320.0).abs() < 1.0, "over the date line: {across}");
        let map = of(berlin, &[(1, Point::new(52.6, 13.4).unwrap())]).into_string();
        assert!(map.contains("cx=\"120.0\" cy=\"24.0\"") && map.contains(">1</text>"), "{map}");
        assert!(of(berlin, &[(1, berlin)]).into_string().contains("0.3 km"), "neighbours are no map apart");
    }
}
