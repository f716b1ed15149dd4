//! Tenants and keys over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, fresh};

async fn ask(app: &TestApp, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let mut request =
        app.http.request(method, app.url(path)).bearer_auth(key).header("idempotency-key", fresh());
    if let Some(body) = body {
        request = request.json(body);
    }
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_key_is_made_shown_once_and_revoked() {
    let app = TestApp::start().await;
    let wanted = json!({ "name": "laptop", "scopes": ["jobs:read", "jobs:read"] });
    let once = fresh();
    let made = app.post_keyed("/v1/keys", &wanted, &once).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let (id, key) = (made.body["id"].as_str().unwrap(), made.body["key"].as_str().unwrap());
    assert_eq!(made.header("location"), Some(format!("/v1/keys/{id}").as_str()));
    assert_eq!(made.body["scopes"], json!(["jobs:read"]));
    assert_eq!(ask(&app, key, Method::GET, "/v1/jobs", None).await.status, StatusCode::OK);
    ask(&app, key, Method::GET, "/v1/keys", None).await.problem(403, "missing_scope");

    let again = app.post_keyed("/v1/keys", &wanted, &once).await;
    assert_eq!((&again.body["id"], again.header("idempotent-replayed")), (&made.body["id"], Some("true")));
    assert!(again.body.get("key").is_none(), "it is kept nowhere");
    let other = json!({ "name": "other", "scopes": ["jobs:read"] });
    app.post_keyed("/v1/keys", &other, &once).await.problem(422, "idempotency_key_reused");

    let listed = app.get("/v1/keys?limit=1").await;
    assert_eq!(listed.body["keys"][0]["name"], "laptop");
    assert!(listed.body["keys"][0].get("key").is_none() && listed.header("link").is_some());

    let path = format!("/v1/keys/{id}");
    let stranger = app.stranger().await;
    ask(&app, &stranger, Method::DELETE, &path, None).await.problem(404, "not_found");
    for _ in 0..2 {
        assert_eq!(ask(&app, &app.key, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    }
    let unseen = app.key_of(app.tenant, &["jobs:read"]).await;
    let all = app.get("/v1/keys").await;
    let unseen_id = all.body["keys"].as_array().unwrap().iter().find(|line| line["prefix"] == unseen[4..16]);
    let path = format!("/v1/keys/{}", unseen_id.unwrap()["id"].as_str().unwrap());
    assert_eq!(ask(&app, &app.key, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    ask(&app, &unseen, Method::GET, "/v1/jobs", None).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn what_a_key_may_not_give_or_be_is_refused() {
    let app = TestApp::start().await;
    let installation = json!({ "name": "root", "scopes": ["installation"] });
    app.post("/v1/keys", &installation).await.problem(403, "missing_scope");
    for (wanted, pointer) in [
        (json!({ "name": "", "scopes": ["admin"] }), "/name"),
        (json!({ "name": "x\ny", "scopes": ["admin"] }), "/name"),
        (json!({ "name": "x".repeat(201), "scopes": ["admin"] }), "/name"),
        (json!({ "name": "x", "scopes": [] }), "/scopes"),
        (json!({ "name": "x", "scopes": ["root"] }), "/scopes/0"),
    ] {
        let refused = app.post("/v1/keys", &wanted).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{wanted}");
    }
}

#[tokio::test]
async fn tenants_are_made_by_those_who_run_the_installation() {
    let app = TestApp::start().await;
    let root = app.key_of(app.tenant, &["installation"]).await;
    let wanted = json!({ "name": "Acme Homes", "weights": { "media": 2.5 } });
    ask(&app, &app.key, Method::PUT, "/v1/tenants/homes", Some(&wanted)).await.problem(403, "missing_scope");
    ask(&app, &app.key, Method::GET, "/v1/tenants", None).await.problem(403, "missing_scope");
    ask(&app, &root, Method::GET, "/v1/jobs", None).await.problem(403, "missing_scope");
    ask(&app, &root, Method::GET, "/v1/tenants/homes", None).await.problem(404, "not_found");
    let made = ask(&app, &root, Method::PUT, "/v1/tenants/homes", Some(&wanted)).await;
    assert_eq!((made.status, &made.body["weights"]["media"]), (StatusCode::OK, &json!(2.5)), "{}", made.text);
    let renamed = ask(&app, &root, Method::PUT, "/v1/tenants/homes", Some(&json!({ "name": "Homes" }))).await;
    assert_eq!((&renamed.body["id"], &renamed.body["name"]), (&made.body["id"], &json!("Homes")));
    let page = ask(&app, &root, Method::GET, "/v1/tenants?limit=1", None).await;
    assert_eq!((&page.body["tenants"][0]["slug"], page.body["next"].is_string()), (&json!("homes"), true));
    for (path, wrong) in [
        ("/v1/tenants/Homes", json!({ "name": "x" })),
        ("/v1/tenants/homes", json!({ "name": " " })),
        ("/v1/tenants/homes", json!({ "name": "x", "weights": { "media": 0.0 } })),
        ("/v1/tenants/homes", json!({ "name": "x", "weights": { "no": 1.0 } })),
    ] {
        ask(&app, &root, Method::PUT, path, Some(&wrong)).await.problem(422, "invalid_body");
    }

    let first = json!({ "name": "first", "scopes": ["admin"] });
    let key = ask(&app, &root, Method::POST, "/v1/tenants/homes/keys", Some(&first)).await;
    assert_eq!(key.status, StatusCode::CREATED, "{}", key.text);
    let (id, text) = (key.body["id"].as_str().unwrap(), key.body["key"].as_str().unwrap());
    assert_eq!(ask(&app, text, Method::GET, "/v1/jobs", None).await.body["jobs"], json!([]));
    let keys = ask(&app, &root, Method::GET, "/v1/tenants/homes/keys", None).await;
    assert_eq!(keys.body["keys"].as_array().unwrap().len(), 1);
    ask(&app, &root, Method::POST, "/v1/tenants/nobody/keys", Some(&first)).await.problem(404, "not_found");
    let path = format!("/v1/tenants/homes/keys/{id}");
    assert_eq!(ask(&app, &root, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    ask(&app, &root, Method::DELETE, "/v1/tenants/homes/keys/x", None).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_tenant_is_weighed_for_a_while_by_keys_that_run_the_installation() {
    let app = TestApp::start().await;
    let root = app.key_of(app.tenant, &["installation"]).await;
    let path = "/v1/tenants/acme/weights/default";
    let weight = |weight: f64, minutes: i64| json!({ "weight": weight, "minutes": minutes });
    let weigh = async |body: &Value| ask(&app, &root, Method::PUT, path, Some(body)).await;
    weigh(&weight(3.0, 60)).await.problem(404, "not_found");
    app.submit(json!({})).await;
    ask(&app, &app.key, Method::PUT, path, Some(&weight(3.0, 60))).await.problem(403, "missing_scope");
    for (wrong, pointer) in [
        (weight(0.0, 60), "/weight"),
        (weight(100.5, 60), "/weight"),
        (weight(3.0, 0), "/minutes"),
        (weight(3.0, 10_081), "/minutes"),
        (json!({ "weight": "much", "minutes": 1 }), "/weight"),
    ] {
        let refused = weigh(&wrong).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{wrong}");
    }
    for unknown in ["nobody/weights/default", "acme/weights/no", "%00/weights/default"] {
        let path = format!("/v1/tenants/{unknown}");
        ask(&app, &root, Method::PUT, &path, Some(&weight(3.0, 1))).await.problem(404, "not_found");
    }

    let first = weigh(&weight(3.0, 60)).await;
    assert_eq!(
        (first.status, &first.body["tenant"], &first.body["weight"], &first.body["usual_weight"]),
        (StatusCode::OK, &json!("acme"), &json!(3.0), &json!(1.0)),
        "{}",
        first.text
    );
    weigh(&weight(0.5, 10)).await;
    let all = ask(&app, &root, Method::GET, "/v1/tenant-weights", None).await.body;
    assert_eq!(
        (all["weights"].as_array().unwrap().len(), &all["weights"][0]["weight"]),
        (1, &json!(0.5)),
        "not twice"
    );
    ask(&app, &app.key, Method::GET, "/v1/tenant-weights", None).await.problem(403, "missing_scope");
    ask(&app, &app.key, Method::DELETE, path, None).await.problem(403, "missing_scope");
    let ended = ask(&app, &root, Method::DELETE, path, None).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.text);
    ask(&app, &root, Method::DELETE, path, None).await.problem(404, "not_found");
    assert_eq!(app.number("select count(*) from share where weight = 1 and weight_until is null").await, 1);

    let weighed =
        "select count(*) from audit_entry where tenant_id is null and entry::json ->> 'action' = 'share.weigh'
             and entry::json ->> 'target' = 'acme default'";
    assert_eq!(app.number(weighed).await, 2);
    let ended =
        "select count(*) from audit_entry where tenant_id is null and entry::json ->> 'action' = 'share.as_usual'
             and (entry::json #>> '{before,weight}')::real = 0.5 and entry::json ->> 'after' is null";
    assert_eq!(app.number(ended).await, 1);
}
