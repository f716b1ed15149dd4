//! Where addresses are, by a server that answers as Mapbox documents.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    extract::{Query, State as Shared},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use jobs::{
    JobId, State,
    kinds::geo_geocode::{Coordinates, GeoGeocode, Geocoded, Precision},
};
use serde::Deserialize;
use serde_json::json;
use store::enqueue::NewJob;

use crate::world::World;

#[derive(Deserialize)]
struct Question {
    q: String,
    permanent: bool,
    autocomplete: bool,
    limit: u32,
    country: Option<String>,
    access_token: String,
}

/// Counts the questions.
type Asked = Arc<AtomicUsize>;

async fn forward(Shared(asked): Shared<Asked>, Query(question): Query<Question>) -> Response {
    let count = asked.fetch_add(1, Ordering::SeqCst);
    if question.access_token != "pk.test" {
        let refusal = json!({"message": "Not Authorized - Invalid Token"});
        return (StatusCode::UNAUTHORIZED, Json(refusal)).into_response();
    }
    assert!(question.permanent && !question.autocomplete && question.limit == 1);
    if question.q.starts_with("Busy") && count == 0 {
        let wait = [("retry-after", "1")];
        return (StatusCode::TOO_MANY_REQUESTS, wait, Json(json!({"message": "Too Many Requests"})))
            .into_response();
    }
    if question.q.starts_with("Odd") {
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"message": "q is odd"}))).into_response();
    }
    let features = if question.q.starts_with("Nowhere") {
        json!([])
    } else {
        let confidence = if question.country.as_deref() == Some("at") { "exact" } else { "low" };
        json!([{"type": "Feature", "id": "dXJu", "geometry": {"type": "Point", "coordinates": [16.3668, 48.2109]},
        "properties": {
            "mapbox_id": "dXJu", "feature_type": "address", "name": "Am Hof 2", "place_formatted": "1010 Wien, Austria",
            "full_address": "Am Hof 2, 1010 Wien, Austria",
            "coordinates": {"longitude": 16.3668, "latitude": 48.2109, "accuracy": "rooftop",
                "routable_points": [{"name": "default", "latitude": 48.211, "longitude": 16.367}]},
            "match_code": {"address_number": "matched", "street": "matched", "confidence": confidence},
            "context": {"country": {"mapbox_id": "x", "name": "Austria", "country_code": "AT"}},
        }}])
    };
    let answer =
        json!({"type": "FeatureCollection", "features": features, "attribution": "NOTICE: © Mapbox"});
    Json(answer).into_response()
}

async fn serve() -> (String, Asked) {
    let asked = Asked::default();
    let router = Router::new().route("/search/geocode/v6/forward", get(forward)).with_state(asked.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, asked)
}

async fn submit(world: &World, address: &str, countries: &[&str]) -> JobId {
    let countries = countries.iter().map(ToString::to_string).collect();
    let job = GeoGeocode { address: Some(address.to_owned()), countries, position: None };
    world.enqueue(&[NewJob::of(&job).unwrap()]).await[0]
}

async fn found(world: &World, job: JobId) -> Geocoded {
    let record = world.reaches(job, State::Completed).await;
    let result = record.result.unwrap().0.inline().unwrap().clone();
    serde_json::from_value(result).unwrap()
}

async fn code(world: &World, job: JobId) -> String {
    world.reaches(job, State::Discarded).await.error.unwrap().0["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_address_is_found_with_its_clock() {
    let (world, (url, asked)) = (World::new().await, serve().await);
    let settings = ["--webhooks-loopback", "true", "--mapbox-url", &url, "--mapbox-token", "pk.test"];
    let _worker = world.start(&settings);

    let place = found(&world, submit(&world, "Am Hof 2, Wien", &["at"]).await).await;
    assert_eq!(place.timezone.as_deref(), Some("Europe/Vienna"));
    assert_eq!(place.address.as_deref(), Some("Am Hof 2, 1010 Wien, Austria"));
    assert!(place.precision == Precision::Building && place.sure, "{place:?}");
    assert_eq!(place.position, Coordinates { latitude: 48.2109, longitude: 16.3668 });
    let doubtful = found(&world, submit(&world, "Am Hof 2", &[]).await).await;
    assert!(!doubtful.sure, "{doubtful:?}");

    assert_eq!(code(&world, submit(&world, "Nowhere 1", &[]).await).await, "address_not_found");
    assert_eq!(code(&world, submit(&world, "Odd 1", &[]).await).await, "address_refused");
    assert_eq!(asked.load(Ordering::SeqCst), 4, "what is certain is asked once");
}

#[tokio::test]
async fn whoever_wants_to_be_left_alone_is_asked_again_later() {
    let (world, (url, asked)) = (World::new().await, serve().await);
    let settings = ["--webhooks-loopback", "true", "--mapbox-url", &url, "--mapbox-token", "pk.test"];
    let _worker = world.start(&settings);
    found(&world, submit(&world, "Busy 1, Wien", &["at"]).await).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn without_anybody_to_ask_only_coordinates_are_understood() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    assert_eq!(code(&world, submit(&world, "Am Hof 2, Wien", &[]).await).await, "no_geocoder");
    let position = Some(Coordinates { latitude: -33.8688, longitude: 151.2093 });
    let job = GeoGeocode { address: Some("Sydney".into()), countries: Vec::new(), position };
    let job = world.enqueue(&[NewJob::of(&job).unwrap()]).await[0];
    let place = found(&world, job).await;
    assert_eq!((place.timezone.as_deref(), place.precision), (Some("Australia/Sydney"), Precision::Given));
    assert_eq!(place.address.as_deref(), Some("Sydney"));
}
