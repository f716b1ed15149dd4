//! Deliveries over HTTP. Nobody publishes them here.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, fresh};

/// A tenant's asset without a file behind it.
async fn asset(app: &TestApp) -> String {
    let (id, sha256) = (jobs::AssetId::new(), "0".repeat(64));
    let (row, tenant) = (id.as_uuid(), app.tenant.as_uuid());
    app.execute(&format!(
        "insert into asset (id, tenant_id, sha256, bytes, media_type, filename, object_key)
         values ('{row}', '{tenant}', '{sha256}', 1, 'image/jpeg', 'Kitchen.jpg', '{tenant}/o/{sha256}')"
    ))
    .await;
    id.to_string()
}

fn body(asset: &str) -> Value {
    json!({"title": "12 Elm Street", "files": [{"asset": asset}, {"asset": asset, "name": "Bath.jpg"}]})
}

#[tokio::test]
async fn a_delivery_is_made_once_with_the_jobs_that_complete_it() {
    let app = TestApp::start().await;
    let (key, body) = (fresh(), body(&asset(&app).await));
    let made = app.post_keyed("/v1/deliveries", &body, &key).await;
    assert_eq!(
        (made.status, &made.body["state"]),
        (StatusCode::CREATED, &json!("preparing")),
        "{}",
        made.text
    );
    let again = app.post_keyed("/v1/deliveries", &body, &key).await;
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &made.text));

    let path = made.header("location").unwrap().to_owned();
    let read = app.get(&path).await.body;
    assert_eq!(read["publishing"]["state"], "available", "{read}");
    let names: Vec<_> = read["files"].as_array().unwrap().iter().map(|file| &file["name"]).collect();
    assert_eq!(names, [&json!("Kitchen.jpg"), &json!("Bath.jpg")]);
    let listed = app.get("/v1/deliveries").await.body;
    assert_eq!((&listed["deliveries"][0]["id"], &listed["next"]), (&made.body["id"], &Value::Null));
    let jobs = app.get("/v1/jobs").await.body;
    let mut kinds: Vec<_> = jobs["jobs"].as_array().unwrap().iter().map(|job| &job["kind"]).collect();
    kinds.sort_by_key(ToString::to_string);
    assert_eq!(kinds, [&json!("delivery.publish"), &json!("media.rendition")], "each picture is made once");

    let stranger = app.stranger().await;
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/revoke")),
    ] {
        let request = app.http.request(method, app.url(&path)).bearer_auth(&stranger);
        let answer = Answer::of(request.header("idempotency-key", fresh()).send().await.unwrap()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let removed = app.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    assert_eq!(app.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_cannot_be_delivered_is_refused_with_the_field() {
    let app = TestApp::start().await;
    let asset = asset(&app).await;
    let with = |field: &str, value: Value| {
        let mut body = body(&asset);
        body[field] = value;
        body
    };
    for (body, pointer) in [
        (with("title", json!(" ")), "/title"),
        (with("title", json!("a\nb")), "/title"),
        (with("files", json!([])), "/files"),
        (with("files", json!([{"asset": asset, "name": ""}])), "/files/0/name"),
        (with("files", json!([{"asset": asset}, {"asset": jobs::AssetId::new()}])), "/files/1/asset"),
        (with("expires_in_days", json!(0)), "/expires_in_days"),
        (with("archives", json!(["mls", "mls"])), "/archives"),
        (with("archives", json!(["mls", "print_branded"])), "/archives/1"),
    ] {
        let refused = app.post("/v1/deliveries", &body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", refused.text);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{}", refused.text);
    }
    assert_eq!(app.get("/v1/deliveries").await.body["deliveries"], json!([]));
    let page = app.http.get(app.url("/d/dlv_1.2.3")).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert!(page.text().await.unwrap().contains("Nothing is here"));
}

#[tokio::test]
async fn deliveries_are_listed_by_state_and_page_by_page() {
    let app = TestApp::start().await;
    let asset = asset(&app).await;
    let mut made = Vec::new();
    for _ in 0..7 {
        let delivery = app.post("/v1/deliveries", &body(&asset)).await.body;
        made.push(delivery["id"].as_str().unwrap().to_owned());
    }
    made.reverse();
    let ids = |page: &Value| -> Vec<String> {
        let id = |delivery: &Value| delivery["id"].as_str().unwrap().to_owned();
        page["deliveries"].as_array().unwrap().iter().map(id).collect()
    };
    let (mut listed, mut path) = (Vec::new(), "/v1/deliveries?limit=3".to_owned());
    for more in [true, true, false] {
        let page = app.get(&path).await;
        listed.extend(ids(&page.body));
        assert_eq!(page.header("link").is_some(), more);
        if let Some(link) = page.header("link") {
            path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
        }
    }
    assert_eq!(listed, made);

    let row = |id: &str| id.parse::<jobs::DeliveryId>().unwrap().as_uuid();
    let change = async |id: &str, set: &str| {
        app.execute(&format!("update delivery set {set} where id = '{}'", row(id))).await;
    };
    let published = r#"manifest = '{"files": [], "variants": []}', manifest_sha256 = repeat('0', 64), published_at = now()"#;
    change(&made[0], published).await;
    change(&made[1], published).await;
    change(&made[1], "expires_at = now() - interval '1 s'").await;
    change(&made[2], "expires_at = now() - interval '1 s'").await;
    change(&made[3], "revoked_at = now(), expires_at = now() - interval '1 s'").await;
    for (state, wanted) in [("open", 0..1), ("expired", 1..3), ("revoked", 3..4), ("preparing", 4..7)] {
        let page = app.get(&format!("/v1/deliveries?state={state}")).await.body;
        assert_eq!(ids(&page), made[wanted], "{state}");
        assert!(page["deliveries"].as_array().unwrap().iter().all(|delivery| delivery["state"] == state));
    }
    let first = app.get("/v1/deliveries?state=preparing&limit=2").await;
    let link = first.header("link").unwrap();
    assert!(link.contains("state=preparing&cursor="), "{link}");
    assert_eq!(app.get("/v1/deliveries?state=lost").await.status, StatusCode::BAD_REQUEST);
}
