//! Does `geo.geocode`. The zone is looked up here, whoever says where the place is.

use jobs::{
    Failure, Outcome,
    failure::Problem,
    kinds::geo_geocode::{Coordinates, GeoGeocode, Geocoded, Precision},
};
use matching::Point;
use places::{mapbox::Found, zone_at};

use crate::{breakers::Called, cx::Cx, geocoder::Lost, registry::Handle};

impl Handle for GeoGeocode {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Geocoded> {
        let found = match self.position {
            Some(Coordinates { latitude, longitude }) => given(latitude, longitude, self.address)?,
            None => looked_up(&self, cx).await?,
        };
        // The first look reads all the shapes once.
        let zone = tokio::task::spawn_blocking(move || zone_at(found.point)).await?;
        Ok(Geocoded {
            position: Coordinates { latitude: found.point.latitude, longitude: found.point.longitude },
            timezone: zone.map(|zone| zone.name().to_owned()),
            precision: found.precision,
            sure: found.is_sure,
            address: found.address,
        })
    }
}

fn given(latitude: f64, longitude: f64, address: Option<String>) -> Outcome<Found> {
    let nowhere = || Failure::discard("no_place", "these coordinates are not on the Earth");
    let point = Point::new(latitude, longitude).ok_or_else(nowhere)?;
    Ok(Found { point, precision: Precision::Given, is_sure: true, address })
}

async fn looked_up(asked: &GeoGeocode, cx: &Cx<'_>) -> Outcome<Found> {
    let geocoder = &cx.deps.geocoder;
    let leave = cx.deps.breakers.enter(Called::Provider(geocoder.name()), cx.tenant()).map_err(|wait| {
        let why = "whoever knows addresses did not answer the last times and is left alone for a while";
        Failure::Snooze { wait, problem: Problem::new("geocoder_away", why) }
    })?;
    let found = geocoder.find(asked).await;
    leave.told(found.as_ref().map_or_else(Lost::is_answer, |_| true));
    let unknown = || Failure::discard("address_not_found", "nobody knows where this address is");
    found.map_err(Lost::into_failure)?.ok_or_else(unknown)
}
