//! Whatever arrives, nothing here answers with a 5xx.

use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, fresh};

fn nasty() -> Vec<String> {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let mut texts: Vec<String> = [
        "",
        " ",
        "\0",
        "null",
        "true",
        "0",
        "-0",
        "1e400",
        "1e308",
        "-9223372036854775809",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "[]",
        "[[]]",
        "{}",
        "{\"\":{}}",
        "{\"a\":1,\"a\":2}",
        "{\"kind\":null}",
        "{'kind':1}",
        "{\"kind\"}",
        "NaN",
        "\u{feff}{}",
        "{\"__proto__\":{}}",
        "{\"$ref\":\"#\"}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend([deep(127), deep(128), deep(10_000), format!("{{\"kind\":{}}}", deep(100))]);
    texts
}

/// Values that fit no field, or hardly any.
fn values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!("\0"),
        json!("a\0b"),
        json!("\u{ffff}\u{202e}"),
        json!("'; drop table job; --"),
        json!("x".repeat(70_000)),
        json!([]),
        json!([null]),
        json!([[]]),
        json!({}),
        json!({"": ""}),
        json!({"a\0": "b"}),
        json!({"a": "\0"}),
        json!({"a": [1e300, -0.0, 1e-300, u64::MAX]}),
        json!("-infinity"),
        json!("0000-00-00T00:00:00Z"),
        json!("-262143-01-01T00:00:00Z"),
        json!("+262142-12-31T23:59:59Z"),
        json!("2026-06-30T23:59:60Z"),
        json!("ast_00000000000000000000000000000000"),
        json!("../../etc/passwd"),
    ]
}

/// Jobs that are in order but for one field.
fn jobs(value: &Value) -> Vec<Value> {
    let with = |mut job: Value, path: &str| {
        *job.pointer_mut(path).unwrap() = value.clone();
        job
    };
    let probe = json!({
        "kind": "probe.work", "args": {"work_ms": 1, "endings": [], "echo": "", "follow_ups": 0}, "queue": null, "priority": 2,
        "max_attempts": 2, "scheduled_at": null, "tags": [], "metadata": null,
    });
    let rendition = json!({
        "kind": "media.rendition", "args": {"asset": "ast_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f", "preset": "listing@1"},
    });
    let in_probe = [
        "/kind",
        "/args",
        "/args/work_ms",
        "/args/endings",
        "/args/echo",
        "/args/follow_ups",
        "/queue",
        "/priority",
        "/max_attempts",
        "/scheduled_at",
        "/tags",
        "/metadata",
    ];
    let in_rendition = ["/args/asset", "/args/preset"];
    let probes = in_probe.map(|path| with(probe.clone(), path));
    let renditions = in_rendition.map(|path| with(rendition.clone(), path));
    probes.into_iter().chain(renditions).chain([json!({"kind": "probe.work", "surprise": value})]).collect()
}

/// Announcements that are in order but for one field.
fn uploads(value: &Value) -> Vec<Value> {
    let fields = ["filename", "content_type", "bytes", "sha256", "surprise"];
    let with = |field: &str| {
        let mut upload = json!({"content_type": "image/png", "bytes": 5});
        upload[field] = value.clone();
        upload
    };
    fields.map(with).to_vec()
}

#[tokio::test]
async fn no_query_is_too_strange() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.body;
    let strange = [
        "%00",
        "a%00b",
        "-262143-01-01T00:00:00Z",
        "%2B262142-12-31T23:59:59Z",
        "-1",
        "99999999999999999999",
        "%FF",
        "",
    ];
    let mut asked = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        let in_query = parameters.filter(|parameter| parameter["in"] == "query" && !path.ends_with("events"));
        for name in in_query.filter_map(|parameter| parameter["name"].as_str()) {
            asked.extend(strange.map(|value| format!("{}?{name}={value}", path.replace(['{', '}'], ""))));
        }
    }
    assert!(asked.len() > 100, "{}", asked.len());
    let answers = stream::iter(&asked).for_each_concurrent(16, async |path| {
        let answer = app.get(path).await;
        assert!(answer.status.as_u16() < 500, "{path}: {}", answer.text);
    });
    answers.await;
}

#[tokio::test]
async fn an_integer_that_would_become_another_is_refused() {
    let app = TestApp::start().await;
    let body =
        |integer: &str| format!(r#"{{"kind": "probe.work", "args": {{}}, "metadata": {{"n": {integer}}}}}"#);
    let taken = send(&app, "/v1/jobs", &fresh(), body("18446744073709551615")).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    let refused = send(&app, "/v1/jobs", &fresh(), body("18446744073709551616")).await;
    refused.problem(422, "invalid_body");
}

async fn send(app: &TestApp, path: &str, key: &str, body: String) -> Answer {
    let request = app
        .request(Method::POST, path)
        .header("idempotency-key", key)
        .header("content-type", "application/json");
    Answer::of(request.body(body).send().await.unwrap()).await
}

async fn survive(app: &TestApp, path: &str, body: &str) {
    let answer = send(app, path, &fresh(), body.to_owned()).await;
    assert!(answer.status.as_u16() < 500, "{path} with {body:.200}: {}", answer.text);
    if answer.status.is_client_error() {
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{path} with {body:.200}"
        );
    } else if path == "/v1/jobs" {
        let again = app.get(answer.header("location").unwrap()).await;
        assert_eq!(again.status, 200, "{body:.200} was taken but cannot be read");
    }
}

#[tokio::test]
async fn no_body_is_too_strange() {
    let app = TestApp::start().await;
    let id = app.submit(json!({})).await;
    let upload =
        app.post("/v1/uploads", &json!({"content_type": "image/png", "bytes": 5})).await.body["id"].clone();
    let upload = upload.as_str().unwrap().to_owned();
    let (cancel, retry) = (format!("/v1/jobs/{id}/cancel"), format!("/v1/jobs/{id}/retry"));
    let complete = format!("/v1/uploads/{upload}/complete");
    let paths = [
        "/v1/jobs",
        "/v1/jobs/batch",
        "/v1/uploads",
        &complete,
        &cancel,
        &retry,
        "/v1/uploads/upl_1/complete",
    ];
    let mut sent: Vec<(&str, String)> = Vec::new();
    for body in nasty() {
        sent.extend(paths.map(|path| (path, body.clone())));
    }
    for value in values() {
        sent.extend(jobs(&value).into_iter().flat_map(|job| {
            [
                ("/v1/jobs", job.to_string()),
                ("/v1/jobs/batch", json!({"jobs": [job, {"kind": "probe.work"}]}).to_string()),
            ]
        }));
        sent.push(("/v1/jobs/batch", json!({"jobs": value}).to_string()));
        sent.extend(uploads(&value).into_iter().map(|upload| ("/v1/uploads", upload.to_string())));
        sent.push((&complete, json!({"parts": value}).to_string()));
        sent.push((&complete, json!({"parts": [{"number": value, "etag": value}]}).to_string()));
    }
    stream::iter(&sent).for_each_concurrent(32, |(path, body)| survive(&app, path, body)).await;
    // And with one key for all of them.
    let same_key = stream::iter(&sent).for_each_concurrent(32, async |(_, body)| {
        let answer = send(&app, "/v1/jobs", "one-key", body.clone()).await;
        assert!(answer.status.as_u16() < 500, "{body:.200}: {}", answer.text);
    });
    same_key.await;
    assert_eq!(app.get("/v1/jobs?limit=200").await.status, 200);
}
