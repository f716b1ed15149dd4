//! What providers of calendars say: believed when they prove it, and then the calendar is read.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use jobs::{CalendarChannelId, CalendarLinkId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::calendars;

use crate::{
    app::{Answer, TestApp, settings},
    calendars::technician,
};

const SECRET: &str = "repeated";

/// A channel of a calendar with this provider, whose first reading was asked for.
async fn channel(app: &TestApp, party: &str, provider: &str) -> CalendarChannelId {
    let body = json!({"party": party, "provider": provider, "refresh_token": "r"});
    let made = app.post("/v1/calendar-links", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let link: CalendarLinkId = made.body["id"].as_str().unwrap().parse().unwrap();
    let id = CalendarChannelId::new();
    let secret = Sha256::digest(SECRET).into();
    calendars::watch(&app.worker, app.tenant, link, (id, secret)).await.unwrap().unwrap();
    is_asked_for(app).await;
    id
}

/// Whether something of a calendar is asked for since it was asked before.
async fn is_asked_for(app: &TestApp) -> bool {
    calendars::ask(&app.worker).await.unwrap() > 0
}

async fn ping(app: &TestApp, rest: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut request = app.http.post(app.url(&format!("/v1/hooks/calendars/{rest}"))).body(body.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.unwrap()).await
}

fn signed(secret: &str, body: &Value) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.to_string().as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn google_repeats_what_it_was_given() {
    let app = TestApp::start().await;
    let id = channel(&app, &technician(&app).await, "google").await.to_string();
    let says = async |token: &str, state: &str| {
        ping(&app, &id, &[("x-goog-channel-token", token), ("x-goog-resource-state", state)], &json!(""))
            .await
    };
    assert_eq!(says(SECRET, "sync").await.status, StatusCode::ACCEPTED);
    assert!(!is_asked_for(&app).await, "it only says that it can reach us");
    says("guessed", "exists").await.problem(401, "signature_refused");
    ping(&app, &id, &[("x-goog-resource-state", "exists")], &json!(""))
        .await
        .problem(401, "signature_refused");
    assert!(!is_asked_for(&app).await);
    for _ in 0..2 {
        assert_eq!(says(SECRET, "exists").await.status, StatusCode::ACCEPTED);
    }
    assert!(is_asked_for(&app).await);
    ping(&app, &CalendarChannelId::new().to_string(), &[], &json!("")).await.problem(404, "not_found");
    ping(&app, "x", &[], &json!("")).await.problem(404, "not_found");
}

#[tokio::test]
async fn microsoft_asks_first_and_repeats_in_each_notice() {
    let app = TestApp::start().await;
    let id = channel(&app, &technician(&app).await, "microsoft").await;
    let asked = ping(&app, &format!("{id}?validationToken=are%20you%3Cb%3E"), &[], &json!("")).await;
    assert_eq!((asked.status, asked.text.as_str()), (StatusCode::OK, "are you<b>"));
    assert_eq!(asked.header("content-type"), Some("text/plain; charset=utf-8"));
    let long = format!("{id}?validationToken={}", "x".repeat(2_000));
    ping(&app, &long, &[], &json!("")).await.problem(400, "invalid_parameter");
    let notice = |state: &str| json!({"subscriptionId": "s", "clientState": state, "changeType": "updated"});
    let id = id.to_string();
    for body in [
        json!({"value": [notice(SECRET), notice("guessed")]}),
        json!({"value": []}),
        json!({"value": [{"subscriptionId": "s"}]}),
        json!([]),
    ] {
        ping(&app, &id, &[], &body).await.problem(401, "signature_refused");
    }
    let large = json!({"value": [notice(SECRET)], "x": "x".repeat(100_000)});
    ping(&app, &id, &[], &large).await.problem(413, "payload_too_large");
    assert!(!is_asked_for(&app).await);
    let said = ping(&app, &id, &[], &json!({"value": [notice(SECRET), notice(SECRET)]})).await;
    assert_eq!(said.status, StatusCode::ACCEPTED);
    assert!(is_asked_for(&app).await);
}

#[tokio::test]
async fn cronofy_signs_with_the_secret_of_its_client() {
    let known = api::Settings { cronofy_secret: Some("client-secret".to_owned().into()), ..settings() };
    let app = TestApp::start_with(known).await;
    let id = channel(&app, &technician(&app).await, "cronofy").await.to_string();
    let body = |kind: &str| json!({"notification": {"type": kind, "changes_since": "2026-07-01T10:00:00Z"}});
    let says = async |kind: &str, secret: &str| {
        let body = body(kind);
        ping(&app, &id, &[("cronofy-hmac-sha256", &signed(secret, &body))], &body).await
    };
    says("change", "another").await.problem(401, "signature_refused");
    assert_eq!(says("verification", "client-secret").await.status, StatusCode::ACCEPTED);
    assert!(!is_asked_for(&app).await);
    assert_eq!(says("change", "client-secret").await.status, StatusCode::ACCEPTED);
    assert!(is_asked_for(&app).await);
}
