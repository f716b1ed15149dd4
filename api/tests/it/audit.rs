//! The log and the workers, as keys see them.

use std::collections::BTreeSet;

use jobs::Queue;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::presence::{self, Presence};

use crate::app::{Answer, TestApp};

impl TestApp {
    async fn with(&self, key: &str, method: Method, path: &str) -> Answer {
        Answer::of(self.http.request(method, self.url(path)).bearer_auth(key).send().await.unwrap()).await
    }

    /// Whether a worker of this name was asked to end.
    async fn here(&self, name: &str) -> bool {
        let listens_to: &[_] = &[(Queue::Media, 4), (Queue::Default, 8)];
        let presence = Presence {
            worker: name,
            host: "films-1",
            version: "1.2.3+abc",
            listens_to,
            memory_bytes: Some(64 << 20),
            reaches_redis: true,
        };
        presence::here(&self.worker, presence).await.unwrap()
    }
}

fn actions(answer: &Answer) -> Vec<&str> {
    let entries = answer.body["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn workers_are_seen_and_drained_by_keys_that_run_the_installation() {
    let app = TestApp::start().await;
    let root = app.key_of(app.tenant, &["installation"]).await;
    assert!(!app.here("wrk_a").await && !app.here("wrk_b").await);
    app.get("/v1/workers").await.problem(403, "missing_scope");
    let drain = "/v1/workers/wrk_a/drain";
    app.with(&app.key, Method::POST, drain).await.problem(403, "missing_scope");
    let seen = app.with(&root, Method::GET, "/v1/workers").await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.text);
    let workers = seen.body["workers"].as_array().unwrap();
    assert_eq!(workers.len(), 2);
    for worker in workers {
        assert_eq!(
            (&worker["queues"], &worker["version"], &worker["memory_bytes"], &worker["draining"]),
            (
                &json!([{"queue": "media", "slots": 4}, {"queue": "default", "slots": 8}]),
                &json!("1.2.3+abc"),
                &json!(64 << 20),
                &json!(false)
            )
        );
        assert_eq!((&worker["running"], worker["seen_at"].is_string()), (&json!(0), true));
    }
    for unknown in ["wrk_c", "%00"] {
        let path = format!("/v1/workers/{unknown}/drain");
        app.with(&root, Method::POST, &path).await.problem(404, "not_found");
    }
    let first = app.with(&root, Method::POST, drain).await.body["drain_requested_at"].clone();
    let again = app.with(&root, Method::POST, drain).await;
    assert_eq!((&again.body["draining"], &again.body["drain_requested_at"]), (&json!(true), &first));
    assert!(app.here("wrk_a").await && !app.here("wrk_b").await, "it hears of it with its next beat");

    let log = app.with(&root, Method::GET, "/v1/installation-audit?target=wrk_a").await;
    assert_eq!(actions(&log), ["worker.drain", "worker.drain"]);
    let said = &log.body["entries"][1]["said"];
    assert_eq!(
        (&said["before"]["drain_requested_at"], &said["after"]["drain_requested_at"]),
        (&json!(null), &first)
    );
    assert!(said["by"].as_str().unwrap().starts_with("key_") && said["outcome"] == "done");
}

#[tokio::test]
async fn the_log_is_read_page_by_page_by_those_who_steer() {
    let app = TestApp::start().await;
    for reason in ["one", "two"] {
        app.post("/v1/pauses", &json!({ "queue": "media", "reason": reason })).await;
    }
    let job = app.submit(json!({})).await;
    app.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await;
    let all = app.get("/v1/audit").await;
    assert_eq!(actions(&all), ["job.cancel", "job.cancel", "pause", "pause", "pause", "pause"]);
    let (entries, next) = (all.body["entries"].as_array().unwrap(), &all.body["next"]);
    assert_eq!(
        (next, &entries[0]["outcome"], &entries[1]["outcome"]),
        (&json!(null), &json!("done"), &json!("asked"))
    );
    let said: Value = serde_json::from_str(entries[0]["entry"].as_str().unwrap()).unwrap();
    assert_eq!((&said, said["after"]["state"].as_str()), (&entries[0]["said"], Some("cancelled")));
    assert_eq!(entries[0]["hash"].as_str().unwrap().len(), 64);

    let by = entries[0]["by"].as_str().unwrap();
    let at = entries[3]["at"].as_str().unwrap();
    for (query, found) in [
        (format!("action=pause&by={by}"), 4),
        (format!("target={job}"), 2),
        ("action=job.retry".to_owned(), 0),
        ("by=ann%40example.com".to_owned(), 0),
        (format!("since={at}"), 4),
        (format!("until={at}"), 2),
    ] {
        let answer = app.get(&format!("/v1/audit?{query}")).await;
        assert_eq!(actions(&answer).len(), found, "{query}: {}", answer.text);
    }
    let (mut path, mut seen) = ("/v1/audit?action=pause&limit=3".to_owned(), BTreeSet::new());
    for wanted in [3, 1] {
        let page = app.get(&path).await;
        let entries = page.body["entries"].as_array().unwrap();
        assert_eq!(entries.len(), wanted, "{}", page.text);
        seen.extend(entries.iter().map(|entry| entry["seq"].as_i64().unwrap()));
        if let Some(link) = page.header("link") {
            path = link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
        }
    }
    assert_eq!(seen, BTreeSet::from([1, 2, 3, 4]));
    for wrong in
        ["limit=0", "cursor=x", "since=yesterday", "action=%00", "until=0001-01-01T00:00:00Z", "odd=1"]
    {
        app.get(&format!("/v1/audit?{wrong}")).await.problem(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn nobody_reads_the_log_of_others() {
    let app = TestApp::start().await;
    app.post("/v1/pauses", &json!({ "reason": "ours" })).await;
    let stranger = app.stranger().await;
    let theirs = app.with(&stranger, Method::GET, "/v1/audit").await;
    assert_eq!(theirs.body["entries"], json!([]));
    app.get("/v1/installation-audit").await.problem(403, "missing_scope");
    for scope in ["jobs:read", "jobs:write", "installation"] {
        let key = app.key_of(app.tenant, &[scope]).await;
        app.with(&key, Method::GET, "/v1/audit").await.problem(403, "missing_scope");
    }
    let root = app.key_of(app.tenant, &["installation"]).await;
    let of_all = app.with(&root, Method::GET, "/v1/installation-audit").await;
    assert_eq!(of_all.body, json!({ "entries": [], "next": null }), "what tenants do is theirs");
}
