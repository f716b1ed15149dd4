//! A job once more, over the API.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{TestApp, completed, fresh};

#[tokio::test]
async fn a_job_is_cloned_with_other_arguments() {
    let app = TestApp::start().await;
    let given = json!({"args": {"echo": "one", "work_ms": 5}, "tags": ["order-7"], "priority": 4, "metadata": {"of": "us"}});
    let first = app.submit(given).await;
    let path = format!("/v1/jobs/{first}/clone");
    let (key, change) = (fresh(), json!({"args": {"echo": "two", "work_ms": null}}));
    let answer = app.post_keyed(&path, &change, &key).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let clone = &answer.body;
    assert_eq!(answer.header("location"), Some(&*format!("/v1/jobs/{}", clone["id"].as_str().unwrap())));
    assert_ne!(clone["id"], first);
    assert_eq!((&clone["args"]["echo"], &clone["priority"]), (&json!("two"), &json!(4)));
    assert_ne!(clone["args"]["work_ms"], 5);
    assert_eq!(clone["metadata"], json!({"of": "us", "clone_of": first}));
    assert_eq!(clone["tags"], json!(["order-7"]));
    let again = app.post_keyed(&path, &change, &key).await;
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &answer.text));
    app.post_keyed(&path, &json!({}), &key).await.problem(422, "idempotency_key_reused");

    // An ended one, unchanged and elsewhere in line.
    app.work(completed()).await;
    let plain = app.post(&path, &json!({"priority": 1, "scheduled_at": "2026-12-24T18:00:00Z"})).await.body;
    assert_eq!((&plain["args"]["echo"], &plain["priority"]), (&json!("one"), &json!(1)));
    let chained = app.post(&format!("/v1/jobs/{}/clone", plain["id"].as_str().unwrap()), &json!({})).await;
    assert_eq!(chained.body["metadata"]["clone_of"], plain["id"], "the job that it was made from");
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_arguments_are_in_no_log() {
    let app = TestApp::start().await;
    let first = app.submit(json!({"args": {"echo": "one"}})).await;
    let path = format!("/v1/jobs/{first}/clone");
    for (change, pointer) in [
        (json!({"args": {"work_ms": -1}}), "/args/work_ms"),
        (json!({"args": {"nobody": 1}}), "/args"),
        (json!({"queue": "media"}), "/queue"),
        (json!({"priority": 5}), "/priority"),
        (json!({"kind": "media.probe"}), ""),
    ] {
        let refused = app.post(&path, &change).await.problem(422, "invalid_body");
        assert!(refused.pointers()[0].starts_with(pointer), "{change}: {}", refused.text);
    }
    let without = app.request(reqwest::Method::POST, &path).json(&json!({})).send().await.unwrap();
    assert_eq!(without.status(), StatusCode::BAD_REQUEST);
    assert_eq!(app.post(&path, &json!({"args": {"echo": "a secret word"}})).await.status, 202);
    let log = app.get("/v1/audit").await;
    let entries: Vec<Value> = log.body["entries"].as_array().unwrap().clone();
    assert!(
        entries.iter().any(|entry| entry["action"] == "job.clone" && entry["target"] == first),
        "{}",
        log.text
    );
    assert!(!log.text.contains("secret word"));
}

#[tokio::test]
async fn large_arguments_are_cloned_too() {
    let app = TestApp::start().await;
    let first = app.submit(json!({"args": {"ballast": "x".repeat(200_000)}})).await;
    let clone = app.post(&format!("/v1/jobs/{first}/clone"), &json!({"args": {"echo": "y"}})).await;
    assert_eq!(clone.status, StatusCode::ACCEPTED, "{}", clone.text);
    let args = app.get(&format!("/v1/jobs/{}/args", clone.body["id"].as_str().unwrap())).await.body;
    assert_eq!((args["ballast"].as_str().map(str::len), &args["echo"]), (Some(200_000), &json!("y")));
}
