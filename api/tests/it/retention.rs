//! How long history is kept, as tenants ask for it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

async fn put(app: &TestApp, body: &Value) -> Answer {
    Answer::of(app.request(Method::PUT, "/v1/retention").json(body).send().await.unwrap()).await
}

#[tokio::test]
async fn rules_are_set_and_seen() {
    let app = TestApp::start().await;
    let none = json!({"days": null, "kinds": {}});
    assert_eq!(app.get("/v1/retention").await.body, none);
    let rules = json!({"days": 14, "kinds": {"probe.work": 3}});
    let set = put(&app, &rules).await;
    assert_eq!((set.status.as_u16(), &set.body), (200, &rules), "{}", set.text);
    assert_eq!(app.get("/v1/retention").await.body, rules);
    assert_eq!(put(&app, &json!({})).await.body, none, "what is not said is not asked for");

    let wrong = json!({"days": 0, "kinds": {"probe.work": 3_651, "no.such": 1}});
    let refused = put(&app, &wrong).await.problem(422, "invalid_body");
    assert_eq!(refused.pointers(), ["/days", "/kinds/no.such", "/kinds/probe.work"]);
    put(&app, &json!({"hours": 1})).await.problem(422, "invalid_body");
    assert_eq!(app.get("/v1/retention").await.body, none);
}

#[tokio::test]
async fn only_an_admin_sets_them() {
    let mut app = TestApp::start().await;
    let stranger = app.stranger().await;
    put(&app, &json!({"days": 1})).await;
    app.key = app.key_of(app.tenant, &["queue:operate", "jobs:read", "jobs:write"]).await;
    put(&app, &json!({"days": 2})).await.problem(403, "missing_scope");
    assert_eq!(app.get("/v1/retention").await.body["days"], 1);
    app.key = stranger;
    assert_eq!(app.get("/v1/retention").await.body["days"], Value::Null, "of another tenant");
}
