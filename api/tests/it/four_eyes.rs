//! Throwing away many jobs takes two people, where a tenant wants that.

use api::UserRole;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{Answer, TestApp, fresh},
    ops::{Person, log},
};

async fn rule(app: &TestApp, more_than: Value) -> Answer {
    let body = json!({ "more_than": more_than });
    Answer::of(app.request(Method::PUT, "/v1/four-eyes").json(&body).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rule_is_set_and_taken_back_in_the_log() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/v1/four-eyes").await.status, StatusCode::NOT_FOUND);
    for wrong in [json!(-1), json!(1_000_000_001), json!("many")] {
        assert!(rule(&app, wrong.clone()).await.status.is_client_error(), "{wrong}");
    }
    assert_eq!(rule(&app, json!(5)).await.body["more_than"], 5);
    assert_eq!(rule(&app, json!(7)).await.status, StatusCode::OK);
    assert_eq!(app.get("/v1/four-eyes").await.body["more_than"], 7);
    let remove = async || app.request(Method::DELETE, "/v1/four-eyes").send().await.unwrap().status();
    assert_eq!((remove().await, remove().await), (StatusCode::NO_CONTENT, StatusCode::NOT_FOUND));
    let log = log(&app, app.tenant).await;
    let said: Vec<_> =
        log.iter().map(|said| (&said["before"]["more_than"], &said["after"]["more_than"])).collect();
    let (none, five, seven) = (&Value::Null, &json!(5), &json!(7));
    assert_eq!(said, [(none, five), (five, seven), (seven, none)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_person_lets_it_begin() {
    let app = TestApp::start().await;
    let steers = [(Some(app.tenant), UserRole::TenantOperator, false)];
    let ann = Person::signed_in(&app, "ann", &steers).await;
    let bob = Person::signed_in(&app, "bob", &steers).await;
    let eve = Person::signed_in(&app, "eve", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    for _ in 0..3 {
        app.submit(json!({})).await;
    }
    assert_eq!(rule(&app, json!(2)).await.status, StatusCode::OK);
    let (_, preview) = ann.page("/ops/t/acme/bulk/new?action=discard&states=available").await;
    assert!(preview.contains("once a second person has said yes"), "{preview}");
    let (_, preview) = ann.page("/ops/t/acme/bulk/new?action=retry&states=scheduled").await;
    assert!(!preview.contains("second person"), "{preview}");
    let form = [("action", "discard"), ("states", "available"), ("count", "3"), ("key", "k-1")];
    let (status, path) = ann.post("/ops/t/acme/bulk", &form).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{path}");

    let confirm = format!("{path}/confirm");
    let (_, page) = ann.page(&path).await;
    assert!(page.contains("It has not begun") && !page.contains("Let it begin"), "{page}");
    assert_eq!(ann.post(&confirm, &[]).await.0, StatusCode::FORBIDDEN, "not by herself");
    assert_eq!(eve.post(&confirm, &[]).await.0, StatusCode::FORBIDDEN);
    assert!(bob.page(&path).await.1.contains("Let it begin"));
    assert_eq!(bob.post(&confirm, &[]).await, (StatusCode::SEE_OTHER, path.clone()));
    assert_eq!(bob.post(&confirm, &[]).await.0, StatusCode::CONFLICT);
    let id = path.rsplit('/').next().unwrap();
    let operation = app.get(&format!("/v1/bulk-operations/{id}")).await.body;
    assert_eq!(
        (&operation["state"], &operation["confirmed_by"]),
        (&json!("running"), &json!("bob@acme.test"))
    );
    let log = log(&app, app.tenant).await;
    let asked =
        log.iter().rfind(|said| said["action"] == "bulk.confirm" && said["outcome"] == "asked").unwrap();
    assert_eq!((&asked["by"], &asked["before"]["state"]), (&json!("bob@acme.test"), &json!("running")));
    let first = log.iter().find(|said| said["after"]["confirmed_by"] == "bob@acme.test").unwrap();
    assert_eq!(
        (&first["outcome"], &first["after"]["requested_by"]),
        (&json!("done"), &json!("ann@acme.test"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_and_a_key_are_one_person() {
    let app = TestApp::start().await;
    let steers = [(Some(app.tenant), UserRole::TenantOperator, false)];
    let ann = Person::signed_in(&app, "ann", &steers).await;
    let bob = Person::new(&app, "bob", &steers).await;
    let key = async |person| app.key_for(app.tenant, &["queue:operate", "jobs:read"], person).await;
    let (hers, his, nobodys) = (key(Some(ann.id)).await, key(Some(bob.id)).await, key(None).await);
    app.submit(json!({})).await;
    assert_eq!(rule(&app, json!(0)).await.status, StatusCode::OK);
    let body = json!({ "action": "cancel", "filter": { "states": ["available"] } });
    let ask = async |key: &str| {
        let request = app.http.post(app.url("/v1/bulk-operations")).bearer_auth(key).json(&body);
        Answer::of(request.header("idempotency-key", fresh()).send().await.unwrap()).await.body["id"].clone()
    };
    let confirm = async |key: &str, id: &Value| {
        let path = format!("/v1/bulk-operations/{}/confirm", id.as_str().unwrap());
        Answer::of(app.http.post(app.url(&path)).bearer_auth(key).send().await.unwrap()).await
    };
    let asked = ask(&hers).await;
    let page = format!("/ops/t/acme/bulk/{}", asked.as_str().unwrap());
    assert!(ann.page(&page).await.1.contains("You asked for it"));
    assert_eq!(ann.post(&format!("{page}/confirm"), &[]).await.0, StatusCode::FORBIDDEN);
    assert_eq!(confirm(&nobodys, &asked).await.status, StatusCode::FORBIDDEN);
    assert_eq!(confirm(&his, &asked).await.body["state"], "running");
    assert_eq!(confirm(&his, &asked).await.status, StatusCode::CONFLICT);
    assert_eq!(confirm(&his, &json!(jobs::BulkOperationId::new())).await.status, StatusCode::NOT_FOUND);

    let asked = ask(&nobodys).await;
    let page = format!("/ops/t/acme/bulk/{}", asked.as_str().unwrap());
    assert!(ann.page(&page).await.1.contains("Take it on"));
    assert_eq!(ann.post(&format!("{page}/confirm"), &[]).await.0, StatusCode::SEE_OTHER);
    assert_eq!(confirm(&hers, &asked).await.status, StatusCode::FORBIDDEN);
    let begun = confirm(&his, &asked).await.body;
    assert_eq!((&begun["state"], &begun["taken_on_by"]), (&json!("running"), &json!(ann.email)));
    let log = log(&app, app.tenant).await;
    let said = log.iter().filter(|said| said["action"] == "bulk.confirm" && said["person"] == json!(bob.id));
    assert_eq!(said.count(), 2);
}
