//! Submitting jobs: one, many, waiting for them.

use jobs::AssetId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::verdict::Verdict;

use crate::app::{Answer, TestApp, completed, fresh};

#[tokio::test]
async fn a_job_is_taken_in_worked_and_read() {
    let app = TestApp::start().await;
    let body = json!({
        "kind": "probe.work", "args": {"echo": "hello"}, "priority": 1, "max_attempts": 7,
        "tags": ["visit 7", "é"], "metadata": {"order": 42},
    });
    let answer = app.post("/v1/jobs", &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let id = answer.body["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location").unwrap(), format!("/v1/jobs/{id}"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.header("ratelimit").unwrap().starts_with("\"requests\";r="));
    assert_eq!(answer.header("ratelimit-policy"), Some("\"requests\";q=100000;w=1"));

    let read = app.get(&format!("/v1/jobs/{id}")).await;
    assert_eq!((read.status, read.header("retry-after")), (StatusCode::OK, Some("1")));
    assert_eq!(read.body, answer.body, "a job reads as it was answered");
    assert_eq!(read.body["state"], "available");
    assert_eq!(read.body["args"]["echo"], "hello");
    assert_eq!((read.body["priority"].as_u64(), read.body["max_attempts"].as_u64()), (Some(1), Some(7)));
    assert_eq!(read.body["tags"], json!(["visit 7", "é"]));
    app.get(&format!("/v1/jobs/{id}/result")).await.problem(409, "not_finished");

    let claimed = app.claim().await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(app.get(&format!("/v1/jobs/{id}")).await.body["state"], "running");
    store::settle::settle(
        &app.worker,
        &[store::verdict::Settle::of(&claimed[0], completed())],
        &[claimed[0].lease],
    )
    .await
    .unwrap();
    let read = app.get(&format!("/v1/jobs/{id}")).await;
    assert_eq!((read.body["state"].as_str(), read.header("retry-after")), (Some("completed"), None));
    assert_eq!(read.body["result"]["echo"], "hello");
    assert_eq!(app.get(&format!("/v1/jobs/{id}/result")).await.body, json!({"echo": "hello", "attempt": 1}));
    let attempts = app.get(&format!("/v1/jobs/{id}/attempts")).await;
    assert_eq!(attempts.body["attempts"][0]["outcome"], "completed");
}

#[tokio::test]
async fn prefer_wait_answers_with_the_finished_job() {
    let app = TestApp::start().await;
    let waiting = app
        .request(Method::POST, "/v1/jobs")
        .header("idempotency-key", fresh())
        .header("prefer", "wait=20")
        .json(&json!({"kind": "probe.work"}))
        .send();
    let working = async {
        crate::app::eventually(async || (app.work(completed()).await == 1).then_some(())).await;
    };
    let (answer, ()) = tokio::join!(waiting, working);
    let answer = Answer::of(answer.unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("preference-applied"), Some("wait=20"));
    assert_eq!(answer.body["result"]["echo"], "hello");

    let late = app
        .request(Method::POST, "/v1/jobs")
        .header("idempotency-key", fresh())
        .header("prefer", "wait=0")
        .json(&json!({"kind": "probe.work"}))
        .send()
        .await
        .unwrap();
    assert_eq!(late.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_same_work_is_not_made_twice() {
    let app = TestApp::start().await;
    let body = json!({"kind": "media.rendition", "args": {"asset": AssetId::new()}});
    let first = app.post("/v1/jobs", &body).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    let key = fresh();
    let second = app.post_keyed("/v1/jobs", &body, &key).await;
    assert_eq!((second.status, second.body["existing"].as_bool()), (StatusCode::OK, Some(true)));
    assert_eq!(second.body["id"], first.body["id"]);
    assert_eq!(second.body["state"], "available");
    assert_eq!(second.header("location"), first.header("location"));

    // What the key was answered stays, even when the job has moved on.
    let id = first.body["id"].as_str().unwrap();
    assert_eq!(app.post(&format!("/v1/jobs/{id}/cancel"), &json!(null)).await.status, StatusCode::OK);
    let replayed = app.post_keyed("/v1/jobs", &body, &key).await;
    assert_eq!((replayed.status, &replayed.text), (StatusCode::OK, &second.text));
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert_eq!(app.post("/v1/jobs", &body).await.status, StatusCode::ACCEPTED, "it may be done again now");
}

#[tokio::test]
async fn a_batch_tells_each_job_what_became_of_it() {
    let app = TestApp::start().await;
    let asset = AssetId::new();
    let rendition = json!({"kind": "media.rendition", "args": {"asset": asset}});
    let first = app.post("/v1/jobs", &rendition).await;
    let body = json!({"jobs": [
        {"kind": "probe.work"},
        {"kind": "nobody.knows"},
        rendition,
        {"kind": "probe.work", "args": {"work_ms": 600_001}},
        {"kind": "probe.work", "surprise": 1},
        "not a job",
        {"kind": "probe.work", "tags": ["a"]},
    ]});
    let key = fresh();
    let answer = app.post_keyed("/v1/jobs/batch", &body, &key).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let counts = ["accepted", "existing", "invalid"].map(|name| answer.body[name].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 4]);
    let items = answer.body["jobs"].as_array().unwrap();
    let outcomes: Vec<&str> = items.iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["accepted", "invalid", "existing", "invalid", "invalid", "invalid", "accepted"]);
    assert_eq!(items[2]["id"], first.body["id"]);
    let pointer = |index: usize| items[index]["errors"][0]["pointer"].as_str().unwrap().to_owned();
    assert_eq!(
        [pointer(1), pointer(3), pointer(4), pointer(5)],
        ["/jobs/1/kind", "/jobs/3/args/work_ms", "/jobs/4/surprise", "/jobs/5"]
    );
    assert_eq!(app.claim().await.len(), 2);

    let again = app.post_keyed("/v1/jobs/batch", &body, &key).await;
    assert_eq!((again.status, again.text), (StatusCode::ACCEPTED, answer.text));
    assert_eq!(app.claim().await.len(), 0, "nothing was made twice");

    let nothing = app.post("/v1/jobs/batch", &json!({"jobs": [{"kind": "x"}]})).await;
    assert_eq!((nothing.status, nothing.body["invalid"].as_u64()), (StatusCode::OK, Some(1)));
    let many: Vec<Value> =
        (0..1_000).map(|n| json!({"kind": "probe.work", "args": {"echo": n.to_string()}})).collect();
    assert_eq!(app.post("/v1/jobs/batch", &json!({"jobs": many})).await.body["accepted"], 1_000);
    app.post("/v1/jobs/batch", &json!({"jobs": []})).await.problem(422, "invalid_body");
    let too_many: Vec<Value> = (0..1_001).map(|_| json!({"kind": "probe.work"})).collect();
    app.post("/v1/jobs/batch", &json!({"jobs": too_many})).await.problem(422, "invalid_body");
}

#[tokio::test]
async fn a_job_is_stopped_and_begun_again() {
    let app = TestApp::start().await;
    let id = app.submit(json!({"scheduled_at": "2027-06-01T00:00:00Z"})).await;
    assert_eq!(app.get(&format!("/v1/jobs/{id}")).await.header("retry-after"), Some("60"));
    let (cancel, retry) = (format!("/v1/jobs/{id}/cancel"), format!("/v1/jobs/{id}/retry"));
    let cancelled = app.post(&cancel, &json!({})).await;
    assert_eq!((cancelled.status, cancelled.body["state"].as_str()), (StatusCode::OK, Some("cancelled")));
    assert_eq!(app.post(&cancel, &json!({})).await.status, StatusCode::OK, "twice is no mistake");
    let gone = app.get(&format!("/v1/jobs/{id}/result")).await.problem(410, "job_cancelled");
    assert_eq!(gone.body["error"]["code"], "cancelled");

    let again = app.post(&retry, &json!({})).await;
    assert_eq!((again.status, again.body["state"].as_str()), (StatusCode::ACCEPTED, Some("available")));
    let claimed = app.claim().await;
    app.post(&retry, &json!({})).await.problem(409, "job_running");
    let asked = app.post(&cancel, &json!({})).await;
    assert_eq!((asked.status, asked.body["state"].as_str()), (StatusCode::ACCEPTED, Some("running")));
    assert!(asked.body["cancel_requested_at"].is_string());
    let problem = jobs::failure::Problem::new("broken", "it broke");
    let settled = store::verdict::Settle::of(&claimed[0], Verdict::Discarded { problem });
    store::settle::settle(&app.worker, &[settled], &[claimed[0].lease]).await.unwrap();
    app.post(&cancel, &json!({})).await.problem(409, "too_late");
    let gone = app.get(&format!("/v1/jobs/{id}/result")).await.problem(410, "job_discarded");
    assert_eq!(gone.body["error"]["message"], "it broke");
}

#[tokio::test]
async fn work_that_another_job_took_over_is_not_begun_again() {
    let app = TestApp::start().await;
    let body = json!({"kind": "media.rendition", "args": {"asset": AssetId::new()}});
    let first = app.post("/v1/jobs", &body).await.body["id"].as_str().unwrap().to_owned();
    app.post(&format!("/v1/jobs/{first}/cancel"), &json!({})).await;
    let second = app.post("/v1/jobs", &body).await;
    let refused =
        app.post(&format!("/v1/jobs/{first}/retry"), &json!({})).await.problem(409, "duplicate_work");
    assert_eq!(refused.body["job"], second.body["id"]);
}
