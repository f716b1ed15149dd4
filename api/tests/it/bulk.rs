//! Bulk operations over HTTP. Nobody works here but the tests.

use jobs::failure::Problem;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::{bulk, verdict::Verdict};

use crate::app::{Answer, TestApp, completed, fresh};

const PATH: &str = "/v1/bulk-operations";

fn discarded() -> Verdict {
    Verdict::Discarded { problem: Problem::new("broken", "as expected") }
}

fn retry() -> Value {
    json!({"action": "retry", "filter": {"states": ["discarded"]}})
}

impl TestApp {
    async fn give_up(&self, count: usize) {
        for _ in 0..count {
            self.submit(json!({"tags": ["t"]})).await;
        }
        assert_eq!(self.work(discarded()).await, count);
    }

    /// As workers would; answers the operation as it ended.
    async fn carry_out(&self, location: &str) -> Value {
        crate::app::eventually(async || {
            bulk::step(&self.worker).await.unwrap();
            let body = self.get(location).await.body;
            (body["state"] != "running").then_some(body)
        })
        .await
    }

    async fn with_key(&self, key: &str, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.http.request(method, self.url(path)).bearer_auth(key);
        Answer::of(request.header("idempotency-key", fresh()).json(body).send().await.unwrap()).await
    }
}

#[tokio::test]
async fn one_looks_then_begins_then_follows() {
    let app = TestApp::start().await;
    app.give_up(12).await;
    let mut look = retry();
    look["dry_run"] = json!(true);
    // Looking needs no key.
    let request = app.request(Method::POST, PATH).json(&look);
    let seen = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.text);
    assert_eq!((&seen.body["count"], &seen.body["exact"]), (&json!(12), &json!(true)));
    assert_eq!(seen.body["by"], json!([{"state": "discarded", "kind": "probe.work", "count": 12}]));
    let sample = seen.body["sample"].as_array().unwrap();
    assert_eq!((sample.len(), &sample[0]["state"]), (10, &json!("discarded")));
    assert!(sample[0].get("args").is_none() && sample[0]["error"]["code"] == "broken");
    assert_eq!(app.get(PATH).await.body["bulk_operations"], json!([]), "looking leaves nothing");

    let mut ask = retry();
    ask["expected_count"] = json!(12);
    let begun = app.post(PATH, &ask).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
    let location = begun.header("location").unwrap().to_owned();
    assert_eq!(location, format!("{PATH}/{}", begun.body["id"].as_str().unwrap()));
    assert_eq!((&begun.body["state"], &begun.body["matched"]), (&json!("running"), &json!(12)));
    assert_eq!((&begun.body["percent"], &begun.body["filter"]), (&json!(0), &ask["filter"]));
    assert!(begun.body["requested_by"].as_str().unwrap().starts_with("key_"));
    let running = app.get(&location).await;
    assert_eq!(running.header("retry-after"), Some("1"));

    let ended = app.carry_out(&location).await;
    assert_eq!((&ended["state"], &ended["percent"]), (&json!("completed"), &json!(100)));
    assert_eq!(
        (&ended["processed"], &ended["changed"], &ended["skipped"], &ended["failed"]),
        (&json!(12), &json!(12), &json!(0), &json!(0))
    );
    assert!(
        ended["per_s"].as_f64().unwrap() > 0.0
            && ended.get("eta_s").is_none()
            && ended["finished_at"].is_string()
    );
    assert!(app.get(&location).await.header("retry-after").is_none());
    assert_eq!(app.work(completed()).await, 12);
}

#[tokio::test]
async fn a_request_that_is_sent_again_begins_nothing() {
    let app = TestApp::start().await;
    app.give_up(2).await;
    let key = fresh();
    let begun = app.post_keyed(PATH, &retry(), &key).await;
    app.carry_out(begun.header("location").unwrap()).await;
    let again = app.post_keyed(PATH, &retry(), &key).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (StatusCode::ACCEPTED, Some("true")));
    assert_eq!((&again.text, again.header("location")), (&begun.text, begun.header("location")));
    assert_eq!(app.get(PATH).await.body["bulk_operations"].as_array().unwrap().len(), 1);
    let mut other = retry();
    other["priority"] = json!(4);
    app.post_keyed(PATH, &other, &key).await.problem(422, "idempotency_key_reused");
    let bare = app.request(Method::POST, PATH).json(&retry());
    Answer::of(bare.send().await.unwrap()).await.problem(400, "idempotency_key_required");
}

#[tokio::test]
async fn a_count_that_moved_stops_it() {
    let app = TestApp::start().await;
    app.give_up(10).await;
    let mut ask = retry();
    ask["expected_count"] = json!(5);
    let key = fresh();
    let refused = app.post_keyed(PATH, &ask, &key).await.problem(409, "count_moved");
    assert_eq!((&refused.body["count"], &refused.body["exact"]), (&json!(10), &json!(true)));
    // A refusal takes no key.
    ask["expected_count"] = json!(10);
    assert_eq!(app.post_keyed(PATH, &ask, &key).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn every_wrong_field_is_pointed_at() {
    let app = TestApp::start().await;
    let filter = |filter: Value| json!({"action": "cancel", "filter": filter});
    let with = |field: &str, value: Value| {
        let mut body = filter(json!({"states": ["available"]}));
        body["filter"][field] = value;
        body
    };
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"action": "delete", "filter": {"states": ["available"]}}), "/action"),
        (json!({"action": "cancel"}), ""),
        (filter(json!({})), "/filter"),
        (filter(json!({"states": []})), "/filter/states"),
        (filter(json!({"states": ["completed"]})), "/filter/states"),
        (filter(json!({"states": ["asleep"]})), "/filter/states/0"),
        (json!({"action": "discard", "filter": {"states": ["running"]}}), "/filter/states"),
        (json!({"action": "retry", "filter": {"states": ["available"]}}), "/filter/states"),
        (with("kind", json!("no.such")), "/filter/kind"),
        (with("queue", json!("no")), "/filter/queue"),
        (with("tag", json!("")), "/filter/tag"),
        (with("tag", json!("a\u{0}")), "/filter/tag"),
        (with("error_code", json!("x".repeat(65))), "/filter/error_code"),
        (with("created_after", json!("yesterday")), "/filter/created_after"),
        (with("created_after", json!("1999-01-01T00:00:00Z")), "/filter/created_after"),
        (with("finished_before", json!("+10000-01-01T00:00:00Z")), "/filter/finished_before"),
        (with("surprise", json!(1)), "/filter/surprise"),
        (json!({"action": "reprioritise", "filter": {"states": ["available"]}}), "/priority"),
        (json!({"action": "cancel", "filter": {"states": ["available"]}, "priority": 1}), "/priority"),
        (json!({"action": "retry", "filter": {"states": ["discarded"]}, "priority": 5}), "/priority"),
        (
            json!({"action": "retry", "filter": {"states": ["discarded"]}, "expected_count": -1}),
            "/expected_count",
        ),
    ] {
        for dry_run in [false, true] {
            let mut body = body.clone();
            body["dry_run"] = json!(dry_run);
            let refused = app.post(PATH, &body).await.problem(422, "invalid_body");
            assert_eq!(refused.pointers(), [pointer], "{body}");
        }
    }
    let mut between = with("created_after", json!("2026-02-01T00:00:00Z"));
    between["filter"]["created_before"] = json!("2026-01-01T00:00:00Z");
    let refused = app.post(PATH, &between).await.problem(422, "invalid_body");
    assert_eq!(refused.pointers(), ["/filter/created_before"]);
    assert_eq!(app.get(PATH).await.body["bulk_operations"], json!([]));
}

#[tokio::test]
async fn scopes_and_tenants_are_kept_apart() {
    let app = TestApp::start().await;
    app.give_up(3).await;
    let begun = app.post(PATH, &retry()).await;
    let location = begun.header("location").unwrap().to_owned();
    let cancel = format!("{location}/cancel");
    let reader = app.key_of(app.tenant, &["jobs:read", "jobs:write"]).await;
    for path in [PATH, cancel.as_str()] {
        app.with_key(&reader, Method::POST, path, &retry()).await.problem(403, "missing_scope");
    }
    assert_eq!(app.with_key(&reader, Method::GET, &location, &json!({})).await.status, StatusCode::OK);
    let operator = app.key_of(app.tenant, &["queue:operate"]).await;
    app.with_key(&operator, Method::GET, &location, &json!({})).await.problem(403, "missing_scope");
    let mut look = retry();
    look["dry_run"] = json!(true);
    assert_eq!(app.with_key(&operator, Method::POST, PATH, &look).await.body["count"], 3);

    let stranger = app.stranger().await;
    app.with_key(&stranger, Method::GET, &location, &json!({})).await.problem(404, "not_found");
    app.with_key(&stranger, Method::POST, &cancel, &json!({})).await.problem(404, "not_found");
    let theirs = app.with_key(&stranger, Method::GET, PATH, &json!({})).await;
    assert_eq!(theirs.body["bulk_operations"], json!([]));
    assert_eq!(app.with_key(&stranger, Method::POST, PATH, &look).await.body["count"], 0);
    assert_eq!(app.with_key(&operator, Method::POST, &cancel, &json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn one_is_stopped_once_and_not_after_its_end() {
    let app = TestApp::start().await;
    app.give_up(2).await;
    let begun = app.post(PATH, &retry()).await;
    let location = begun.header("location").unwrap();
    for _ in 0..2 {
        let stopped = app.post(&format!("{location}/cancel"), &json!({})).await;
        assert_eq!((stopped.status, &stopped.body["state"]), (StatusCode::OK, &json!("cancelled")));
        assert!(stopped.body["cancelled_by"].as_str().unwrap().starts_with("key_"));
    }
    assert!(app.claim().await.is_empty());
    let begun = app.post(PATH, &retry()).await;
    let location = begun.header("location").unwrap();
    app.carry_out(location).await;
    let refused = app.post(&format!("{location}/cancel"), &json!({})).await.problem(409, "too_late");
    assert_eq!(refused.body["state"], "completed");
    app.post(&format!("{PATH}/blk_{}/cancel", "0".repeat(32)), &json!({})).await.problem(404, "not_found");
    app.get(&format!("{PATH}/job_{}", "0".repeat(32))).await.problem(404, "not_found");
}

#[tokio::test]
async fn only_ten_run_at_once_and_lists_have_pages() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        let begun = app.post(PATH, &retry()).await;
        ids.insert(0, begun.body["id"].as_str().unwrap().to_owned());
    }
    app.post(PATH, &retry()).await.problem(409, "too_many");
    let mut seen = Vec::new();
    let mut path = format!("{PATH}?limit=4");
    loop {
        let page = app.get(&path).await;
        let listed = page.body["bulk_operations"].as_array().unwrap();
        seen.extend(listed.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next"].as_str() else { break };
        assert!(page.header("link").unwrap().contains(next));
        path = format!("{PATH}?limit=4&cursor={next}");
    }
    assert_eq!(seen, ids);
    app.get(&format!("{PATH}?cursor=x")).await.problem(400, "invalid_parameter");
    app.get(&format!("{PATH}?state=running")).await.problem(400, "invalid_parameter");
}
