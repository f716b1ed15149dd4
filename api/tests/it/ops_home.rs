//! What the dashboard's home says is wrong.

use api::UserRole;
use reqwest::StatusCode;
use serde_json::json;

use crate::{app::TestApp, ops::Person};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_was_switched_off_is_an_alarm() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let made = app.post("/v1/webhook-endpoints", &json!({"url": "https://example.com/hook"})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let (status, home) = ann.page("/ops/t/acme").await;
    assert_eq!(status, StatusCode::OK);
    assert!(!home.contains("Switched off"), "{home}");
    app.execute(
        "update webhook_endpoint set disabled_at = now(), disabled_reason = 'nothing got through for 5 days'",
    )
    .await;
    let (_, home) = ann.page("/ops/t/acme").await;
    let link = format!("/ops/t/acme/webhooks/out/{}", made.body["id"].as_str().unwrap());
    for said in ["Switched off", &link, "nothing got through for 5 days"] {
        assert!(home.contains(said), "{said}: {home}");
    }
}
