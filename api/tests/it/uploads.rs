//! Files: announced, put, completed, refused.

use bytes::Bytes;
use jobs::AssetState;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::app::{Answer, TestApp};

const MIB: usize = 1024 * 1024;

/// Begins like a PNG and is long enough.
fn picture(bytes: usize) -> Bytes {
    let mut content = b"\x89PNG\r\n\x1a\n".to_vec();
    content.extend((8..bytes).map(|n| (n ^ (n >> 8) ^ (n >> 16)) as u8));
    content.into()
}

async fn announce(app: &TestApp, content: &[u8], extra: Value) -> Value {
    let mut body = json!({"filename": "kitchen.png", "content_type": "image/png", "bytes": content.len()});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let answer = app.post("/v1/uploads", &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_eq!(
        answer.header("location").unwrap(),
        format!("/v1/uploads/{}", answer.body["id"].as_str().unwrap())
    );
    answer.body
}

async fn put(app: &TestApp, announced: &Value, content: Bytes) {
    let mut request = app.http.put(announced["url"].as_str().unwrap()).body(content);
    for (name, value) in announced["headers"].as_object().unwrap() {
        if name != "content-length" {
            request = request.header(name, value.as_str().unwrap());
        }
    }
    let response = request.send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.text().await.unwrap());
}

async fn complete(app: &TestApp, announced: &Value) -> Answer {
    app.post(&format!("/v1/uploads/{}/complete", announced["id"].as_str().unwrap()), &json!({})).await
}

async fn objects(app: &TestApp) -> Vec<String> {
    let listing = app.blobs.list(&app.tenant.to_string(), 1_000).await.unwrap();
    listing.objects.into_iter().map(|object| object.key.to_string()).collect()
}

#[tokio::test]
async fn a_file_becomes_an_asset_once() {
    let app = TestApp::start().await;
    let content = picture(5_000);
    let sha256 = hex::encode(Sha256::digest(&content));
    let announced = announce(
        &app,
        &content,
        json!({"sha256": sha256.to_uppercase(), "filename": "../../etc/pass wd.png"}),
    )
    .await;
    assert_eq!(announced["method"], "single");
    complete(&app, &announced).await.problem(409, "upload_incomplete");
    put(&app, &announced, content.clone()).await;

    let answers = futures::future::join_all((0..4).map(|_| complete(&app, &announced))).await;
    let assets: std::collections::HashSet<String> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            answer.body["id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(assets.len(), 1, "however often it is completed, it is one asset");
    let asset = &answers[0].body;
    assert_eq!(
        (asset["sha256"].as_str(), asset["media_type"].as_str()),
        (Some(sha256.as_str()), Some("image/png"))
    );
    assert_eq!(asset["filename"], "pass wd.png");
    assert_eq!(complete(&app, &announced).await.body["id"], asset["id"]);

    let upload = app.get(&format!("/v1/uploads/{}", announced["id"].as_str().unwrap())).await;
    assert_eq!((upload.body["state"].as_str(), &upload.body["asset"]), (Some("completed"), &asset["id"]));
    let path = format!("/v1/assets/{}", asset["id"].as_str().unwrap());
    assert_eq!((asset["state"].as_str(), &asset["url"]), (Some("quarantined"), &Value::Null));
    app.get(&format!("{path}/original")).await.problem(409, "asset_quarantined");
    app.scan(AssetState::Clean, None).await;
    let read = app.get(&path).await;
    assert_eq!((read.body["state"].as_str(), &read.body["renditions"]), (Some("clean"), &json!([])));
    let original = app.http.get(read.body["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(original.bytes().await.unwrap(), content);
    assert_eq!(app.get(&format!("{path}/original")).await.status, StatusCode::OK, "led there by a redirect");
    let expected = blob::Key::original(&app.tenant.to_string(), &sha256).unwrap().to_string();
    assert_eq!(objects(&app).await, [expected], "nothing else stays behind");

    // The URL still works for a while. What is put there now changes nothing.
    put(&app, &announced, picture(5_000)).await;
    assert_eq!(complete(&app, &announced).await.body["id"], asset["id"]);
}

#[tokio::test]
async fn what_is_put_while_it_is_completed_is_either_file_and_no_mixture() {
    let app = TestApp::start().await;
    for round in 0..8 {
        let (first, mut second) = (picture(300_000 + round), picture(300_000 + round).to_vec());
        second[200_000..].fill(7);
        let second = Bytes::from(second);
        let announced = announce(&app, &first, json!({})).await;
        put(&app, &announced, first.clone()).await;
        let overwrite = async {
            for _ in 0..4 {
                put(&app, &announced, second.clone()).await;
                put(&app, &announced, first.clone()).await;
            }
        };
        let (completed, ()) = tokio::join!(complete(&app, &announced), overwrite);
        assert_eq!(completed.status, StatusCode::OK, "{}", completed.text);
        let sha256 = completed.body["sha256"].as_str().unwrap();
        let announced = [first, second].map(|content| hex::encode(Sha256::digest(&content)));
        assert!(announced.iter().any(|possible| possible == sha256), "{sha256}");
        let original = blob::Key::original(&app.tenant.to_string(), sha256).unwrap();
        let (kept, _) = app.blobs.sha256(&original, u64::MAX).await.unwrap();
        assert_eq!(kept, sha256, "what was looked at is what is kept");
    }
}

#[tokio::test]
async fn a_held_file_is_let_go_by_an_administrator_only() {
    let mut app = TestApp::start().await;
    let content = picture(3_000);
    let announced = announce(&app, &content, json!({})).await;
    put(&app, &announced, content).await;
    let asset = complete(&app, &announced).await.body["id"].as_str().unwrap().to_owned();
    let (path, release) = (format!("/v1/assets/{asset}"), format!("/v1/assets/{asset}/release"));
    let reason = json!({"reason": "a false alarm"});
    app.post(&release, &reason).await.problem(409, "asset_quarantined");
    app.scan(AssetState::Infected, Some("Some.Virus")).await;
    let shown = app.get(&path).await.body;
    assert_eq!((shown["state"].as_str(), shown["finding"].as_str()), (Some("infected"), Some("Some.Virus")));
    assert_eq!((&shown["url"], &shown["renditions"]), (&Value::Null, &json!([])));
    app.get(&format!("{path}/original")).await.problem(409, "asset_held");

    let admin = app.key.clone();
    app.key = app.key_of(app.tenant, &["jobs:write", "jobs:read", "queue:operate"]).await;
    app.post(&release, &reason).await.problem(403, "missing_scope");
    app.key = app.stranger().await;
    app.post(&release, &reason).await.problem(404, "not_found");
    app.get(&format!("{path}/original")).await.problem(404, "not_found");
    app.key = admin;
    for _ in 0..2 {
        let released = app.post(&release, &reason).await;
        assert_eq!((released.status, released.body["state"].as_str()), (StatusCode::OK, Some("clean")));
        assert_eq!(released.body["released"]["reason"], "a false alarm");
        assert_eq!(released.body["finding"], "Some.Virus", "what was found stays told");
    }
}

#[tokio::test]
async fn a_file_that_is_not_what_was_announced_is_refused_for_good() {
    let app = TestApp::start().await;
    let content = picture(2_000);
    let script = Bytes::from_static(b"<!doctype html><script>alert(1)</script>");
    let wrong_sha = json!({"sha256": "0".repeat(64)});
    for (content, extra, reason) in
        [(content, wrong_sha, "sha256_mismatch"), (script, json!({"filename": "a.png"}), "unknown_format")]
    {
        let announced = announce(&app, &content, extra).await;
        put(&app, &announced, content).await;
        for _ in 0..2 {
            let refused = complete(&app, &announced).await.problem(422, "upload_rejected");
            assert_eq!(refused.body["reason"], reason);
        }
        let upload = app.get(&format!("/v1/uploads/{}", announced["id"].as_str().unwrap())).await;
        assert_eq!(
            (upload.body["state"].as_str(), upload.body["rejection"]["code"].as_str()),
            (Some("rejected"), Some(reason))
        );
    }
    // S3 itself holds clients to the length they announced; this one gets around it.
    for size in [1_999, 2_001] {
        let announced = announce(&app, &picture(2_000), json!({})).await;
        let key = blob::Key::upload(&app.tenant.to_string(), announced["id"].as_str().unwrap()).unwrap();
        app.blobs.put(&key, picture(size), "image/png", "no-store").await.unwrap();
        let refused = complete(&app, &announced).await.problem(422, "upload_rejected");
        assert_eq!(refused.body["reason"], "size_mismatch");
    }
    assert_eq!(objects(&app).await, [""; 0], "what was refused is deleted");
}

#[tokio::test]
async fn a_large_file_comes_in_parts() {
    let app = TestApp::start().await;
    let content = picture(17 * MIB);
    let announced = announce(&app, &content, json!({})).await;
    assert_eq!(
        (announced["method"].as_str(), announced["part_bytes"].as_u64()),
        (Some("multipart"), Some(8 * MIB as u64))
    );
    let parts = announced["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 3);
    complete(&app, &announced).await.problem(422, "invalid_body");
    let (mut etags, mut sent) = (Vec::new(), 0);
    for part in parts {
        let bytes = part["bytes"].as_u64().unwrap() as usize;
        let body = content.slice(sent..sent + bytes);
        sent += bytes;
        let response = app.http.put(part["url"].as_str().unwrap()).body(body).send().await.unwrap();
        assert!(response.status().is_success());
        etags.push(json!({"number": part["number"], "etag": response.headers()["etag"].to_str().unwrap()}));
    }
    let path = format!("/v1/uploads/{}/complete", announced["id"].as_str().unwrap());
    for wrong in [
        json!([]),
        json!([etags[0]]),
        json!([etags[0], etags[0], etags[1]]),
        json!([{"number": 1, "etag": ""}]),
    ] {
        app.post(&path, &json!({"parts": wrong})).await.problem(422, "invalid_body");
    }
    etags.reverse();
    let answer = app.post(&path, &json!({"parts": etags})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.body["sha256"], hex::encode(Sha256::digest(&content)));
    assert_eq!(app.post(&path, &json!({"parts": etags})).await.body["id"], answer.body["id"]);
}

#[tokio::test]
async fn an_announcement_is_checked() {
    let app = TestApp::start().await;
    for (body, pointer) in [
        (json!({"content_type": "text/html", "bytes": 10}), "/content_type"),
        (json!({"content_type": "image/png", "bytes": 0}), "/bytes"),
        (json!({"content_type": "image/png", "bytes": 268_435_457_u64}), "/bytes"),
        (json!({"content_type": "video/mp4", "bytes": 2_097_152_001_u64}), "/bytes"),
        (json!({"content_type": "image/png", "bytes": -1}), "/bytes"),
        (json!({"content_type": "image/png", "bytes": 10, "sha256": "xyz"}), "/sha256"),
        (json!({"content_type": "image/png", "bytes": 10, "filename": "x".repeat(256)}), "/filename"),
        (json!({"content_type": "image/png", "bytes": 10, "key": "../x"}), "/key"),
    ] {
        let refused = app.post("/v1/uploads", &body).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer]);
    }
    let announced = announce(&app, &picture(10), json!({})).await;
    let path = format!("/v1/uploads/{}/complete", announced["id"].as_str().unwrap());
    app.post(&path, &json!({"parts": []})).await.problem(422, "invalid_body");
}
