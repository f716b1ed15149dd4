//! What bounds the dashboard, and what it does not take from the API.

use api::UserRole;
use reqwest::{Method, StatusCode};

use crate::{
    app::{TestApp, settings},
    ops::Person,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_refused_for_a_while_says_for_how_long() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let mut answers = Vec::new();
    for _ in 0..31 {
        answers.push(ann.request(Method::GET, "/ops/t/acme/audit").send().await.unwrap());
    }
    assert_eq!(answers[0].status(), StatusCode::FORBIDDEN);
    let last = answers.pop().unwrap();
    assert_eq!(last.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = last.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(last.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_pages_take_no_event_stream_from_the_tenant() {
    let app = TestApp::start_with(api::Settings { streams_max: 1, ..settings() }).await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let live = ann.request(Method::GET, "/ops/t/acme/live").send().await.unwrap();
    assert_eq!(live.status(), StatusCode::OK);
    let events = app.request(Method::GET, "/v1/events").send().await.unwrap();
    assert_eq!(events.status(), StatusCode::OK);
    let one_too_many = app.request(Method::GET, "/v1/events").send().await.unwrap();
    assert_eq!(one_too_many.status(), StatusCode::TOO_MANY_REQUESTS);
    let mut pages = Vec::new();
    for _ in 1..30 {
        pages.push(ann.request(Method::GET, "/ops/t/acme/live").send().await.unwrap());
    }
    assert!(pages.iter().all(|page| page.status() == StatusCode::OK), "thirty pages of one person");
    let another = ann.request(Method::GET, "/ops/t/acme/live").send().await.unwrap();
    assert_eq!(another.status(), StatusCode::TOO_MANY_REQUESTS);
}
