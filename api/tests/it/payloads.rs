//! Arguments and results that are too large for a row.

use axum::http::header;
use jobs::{JobId, limits::LARGE_ARGS_BYTES_MAX};
use payloads::Of;
use serde_json::{Value, json};
use store::{
    payload::{Field, Payload},
    settle::settle,
    verdict::{Settle, Verdict},
};

use crate::app::{TestApp, fresh};

/// Too large for a row.
fn ballast() -> Value {
    json!({"ballast": "x".repeat(200_000)})
}

async fn objects(app: &TestApp) -> usize {
    app.blobs.list(&format!("{}/p/", app.tenant), 1_000).await.unwrap().objects.len()
}

#[tokio::test]
async fn large_arguments_come_back_by_a_url_and_by_name() {
    let app = TestApp::start().await;
    let id = app.submit(json!({"args": ballast()})).await;
    let job = app.get(&format!("/v1/jobs/{id}")).await.body;
    assert!(job.get("args").is_none() && job.get("result_url").is_none(), "{job}");
    let url = job["args_url"].as_str().unwrap();
    let there: Value = app.http.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(there["ballast"].as_str().map(str::len), Some(200_000));
    assert_eq!(app.get(&format!("/v1/jobs/{id}/args")).await.body, there);
    assert!(app.get("/v1/jobs").await.body["jobs"][0].get("args_url").is_none(), "lists sign nothing");

    let stranger = app.stranger().await;
    let asked = app.http.get(app.url(&format!("/v1/jobs/{id}/args"))).bearer_auth(stranger);
    assert_eq!(asked.send().await.unwrap().status(), 404);

    let small = app.submit(json!({"args": {"echo": "hello"}})).await;
    let job = app.get(&format!("/v1/jobs/{small}")).await.body;
    assert_eq!((&job["args"]["echo"], job.get("args_url")), (&json!("hello"), None));
    assert_eq!(app.get(&format!("/v1/jobs/{small}/args")).await.body, job["args"]);
    assert_eq!(objects(&app).await, 1);
}

#[tokio::test]
async fn a_large_result_comes_back_by_a_url_and_by_name() {
    let app = TestApp::start().await;
    let id = app.submit(json!({})).await;
    let claimed = app.claim().await.remove(0);
    let of = Of { tenant: app.tenant, job: claimed.id, field: Field::Result };
    let value = json!({"padding": "y".repeat(300_000)});
    let result = payloads::stow(&app.worker, &app.blobs, of, value.clone()).await.unwrap();
    assert!(matches!(result, Payload::Object(_)));
    let verdict = Settle::of(&claimed, Verdict::Completed { result });
    settle(&app.worker, &[verdict], &[claimed.lease]).await.unwrap();

    let job = app.get(&format!("/v1/jobs/{id}")).await.body;
    assert!(job.get("result").is_none());
    let signed = app.http.get(job["result_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(signed.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(signed.json::<Value>().await.unwrap(), value);
    assert_eq!(app.get(&format!("/v1/jobs/{id}/result")).await.body, value);
}

#[tokio::test]
async fn what_is_larger_than_that_is_refused_with_its_place() {
    let app = TestApp::start().await;
    // Within what the kind allows, and beyond what is taken: a control character takes six bytes.
    let body = json!({"kind": "probe.work", "args": {"ballast": "\u{1}".repeat(LARGE_ARGS_BYTES_MAX / 6)}});
    let refused = app.post("/v1/jobs", &body).await.problem(422, "invalid_body");
    assert_eq!(refused.pointers(), ["/args"]);
    assert_eq!(refused.body["errors"][0]["detail"], "arguments take at most 1048576 bytes");

    let schedule = json!({"name": "heavy", "cron": "@daily", "kind": "probe.work", "args": ballast()});
    let refused = app.post("/v1/schedules", &schedule).await;
    assert_eq!(refused.status, 422, "a schedule keeps its arguments in its row");
    assert!(refused.text.contains("65536 bytes"), "{}", refused.text);
    assert_eq!(objects(&app).await, 0);
}

#[tokio::test]
async fn a_submission_that_makes_no_job_leaves_no_object() {
    let app = TestApp::start().await;
    let (key, body) = (fresh(), json!({"kind": "probe.work", "args": ballast(), "unique": {"key": "one"}}));
    let first = app.post_keyed("/v1/jobs", &body, &key).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let again = app.post_keyed("/v1/jobs", &body, &key).await;
    assert_eq!((again.text, again.status), (first.text, first.status), "the same answer");
    let same_work = app.post("/v1/jobs", &body).await;
    assert_eq!(same_work.body["id"], first.body["id"], "{}", same_work.text);
    let mismatch = json!({"kind": "probe.work", "args": {"ballast": "z".repeat(100_000)}});
    app.post_keyed("/v1/jobs", &mismatch, &key).await.problem(422, "idempotency_key_reused");
    assert_eq!(objects(&app).await, 1);

    let batch = json!({"jobs": [
        {"kind": "probe.work", "args": ballast()},
        {"kind": "probe.work", "args": {"ballast": 7}},
        body,
        {"kind": "probe.work"},
    ]});
    let answer = app.post("/v1/jobs/batch", &batch).await;
    let outcomes: Vec<&str> = answer.body["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["accepted", "invalid", "existing", "accepted"], "{}", answer.text);
    assert_eq!(objects(&app).await, 2);
}

#[tokio::test]
async fn nobody_can_name_an_object_that_is_not_theirs() {
    let app = TestApp::start().await;
    let id = app.submit(json!({"args": ballast()})).await;
    let of: JobId = id.parse().unwrap();
    let record = store::reads::get(&app.worker, app.tenant, of).await.unwrap();
    let Payload::Object(object) = record.unwrap().args.0 else { panic!("it is in the row") };
    let forged = json!({"$crewline": "object", "key": object.key, "bytes": 1});
    let body = json!({"kind": "probe.work", "args": forged});
    app.post("/v1/jobs", &body).await.problem(422, "invalid_body");
    // Metadata is anything of the caller's, and stays what it is.
    let id = app.submit(json!({"metadata": forged})).await;
    assert_eq!(app.get(&format!("/v1/jobs/{id}")).await.body["metadata"], forged);
}
