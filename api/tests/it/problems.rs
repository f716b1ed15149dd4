//! Every refusal is a problem with a stable code.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::app::{Answer, BOUND, TestApp, fresh, serve, settings};

async fn post(app: &TestApp, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request =
        app.request(Method::POST, path).header("idempotency-key", fresh()).header("content-type", kind);
    Answer::of(request.body(body).send().await.unwrap()).await
}

#[tokio::test]
async fn bodies_that_cannot_be_read_say_why() {
    let app = TestApp::start().await;
    let json = "application/json";
    let cut =
        post(&app, "/v1/jobs", json, "{\n  \"kind\": \"probe.work\",\n").await.problem(400, "malformed_json");
    assert!(cut.body["detail"].as_str().unwrap().starts_with("line 3, column "), "{}", cut.text);
    post(&app, "/v1/jobs", json, "").await.problem(400, "malformed_json");
    post(&app, "/v1/jobs", json, "{\"kind\":\"probe.work\"} {}").await.problem(400, "malformed_json");
    post(&app, "/v1/jobs", json, vec![0xFF, 0xFE]).await.problem(400, "malformed_json");
    post(&app, "/v1/jobs", "text/plain", "{}").await.problem(415, "unsupported_media_type");
    post(&app, "/v1/jobs", "application/json; charset=utf-8", "{}").await.problem(422, "invalid_body");
    post(&app, "/v1/jobs", json, vec![b' '; 2 * 1024 * 1024 + 1]).await.problem(413, "payload_too_large");
    post(&app, "/v1/jobs/batch", json, vec![b' '; 8 * 1024 * 1024 + 1])
        .await
        .problem(413, "payload_too_large");
    // Without a length announced, the limit still holds.
    let chunks = futures::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024])));
    post(&app, "/v1/jobs", json, reqwest::Body::wrap_stream(chunks)).await.problem(413, "payload_too_large");
}

#[tokio::test]
async fn every_wrong_field_is_pointed_at() {
    let app = TestApp::start().await;
    for (body, pointer) in [
        (json!({}), ""),
        (json!([]), ""),
        (json!({"kind": "nobody.knows"}), "/kind"),
        (json!({"kind": 7}), "/kind"),
        (json!({"kind": "probe.work", "surprise": true}), "/surprise"),
        (json!({"kind": "probe.work", "args": {"work_ms": 600_001}}), "/args/work_ms"),
        (
            json!({"kind": "probe.work", "args": {"endings": ["complete", {"snooze": "soon"}]}}),
            "/args/endings/1/snooze",
        ),
        (json!({"kind": "probe.work", "args": []}), "/args"),
        (json!({"kind": "probe.work", "args": {"echo": "a\0b"}}), "/args/echo"),
        (json!({"kind": "probe.work", "queue": "fast"}), "/queue"),
        (json!({"kind": "media.rendition", "args": {"asset": "ast_1"}}), "/args/asset"),
        (json!({"kind": "probe.work", "queue": "media"}), "/queue"),
        (json!({"kind": "probe.work", "priority": 5}), "/priority"),
        (json!({"kind": "probe.work", "max_attempts": 0}), "/max_attempts"),
        (json!({"kind": "probe.work", "max_attempts": 51}), "/max_attempts"),
        (json!({"kind": "probe.work", "scheduled_at": "tomorrow"}), "/scheduled_at"),
        (json!({"kind": "probe.work", "scheduled_at": "2999-01-01T00:00:00Z"}), "/scheduled_at"),
        (json!({"kind": "probe.work", "tags": ["a", ""]}), "/tags/1"),
        (json!({"kind": "probe.work", "tags": vec!["a"; 17]}), "/tags"),
        (json!({"kind": "probe.work", "metadata": {"a": "x".repeat(5_000)}}), "/metadata"),
        (json!({"kind": "probe.work", "metadata": {"a\0": 1}}), "/metadata"),
    ] {
        let answer = app.post("/v1/jobs", &body).await.problem(422, "invalid_body");
        assert_eq!(answer.pointers(), [pointer], "{body}");
    }
    let several = json!({"kind": "probe.work", "max_attempts": 99, "tags": [""], "args": {"work_ms": -1}});
    assert_eq!(app.post("/v1/jobs", &several).await.problem(422, "invalid_body").pointers().len(), 3);
}

#[tokio::test]
async fn paths_methods_and_parameters_that_do_not_exist_say_so() {
    let app = TestApp::start().await;
    for path in [
        "/",
        "/v1",
        "/v2/jobs",
        "/v1/jobs/",
        "/v1/nothing",
        "/%2e%2e/etc/passwd",
        "/v1/jobs/x",
        "/v1/assets/job_1",
    ] {
        app.get(path).await.problem(404, "not_found");
    }
    app.get(&format!("/v1/jobs/{}", jobs::JobId::new())).await.problem(404, "not_found");
    app.get("/v1/kinds/nobody.knows").await.problem(404, "not_found");
    app.get("/v1/kinds/%F0%9F").await.problem(404, "not_found");
    let request = app.request(Method::DELETE, "/v1/jobs").send().await.unwrap();
    let refused = Answer::of(request).await.problem(405, "method_not_allowed");
    let allowed = refused.header("allow").unwrap();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    for path in [
        "/v1/jobs?limit=0",
        "/v1/jobs?limit=201",
        "/v1/jobs?limit=x",
        "/v1/jobs?state=done",
        "/v1/jobs?kind=%00",
        "/v1/jobs?queue=fast",
        "/v1/jobs?cursor=zzz",
        "/v1/jobs?tag=%00",
        "/v1/jobs?surprise=1",
    ] {
        app.get(path).await.problem(400, "invalid_parameter");
    }
    let wrong_key = app.post_keyed("/v1/jobs", &json!({"kind": "probe.work"}), &"k".repeat(256)).await;
    wrong_key.problem(400, "invalid_parameter");
}

#[tokio::test]
async fn a_request_id_is_echoed_or_made() {
    let app = TestApp::start().await;
    let ask = async |id: &str| {
        let answer = app.http.get(app.url("/healthz")).header("x-request-id", id).send().await.unwrap();
        answer.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(ask("visit-7.a_b").await, "visit-7.a_b");
    for wrong in ["a b", "<script>", &"x".repeat(129)] {
        assert!(ask(wrong).await.starts_with("req_"), "{wrong}");
    }
}

#[tokio::test]
async fn a_database_that_is_gone_is_a_503_that_tells_nothing() {
    let app = TestApp::start().await;
    let options = store::Options {
        url: "postgres://nobody:hunter2@127.0.0.1:1/nowhere".to_owned(),
        role: store::Role::Api,
        connections_max: 2,
        acquire_ms: 300,
        statement_ms: 1_000,
    };
    let db = store::Db::connect(&options).unwrap();
    let (address, _stop, _serving) = serve(db, app.blobs.clone(), settings()).await;
    let ask = async |path: &str| {
        let request = app.http.get(format!("http://{address}{path}")).bearer_auth(&app.key);
        Answer::of(request.send().await.unwrap()).await
    };
    let answer = ask("/v1/jobs").await.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    for secret in ["hunter2", "127.0.0.1:1", "nowhere", "sqlx"] {
        assert!(!answer.text.contains(secret), "{}", answer.text);
    }
    let ready = ask("/readyz").await;
    let found = (ready.status.as_u16(), &ready.body["postgres"], &ready.body["s3"]);
    assert_eq!(found, (503, &json!("unreachable"), &json!("ok")));
    assert_eq!(ask("/healthz").await.status, StatusCode::OK);
    assert_eq!(app.get("/readyz").await.status, StatusCode::OK);
}

pub(crate) async fn slow(app: &TestApp, sent: &str) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(BOUND, stream.read_to_end(&mut answer))
        .await
        .expect("the connection is not closed");
    drop(read);
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

#[tokio::test]
async fn clients_that_do_not_go_on_are_cut_off() {
    let app = TestApp::start().await;
    for head in ["", "GET /healthz HT", "PRI * HTTP/2.0\r\n", "GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: "]
    {
        let (answer, took) = slow(&app, head).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
        assert!(took < Duration::from_secs(9), "{head:?} was held for {took:?}");
    }
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\nidempotency-key: k\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"kind\"",
        app.key
    );
    let (answer, took) = slow(&app, &head).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_timeout"), "{answer}");
    assert!(took < Duration::from_secs(9), "{took:?}");
}
