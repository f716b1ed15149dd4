//! Keys, scopes, tenants, and how much each may ask.

use jobs::AssetId;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::app::{Answer, TestApp, eventually, fresh, settings};

async fn ask(app: &TestApp, key: &str, method: Method, path: &str) -> Answer {
    let request = app.http.request(method, app.url(path)).bearer_auth(key).header("idempotency-key", fresh());
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn only_a_valid_key_opens() {
    let app = TestApp::start().await;
    let none = Answer::of(app.http.get(app.url("/v1/kinds")).send().await.unwrap()).await;
    let none = none.problem(401, "unauthenticated");
    assert_eq!(none.header("www-authenticate"), Some("Bearer realm=\"crewline\""));
    let other_secret =
        format!("{}{}", &app.key[..app.key.len() - 1], if app.key.ends_with('0') { '1' } else { '0' });
    let unknown = api::mint().unwrap();
    let unknown = secrecy::ExposeSecret::expose_secret(&unknown.text);
    for key in ["", "x", "crw__", &other_secret, unknown, &app.key.to_uppercase(), &"a".repeat(5_000)] {
        ask(&app, key, Method::GET, "/v1/kinds").await.problem(401, "unauthenticated");
    }
    let basic =
        app.http.get(app.url("/v1/kinds")).header("authorization", "Basic YTpi").send().await.unwrap();
    assert_eq!(basic.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&app, &app.key, Method::GET, "/v1/kinds").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_revoked_key_stops_opening_and_use_is_noted() {
    let app = TestApp::start().await;
    let key = app.key_of(app.tenant, &["jobs:read"]).await;
    assert_eq!(ask(&app, &key, Method::GET, "/v1/jobs").await.status, StatusCode::OK);
    let prefix = key[4..16].to_owned();
    eventually(async || {
        let keys = store::keys::keys(&app.owner, app.tenant).await.unwrap();
        keys.into_iter().find(|line| line.prefix == prefix)?.last_used_at
    })
    .await;
    // A fresh server knows nothing of it yet; one that does takes it for at most ten seconds more.
    let unseen = app.key_of(app.tenant, &["jobs:read"]).await;
    let revoke = app.owner.transact(None, async |tx| store::keys::revoke(tx, &unseen[4..16]).await);
    assert!(revoke.await.unwrap());
    ask(&app, &unseen, Method::GET, "/v1/jobs").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn every_route_asks_for_its_scope() {
    let app = TestApp::start().await;
    let id = app.submit(json!({})).await;
    let routes = [
        (Method::POST, "/v1/jobs".to_owned(), "jobs:write"),
        (Method::POST, "/v1/jobs/batch".to_owned(), "jobs:write"),
        (Method::GET, "/v1/jobs".to_owned(), "jobs:read"),
        (Method::GET, format!("/v1/jobs/{id}"), "jobs:read"),
        (Method::GET, format!("/v1/jobs/{id}/attempts"), "jobs:read"),
        (Method::GET, format!("/v1/jobs/{id}/logs"), "jobs:read"),
        (Method::GET, format!("/v1/jobs/{id}/result"), "jobs:read"),
        (Method::GET, format!("/v1/jobs/{id}/events"), "jobs:read"),
        (Method::GET, "/v1/events".to_owned(), "jobs:read"),
        (Method::POST, format!("/v1/jobs/{id}/cancel"), "jobs:write"),
        (Method::POST, format!("/v1/jobs/{id}/retry"), "queue:operate"),
        (Method::POST, format!("/v1/jobs/{id}/clone"), "jobs:write"),
        (Method::POST, "/v1/uploads".to_owned(), "jobs:write"),
        (Method::GET, format!("/v1/uploads/{}", jobs::UploadId::new()), "jobs:read"),
        (Method::POST, format!("/v1/uploads/{}/complete", jobs::UploadId::new()), "jobs:write"),
        (Method::GET, format!("/v1/assets/{}", AssetId::new()), "jobs:read"),
    ];
    let keys = [
        ("jobs:write", app.key_of(app.tenant, &["jobs:write", "payloads:read"]).await),
        ("jobs:read", app.key_of(app.tenant, &["jobs:read", "payloads:read"]).await),
        ("payloads:read", app.key_of(app.tenant, &["payloads:read"]).await),
        ("queue:operate", app.key_of(app.tenant, &["queue:operate"]).await),
    ];
    for (method, path, needed) in routes {
        for (scope, key) in &keys {
            let sent =
                app.http.request(method.clone(), app.url(&path)).bearer_auth(key).send().await.unwrap();
            let may = *scope == needed || (path.ends_with("/retry") && *scope == "jobs:write");
            // Not read to the end: a stream has none.
            assert_eq!(
                sent.status() != StatusCode::FORBIDDEN,
                may,
                "{method} {path} with {scope}: {}",
                sent.status()
            );
            if !may {
                Answer::of(sent).await.problem(403, "missing_scope");
            }
        }
    }
}

#[tokio::test]
async fn another_tenants_things_do_not_exist() {
    let app = TestApp::start().await;
    let id = app.submit(json!({})).await;
    let upload = json!({"content_type": "image/png", "bytes": 10});
    let upload = app.post("/v1/uploads", &upload).await.body["id"].as_str().unwrap().to_owned();
    let stranger = app.stranger().await;
    for (method, path) in [
        (Method::GET, format!("/v1/jobs/{id}")),
        (Method::GET, format!("/v1/jobs/{id}/attempts")),
        (Method::GET, format!("/v1/jobs/{id}/logs")),
        (Method::GET, format!("/v1/jobs/{id}/result")),
        (Method::GET, format!("/v1/jobs/{id}/events")),
        (Method::POST, format!("/v1/jobs/{id}/cancel")),
        (Method::POST, format!("/v1/jobs/{id}/retry")),
        (Method::POST, format!("/v1/jobs/{id}/clone")),
        (Method::GET, format!("/v1/uploads/{upload}")),
        (Method::POST, format!("/v1/uploads/{upload}/complete")),
        (Method::GET, format!("/v1/assets/{}", AssetId::new())),
    ] {
        ask(&app, &stranger, method, &path).await.problem(404, "not_found");
    }
    assert_eq!(ask(&app, &stranger, Method::GET, "/v1/jobs").await.body["jobs"], json!([]));
    assert_eq!(
        app.get(&format!("/v1/jobs/{id}")).await.body["state"],
        "available",
        "and nothing happened to it"
    );
}

#[tokio::test]
async fn a_tenant_that_asks_too_much_waits_and_others_do_not() {
    let app =
        TestApp::start_with(api::Settings { requests_max: 3, requests_window_s: 3_600, ..settings() }).await;
    for left in (0..3).rev() {
        let answer = app.get("/v1/kinds").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.header("ratelimit").unwrap().starts_with(&format!("\"requests\";r={left};t=")));
        assert_eq!(answer.header("ratelimit-policy"), Some("\"requests\";q=3;w=3600"));
    }
    let refused = app.get("/v1/kinds").await.problem(429, "rate_limited");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1_000..=1_200).contains(&seconds), "{seconds}");
    assert!(refused.header("ratelimit").unwrap().starts_with("\"requests\";r=0;t="));
    let stranger = app.stranger().await;
    assert_eq!(ask(&app, &stranger, Method::GET, "/v1/kinds").await.status, StatusCode::OK);
}
