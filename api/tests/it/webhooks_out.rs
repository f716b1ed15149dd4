//! Those who are told what happens, over HTTP. Nobody tells them anything here.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, completed, fresh};

pub(crate) async fn endpoint(app: &TestApp, more: Value) -> Value {
    let mut body = json!({"url": "https://example.com/hook"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = app.post("/v1/webhook-endpoints", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.body
}

fn path_of(endpoint: &Value, rest: &str) -> String {
    format!("/v1/webhook-endpoints/{}{rest}", endpoint["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_secret_is_shown_once_and_again_when_it_changes() {
    let app = TestApp::start().await;
    let (key, body) = (fresh(), json!({"url": "https://example.com/hook", "signing": "v1a"}));
    let made = app.post_keyed("/v1/webhook-endpoints", &body, &key).await;
    assert!(made.body["secret"].as_str().unwrap().starts_with("whpk_"), "{}", made.text);
    let again = app.post_keyed("/v1/webhook-endpoints", &body, &key).await;
    assert_eq!(again.text, made.text, "who did not get the answer gets it again");
    let read = app.get(&path_of(&made.body, "")).await.body;
    assert_eq!((&read["secret"], &read["event_types"]), (&Value::Null, &json!(["*"])));
    let rotated = app.post(&path_of(&made.body, "/secret"), &json!({})).await.body;
    assert!(rotated["previous_secret_until"].is_string());
    assert_ne!(rotated["secret"], made.body["secret"]);
    // It is signed as before, whatever that was, until somebody asks for another signature.
    for (asked, prefix) in [
        (None, "whpk_"),
        (Some(json!({})), "whpk_"),
        (Some(json!({"signing": "v1"})), "whsec_"),
        (Some(json!({})), "whsec_"),
        (Some(json!({"signing": "v1a"})), "whpk_"),
    ] {
        let request = app.request(Method::POST, &path_of(&made.body, "/secret"));
        let request = match &asked {
            Some(body) => request.json(body),
            None => request,
        };
        let rotated = Answer::of(request.send().await.unwrap()).await;
        assert!(rotated.body["secret"].as_str().unwrap().starts_with(prefix), "{asked:?}: {}", rotated.text);
    }
    let off = app.post(&path_of(&made.body, "/disable"), &json!({})).await.body;
    assert!(off["state"] == "disabled" && off["disabled_reason"].as_str().unwrap().contains("key_"));
    assert_eq!(app.post(&path_of(&made.body, "/enable"), &json!({})).await.body["state"], "enabled");
}

#[tokio::test]
async fn addresses_of_our_own_network_are_refused() {
    let app = TestApp::start().await;
    for url in [
        "http://example.com/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:192.168.0.1]/",
        "https://localhost/",
        "https://user:password@example.com/",
        "example.com",
    ] {
        let refused =
            app.post("/v1/webhook-endpoints", &json!({"url": url})).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), ["/url"], "{url}");
    }
    for (more, pointer) in [
        (json!({"event_types": []}), "/event_types"),
        (json!({"event_types": ["a", ""]}), "/event_types/1"),
        (json!({"concurrency": 0}), "/concurrency"),
    ] {
        let mut body = json!({"url": "https://example.com/"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = app.post("/v1/webhook-endpoints", &body).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer]);
    }
}

#[tokio::test]
async fn what_happened_is_written_down_for_those_who_want_to_know_and_for_nobody_else() {
    let app = TestApp::start().await;
    let messages = async || app.number("select count(*) from webhook_message").await;
    app.submit(json!({})).await;
    assert_eq!(app.work(completed()).await, 1);
    assert_eq!(messages().await, 0, "nobody wants to know");
    let endpoint = endpoint(&app, json!({})).await;
    // A job that is cancelled while it waits is told of at once; of others a worker learns a few seconds later.
    let tomorrow = chrono::Utc::now() + chrono::TimeDelta::days(1);
    let job = app.submit(json!({"scheduled_at": tomorrow})).await;
    let cancelled = app.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await;
    assert!(cancelled.status.is_success(), "{}", cancelled.text);
    assert_eq!(messages().await, 1);
    let test = app.post(&path_of(&endpoint, "/test"), &json!({})).await;
    assert_eq!(test.status, StatusCode::ACCEPTED, "{}", test.text);
    let listed = app.get(&path_of(&endpoint, "/deliveries?state=pending")).await.body;
    assert_eq!(listed["deliveries"][0]["id"], test.body["delivery"]);
    assert_eq!(listed["deliveries"][0]["event_type"], "webhook_endpoint.test");
    let path = path_of(&endpoint, &format!("/deliveries/{}", test.body["delivery"].as_str().unwrap()));
    assert_eq!(app.get(&path).await.body["tried"], json!([]));
    assert_eq!(app.claim().await[0].kind, "webhook.deliver");
}

#[tokio::test]
async fn nobody_sees_the_endpoints_of_another_tenant() {
    let app = TestApp::start().await;
    let endpoint = endpoint(&app, json!({})).await;
    let stranger = app.stranger().await;
    for (method, rest) in [
        (Method::GET, ""),
        (Method::GET, "/deliveries"),
        (Method::POST, "/secret"),
        (Method::POST, "/test"),
        (Method::POST, "/disable"),
        (Method::DELETE, ""),
    ] {
        let request = app.http.request(method, app.url(&path_of(&endpoint, rest))).bearer_auth(&stranger);
        Answer::of(request.send().await.unwrap()).await.problem(404, "not_found");
    }
    let removed = app.request(Method::DELETE, &path_of(&endpoint, "")).send().await.unwrap();
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    assert_eq!(app.get("/v1/webhook-endpoints").await.body["endpoints"], json!([]));
}

#[tokio::test]
async fn one_delivery_is_sent_again_by_whoever_it_belongs_to() {
    let app = TestApp::start().await;
    let (made, other) = (endpoint(&app, json!({})).await, endpoint(&app, json!({})).await);
    let sent = app.post(&path_of(&made, "/test"), &json!({})).await;
    assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text);
    let resend = format!("/deliveries/{}/resend", sent.body["delivery"].as_str().unwrap());
    app.execute("update webhook_delivery set state = 'failed'").await;
    // The job that told it is about to end, and would end without telling it again.
    app.post(&path_of(&made, &resend), &json!({})).await.problem(409, "job_running");
    let recover = json!({"since": "2020-01-01T00:00:00Z"});
    assert_eq!(app.post(&path_of(&made, "/recover"), &recover).await.body["messages"], 0);
    assert_eq!(app.work(completed()).await, 1);
    app.execute("update webhook_delivery set state = 'delivered'").await;
    let waiting = "select count(*) from webhook_delivery where state = 'pending'";
    let stranger = app.http.request(Method::POST, app.url(&path_of(&made, &resend)));
    let stranger = stranger.bearer_auth(app.stranger().await).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::NOT_FOUND);
    assert_eq!(app.post(&path_of(&other, &resend), &json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.number(waiting).await, 0, "nobody else has it sent");
    for _ in 0..2 {
        assert_eq!(app.post(&path_of(&made, &resend), &json!({})).await.status, StatusCode::ACCEPTED);
        assert_eq!(app.number(waiting).await, 1, "the same one, however often it is asked for");
    }
}
