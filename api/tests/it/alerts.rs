//! Rules for alerts, over HTTP and on their page.

use api::UserRole;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::alerts;

use crate::{
    app::{Answer, TestApp},
    ops::{Person, log},
};

async fn send(app: &TestApp, method: Method, name: &str, body: &Value) -> Answer {
    let request = app.request(method, &format!("/v1/alert-rules/{name}")).json(body);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_rule_is_set_finds_something_and_is_removed() {
    let app = TestApp::start().await;
    let rule = json!({"measure": "queue_age", "queue": "default", "threshold": 60, "fire_after_s": 0});
    let set = send(&app, Method::PUT, "late", &rule).await;
    assert_eq!(set.status, 200, "{}", set.text);
    assert_eq!((&set.body["state"], &set.body["resolve_after_s"]), (&json!("quiet"), &json!(300)));
    app.submit(json!({})).await;
    app.execute("update job set scheduled_at = now() - interval '2 min'").await;
    alerts::look(&app.worker, None).await.unwrap();

    let seen = app.get("/v1/alert-rules/late").await.body;
    assert_eq!(seen["state"], "firing", "{seen}");
    let found = app.get("/v1/alerts").await.body;
    assert_eq!(found["alerts"][0]["id"], seen["alert"], "{found}");
    assert_eq!((&found["alerts"][0]["rule"], &found["next"]), (&json!("late"), &Value::Null));
    assert_eq!(app.get("/v1/alert-rules").await.body["rules"].as_array().unwrap().len(), 1);

    assert_eq!(send(&app, Method::DELETE, "late", &Value::Null).await.status, 204);
    send(&app, Method::DELETE, "late", &Value::Null).await.problem(404, "not_found");
    app.get("/v1/alert-rules/late").await.problem(404, "not_found");
    assert!(app.get("/v1/alerts").await.body["alerts"][0]["resolved_at"].is_string());
}

#[tokio::test]
async fn what_cannot_be_a_rule_is_told_field_by_field() {
    let app = TestApp::start().await;
    for (name, change, pointer) in [
        ("Late", json!({}), ""),
        ("-late", json!({}), ""),
        ("x", json!({"measure": "moods"}), "/measure"),
        ("x", json!({"kind": "no.such"}), "/kind"),
        ("x", json!({"kind": "probe.work", "measure": "silent_workers"}), "/kind"),
        ("x", json!({"kind": "probe.work", "measure": "needs_dispatch"}), "/kind"),
        ("x", json!({"queue": "media", "measure": "needs_dispatch"}), "/queue"),
        ("x", json!({"threshold": 0}), "/threshold"),
        ("x", json!({"threshold": 1_000_001}), "/threshold"),
        ("x", json!({"threshold": 101, "measure": "error_rate"}), "/threshold"),
        ("x", json!({"window_s": 299}), "/window_s"),
        ("x", json!({"fire_after_s": -1}), "/fire_after_s"),
        ("x", json!({"resolve_after_s": 86_401}), "/resolve_after_s"),
        ("x", json!({"recipients": ["pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f"]}), "/recipients"),
        ("x", json!({"surprise": 1}), "/surprise"),
    ] {
        let mut body = json!({"measure": "queue_age", "threshold": 60});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = send(&app, Method::PUT, name, &body).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{body}");
    }
    let reader = app.key_of(app.tenant, &["jobs:read"]).await;
    let asked = app.http.put(app.url("/v1/alert-rules/x")).bearer_auth(reader);
    let asked = asked.json(&json!({"measure": "queue_age", "threshold": 60})).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_set_rules_on_their_page_and_viewers_look() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    let bob = Person::signed_in(&app, "bob", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let fields = |threshold| {
        [
            ("name", "late"),
            ("measure", "queue_age"),
            ("threshold", threshold),
            ("queue", "media"),
            ("kind", ""),
            ("window_s", "600"),
            ("fire_after_s", "60"),
            ("resolve_after_s", "300"),
            ("recipients", ""),
        ]
    };
    assert_eq!(bob.post("/ops/t/acme/alerts", &fields("60")).await.0, StatusCode::FORBIDDEN);
    for wrong in ["0", "", "soon"] {
        let (status, page) = ann.post("/ops/t/acme/alerts", &fields(wrong)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
    }
    assert_eq!(ann.post("/ops/t/acme/alerts", &fields("60")).await.0, StatusCode::SEE_OTHER);
    let (_, page) = bob.page("/ops/t/acme/alerts").await;
    assert!(page.contains("late") && !page.contains("Set a rule"), "{page}");
    // A rule after which nobody looks says nothing.
    let page = async || ann.page("/ops/t/acme/alerts").await.1;
    let first = page().await;
    assert!(
        first.contains("Not every rule has been looked after") && !first.contains("Nothing is wrong"),
        "{first}"
    );
    app.execute("update alert_rule set looked_at = now()").await;
    assert!(page().await.contains("✓ Nothing is wrong"));
    app.execute("update alert_rule set looked_at = now() - interval '2 min'").await;
    let left = page().await;
    assert!(
        left.contains("2 min ago</time> for the last time") && !left.contains("Nothing is wrong"),
        "{left}"
    );
    assert_eq!(ann.post("/ops/t/acme/alerts/late/remove", &[]).await.0, StatusCode::SEE_OTHER);
    assert!(ann.page("/ops/t/acme/alerts").await.1.contains("Nobody wants to be told"));
    let said = log(&app, app.tenant).await.iter().map(ToString::to_string).collect::<String>();
    assert!(said.contains("alert_rule.set") && said.contains("alert_rule.remove"), "{said}");
}
