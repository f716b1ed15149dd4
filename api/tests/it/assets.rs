//! Originals: listed, given terms, deleted; personal things for administrators only.

use chrono::{TimeDelta, Utc};
use jobs::{AssetId, AssetState};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::{media::NewAsset, uploads};

use crate::app::{Answer, TestApp};

impl TestApp {
    /// An original, as an upload would leave it.
    async fn original(&self, number: u8, media_type: &'static str) -> AssetId {
        let (upload, asset) = (jobs::UploadId::new(), AssetId::new());
        let tenant = self.tenant;
        let new = uploads::NewUpload {
            id: upload,
            filename: Some(format!("{number}.jpg")),
            content_type: media_type.to_owned(),
            bytes: 1,
            sha256: None,
            object_key: "x".to_owned(),
            multipart_id: None,
            part_bytes: None,
            expires_at: Utc::now() + TimeDelta::hours(1),
        };
        uploads::create_upload(&self.owner, tenant, &new).await.unwrap();
        let sha256 = format!("{number:064x}");
        let object_key = blob::Key::original(&tenant.to_string(), &sha256).unwrap().to_string();
        let new = NewAsset { id: asset, sha256, bytes: 1, media_type, filename: None, object_key };
        assert!(uploads::complete_upload(&self.owner, tenant, upload, &new, &[]).await.unwrap());
        asset
    }

    async fn agree(&self, asset: AssetId, patch: Value) -> Answer {
        let request = self.request(Method::PATCH, &format!("/v1/assets/{asset}")).json(&patch);
        Answer::of(request.send().await.unwrap()).await
    }

    async fn forget(&self, asset: AssetId) -> Answer {
        let request = self.request(Method::DELETE, &format!("/v1/assets/{asset}"));
        Answer::of(request.send().await.unwrap()).await
    }

    async fn listed(&self, query: &str) -> Vec<String> {
        let answer = self.get(&format!("/v1/assets{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        ids(&answer.body)
    }
}

fn ids(page: &Value) -> Vec<String> {
    let assets = page["assets"].as_array().unwrap();
    assets.iter().map(|asset| asset["id"].as_str().unwrap().to_owned()).collect()
}

fn texts(assets: &[AssetId]) -> Vec<String> {
    assets.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn assets_are_listed_newest_first_and_by_what_they_are() {
    let mut app = TestApp::start().await;
    let mut all = Vec::new();
    for number in 0..5 {
        let media_type = if number == 3 { "image/png" } else { "image/jpeg" };
        all.push(app.original(number, media_type).await);
    }
    all.reverse();
    assert_eq!(app.listed("").await, texts(&all));
    assert_eq!(app.listed("?media_type=image/png").await, texts(&all[1..2]));
    assert_eq!(app.listed(&format!("?sha256={:064x}", 4)).await, texts(&all[..1]));
    assert_eq!(app.listed("?state=clean").await, [""; 0]);
    assert_eq!(app.listed("?state=quarantined").await.len(), 5);
    assert_eq!(app.listed("?since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z").await.len(), 5);
    assert_eq!(app.listed("?until=2020-01-01T00:00:00Z").await, [""; 0]);

    let (mut walked, mut path) = (Vec::new(), "/v1/assets?limit=2&media_type=image/jpeg".to_owned());
    loop {
        let page = app.get(&path).await;
        walked.extend(ids(&page.body));
        let Some(next) = page.header("link") else { break };
        path = next.trim_start_matches('<').split('>').next().unwrap().to_owned();
        assert!(path.contains("media_type=image%2Fjpeg") && path.contains("cursor="), "{path}");
    }
    assert_eq!(walked, texts(&[all[0], all[2], all[3], all[4]]));

    for wrong in ["?state=ready", "?limit=0", "?limit=201", "?cursor=x", "?since=yesterday", "?name=x"] {
        app.get(&format!("/v1/assets{wrong}")).await.problem(400, "invalid_parameter");
    }
    app.key = app.stranger().await;
    assert_eq!(app.listed("").await, [""; 0], "another tenant sees nothing of them");
}

#[tokio::test]
async fn terms_are_changed_by_what_a_patch_names() {
    let mut app = TestApp::start().await;
    let asset = app.original(1, "image/jpeg").await;
    let changed = app.agree(asset, json!({"license": "one listing", "delete_after_days": 30})).await;
    assert_eq!((changed.status, changed.body["license"].as_str()), (StatusCode::OK, Some("one listing")));
    assert!(changed.body["delete_at"].is_string());
    let changed = app.agree(asset, json!({"delete_after_days": null})).await;
    assert_eq!(
        (changed.body["license"].as_str(), &changed.body["delete_at"]),
        (Some("one listing"), &Value::Null)
    );
    for (patch, pointer) in [
        (json!({"license": ""}), "/license"),
        (json!({"license": "x".repeat(501)}), "/license"),
        (json!({"delete_after_days": 0}), "/delete_after_days"),
        (json!({"retain_until": "2100-01-01T00:00:00Z"}), "/retain_until"),
        (json!({"sha256": "0"}), "/sha256"),
    ] {
        let refused = app.agree(asset, patch).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer]);
    }
    app.key = app.stranger().await;
    app.agree(asset, json!({"license": "mine"})).await.problem(404, "not_found");
}

#[tokio::test]
async fn what_is_retained_is_not_deleted() {
    let mut app = TestApp::start().await;
    let asset = app.original(1, "image/jpeg").await;
    let soon = (Utc::now() + TimeDelta::days(1)).to_rfc3339();
    let later = (Utc::now() + TimeDelta::days(9)).to_rfc3339();
    assert_eq!(app.agree(asset, json!({"retain_until": later})).await.status, StatusCode::OK);
    app.forget(asset).await.problem(409, "asset_retained");

    let admin = app.key.clone();
    app.key = app.key_of(app.tenant, &["jobs:write", "jobs:read"]).await;
    for shorter in [json!(soon), Value::Null] {
        app.agree(asset, json!({"retain_until": shorter})).await.problem(409, "asset_retained");
    }
    assert_eq!(app.agree(asset, json!({"license": "the same"})).await.status, StatusCode::OK);
    app.key = admin;
    assert_eq!(app.agree(asset, json!({"retain_until": null})).await.status, StatusCode::OK);
    assert_eq!(app.forget(asset).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_deleted_asset_is_gone_for_its_tenant_only() {
    let mut app = TestApp::start().await;
    let asset = app.original(1, "image/jpeg").await;
    let admin = app.key.clone();
    app.key = app.stranger().await;
    app.forget(asset).await.problem(404, "not_found");
    app.key = app.key_of(app.tenant, &["jobs:read"]).await;
    app.forget(asset).await.problem(403, "missing_scope");
    app.key = admin;
    assert_eq!(app.forget(asset).await.status, StatusCode::NO_CONTENT);
    app.forget(asset).await.problem(404, "not_found");
    app.get(&format!("/v1/assets/{asset}")).await.problem(404, "not_found");
    assert_eq!(app.listed("").await, [""; 0]);
}

#[tokio::test]
async fn what_the_scanner_holds_is_for_an_administrator_to_delete() {
    let mut app = TestApp::start().await;
    let asset = app.original(1, "image/jpeg").await;
    let held = format!("update asset set state = '{}', finding = 'x'", AssetState::Infected);
    app.execute(&held).await;
    let admin = app.key.clone();
    app.key = app.key_of(app.tenant, &["jobs:write", "jobs:read"]).await;
    app.forget(asset).await.problem(409, "asset_held");
    app.key = admin;
    assert_eq!(app.listed("?state=infected").await, texts(&[asset]));
    assert_eq!(app.forget(asset).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn where_it_was_taken_is_for_administrators() {
    let mut app = TestApp::start().await;
    let asset = app.original(1, "image/jpeg").await;
    let position = format!(
        "insert into asset_position (asset_id, tenant_id, latitude, longitude, altitude_m)
         values ('{}', '{}', 45.8125, 15.977, 122.5)",
        asset.as_uuid(),
        app.tenant.as_uuid()
    );
    app.execute(&position).await;
    let path = format!("/v1/assets/{asset}");
    let seen = app.get(&path).await.body["position"].take();
    assert_eq!(seen, json!({"latitude": 45.8125, "longitude": 15.977, "altitude_m": 122.5}));
    assert!(!app.get("/v1/assets").await.text.contains("45.81"), "never in a list");
    app.key = app.key_of(app.tenant, &["jobs:write", "jobs:read", "queue:operate"]).await;
    assert!(!app.get(&path).await.text.contains("45.81"));
}
