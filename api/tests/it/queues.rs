//! Limits, pauses, promises, and why a job waits.

use std::time::Duration;

use jobs::failure::Problem;
use reqwest::Method;
use serde_json::{Value, json};
use store::{
    presence::{self, Presence},
    verdict::Verdict,
};

use crate::app::{Answer, TestApp, completed};

impl TestApp {
    async fn put(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(&body).send().await.unwrap()).await
    }

    async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).send().await.unwrap()).await
    }

    /// The codes of the reasons why a job waits.
    async fn why(&self, job: &str) -> (Vec<String>, Value) {
        let answer = self.get(&format!("/v1/jobs/{job}/why")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let reasons = answer.body["reasons"].as_array().unwrap();
        (reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect(), answer.body)
    }
}

#[tokio::test]
async fn a_limit_is_set_seen_in_use_and_removed() {
    let app = TestApp::start().await;
    let limit = json!({"key": "stripe/*", "concurrency": 1, "rate": {"count": 100, "period_s": 60}});
    let set = app.put("/v1/limits/stripe", limit).await;
    assert_eq!(set.status, 200, "{}", set.body);
    assert_eq!(set.body["rate"]["burst"], 100);
    for _ in 0..3 {
        app.submit(json!({"concurrency_key": "stripe/1"})).await;
    }
    assert_eq!(app.claim().await.len(), 1);
    let seen = app.get("/v1/limits/stripe").await;
    let in_use = &seen.body["in_use"][0];
    assert_eq!(
        (&in_use["key"], &in_use["running"], &in_use["left"]),
        (&json!("stripe/1"), &json!(1), &json!(99))
    );
    assert_eq!(app.get("/v1/limits").await.body["limits"].as_array().unwrap().len(), 1);
    // In place of the first.
    app.put("/v1/limits/stripe", json!({"key": "stripe/*", "concurrency": 3})).await;
    assert_eq!(app.claim().await.len(), 2);
    assert_eq!(app.delete("/v1/limits/stripe").await.status, 204);
    app.delete("/v1/limits/stripe").await.problem(404, "not_found");
}

#[tokio::test]
async fn what_is_left_is_told_of_every_limit_that_holds() {
    let app = TestApp::start().await;
    let rate = json!({"count": 2, "period_s": 86_400, "algorithm": "window"});
    app.put("/v1/limits/two", json!({"queue": "default", "rate": rate})).await;
    app.put("/v1/limits/stripe", json!({"key": "stripe/*", "concurrency": 1})).await;
    let all = store::limits::Limit {
        name: "all".to_owned(),
        queue: None,
        kind: None,
        key: None,
        concurrency: Some(10),
        rate: None,
    };
    store::limits::set_for_all(&app.owner, &all, "tester").await.unwrap();
    for _ in 0..2 {
        app.submit(json!({"concurrency_key": "stripe/1"})).await;
    }
    assert_eq!(app.claim().await.len(), 1);
    let told = app.get("/v1/quotas").await;
    let [stripe, two, all] = &told.body["quotas"].as_array().unwrap()[..] else { panic!("{}", told.text) };
    assert_eq!(
        (&stripe["limit"], &stripe["key"], &stripe["running"], &stripe["places_left"], &stripe["used_up"]),
        (&json!("stripe"), &json!("stripe/1"), &json!(1), &json!(0), &json!(true))
    );
    assert_eq!((&two["starts_left"], &two["rate_count"], two.get("key")), (&json!(1), &json!(2), None));
    assert_eq!((&all["whole_installation"], &all["places_left"]), (&json!(true), &json!(9)));
    let requests = &told.body["requests"];
    let (left, most) = (requests["left"].as_u64().unwrap(), requests["most"].as_u64().unwrap());
    assert!(0 < left && left <= most, "{requests}");
    let stranger = app.stranger().await;
    let theirs = app.http.get(app.url("/v1/quotas")).bearer_auth(stranger).send().await.unwrap();
    let theirs = Answer::of(theirs).await.body["quotas"].clone();
    assert_eq!((theirs.as_array().unwrap().len(), &theirs[0]["limit"]), (1, &json!("all")));
}

#[tokio::test]
async fn what_cannot_be_a_limit_is_told_field_by_field() {
    let app = TestApp::start().await;
    for (name, body, pointer) in [
        ("x", json!({}), ""),
        ("x", json!({"concurrency": 0}), "/concurrency"),
        ("x", json!({"concurrency": 100_001}), "/concurrency"),
        ("x", json!({"concurrency": 1, "kind": "no.such"}), "/kind"),
        ("x", json!({"concurrency": 1, "key": "a*b"}), "/key"),
        ("x", json!({"concurrency": 1, "key": "**"}), "/key"),
        ("x", json!({"concurrency": 1, "key": ""}), "/key"),
        ("x", json!({"rate": {"count": 0, "period_s": 1}}), "/rate/count"),
        ("x", json!({"rate": {"count": 1, "period_s": 0}}), "/rate/period_s"),
        ("x", json!({"rate": {"count": 1, "period_s": 1e30}}), "/rate/period_s"),
        ("x", json!({"rate": {"count": 1, "period_s": 1, "burst": 0}}), "/rate/burst"),
        ("-x", json!({"concurrency": 1}), ""),
        ("X", json!({"concurrency": 1}), ""),
    ] {
        let answer = app.put(&format!("/v1/limits/{name}"), body.clone()).await.problem(422, "invalid_body");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{name} {body}");
    }
    app.put("/v1/limits/x", json!({"queue": "no"})).await.problem(422, "invalid_body");
    for n in 0..100 {
        assert_eq!(app.put(&format!("/v1/limits/l{n}"), json!({"concurrency": 1})).await.status, 200);
    }
    app.put("/v1/limits/one-more", json!({"concurrency": 1})).await.problem(409, "too_many");
    assert_eq!(app.put("/v1/limits/l7", json!({"concurrency": 2})).await.status, 200);
}

#[tokio::test]
async fn a_pause_holds_names_its_owner_and_ends() {
    let app = TestApp::start().await;
    let job = app.submit(json!({})).await;
    let wanted = json!({"kind": "probe.work", "reason": "audit", "owner": "ann"});
    let pause = app.post("/v1/pauses", &wanted).await;
    assert_eq!(pause.status, 201, "{}", pause.body);
    assert!(app.claim().await.is_empty());
    let (codes, why) = app.why(&job).await;
    assert_eq!(codes, ["paused", "no_worker", "next"]);
    let summary = why["summary"].as_str().unwrap();
    assert!(summary.contains("probe.work is paused") && summary.contains("ann") && summary.contains("audit"));
    assert_eq!(why["reasons"][1]["detail"], "No worker listens to the queue default.");
    assert!(why.get("likely_at").is_none(), "nobody can tell");
    let path = format!("/v1/pauses/{}", pause.body["id"].as_str().unwrap());
    assert_eq!(app.delete(&path).await.status, 204);
    app.delete(&path).await.problem(404, "not_found");
    assert_eq!(app.claim().await.len(), 1);
    for (body, pointer) in [
        (json!({"reason": ""}), "/reason"),
        (json!({"reason": "x".repeat(501)}), "/reason"),
        (json!({"reason": "x", "kind": "no.such"}), "/kind"),
        (json!({"reason": "x", "owner": ""}), "/owner"),
        (json!({"reason": "x", "expires_at": "2020-01-01T00:00:00Z"}), "/expires_at"),
        (json!({"reason": "x", "expires_at": "2999-01-01T00:00:00Z"}), "/expires_at"),
    ] {
        let answer = app.post("/v1/pauses", &body).await.problem(422, "invalid_body");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body}");
    }
}

#[tokio::test]
async fn queues_are_steered_by_their_tenants_operators_only() {
    let mut app = TestApp::start().await;
    app.put("/v1/limits/mine", json!({"concurrency": 1})).await;
    let pause = app.post("/v1/pauses", &json!({"reason": "mine"})).await;
    let path = format!("/v1/pauses/{}", pause.body["id"].as_str().unwrap());
    let job = app.submit(json!({})).await;
    app.key = app.key_of(app.tenant, &["jobs:read", "jobs:write"]).await;
    app.put("/v1/limits/x", json!({"concurrency": 1})).await.problem(403, "missing_scope");
    app.post("/v1/pauses", &json!({"reason": "x"})).await.problem(403, "missing_scope");
    app.delete(&path).await.problem(403, "missing_scope");
    assert_eq!(app.get("/v1/limits").await.status, 200);
    app.key = app.stranger().await;
    assert_eq!(app.get("/v1/limits").await.body["limits"], json!([]));
    assert_eq!(app.get("/v1/pauses").await.body["pauses"], json!([]));
    app.delete(&path).await.problem(404, "not_found");
    app.delete("/v1/limits/mine").await.problem(404, "not_found");
    app.get(&format!("/v1/jobs/{job}/why")).await.problem(404, "not_found");
}

#[tokio::test]
async fn why_follows_a_job_through_its_life() {
    let app = TestApp::start().await;
    worker_is_there(&app).await;
    let later = chrono::Utc::now() + chrono::TimeDelta::hours(2);
    let scheduled = app.submit(json!({"scheduled_at": later})).await;
    let (codes, why) = app.why(&scheduled).await;
    assert_eq!(codes, ["scheduled"]);
    assert!((7_000..=7_200).contains(&why["likely_in_s"].as_i64().unwrap()), "{why}");

    let job = app.submit(json!({})).await;
    let (codes, why) = app.why(&job).await;
    assert_eq!((codes.as_slice(), &why["line"]["ahead"]), (["next".to_owned()].as_slice(), &json!(0)));
    assert_eq!(why["likely_in_s"], 0);
    let second = app.submit(json!({})).await;
    let (codes, why) = app.why(&second).await;
    assert_eq!((codes.as_slice(), &why["line"]["ahead"]), (["in_line".to_owned()].as_slice(), &json!(1)));

    app.work(completed()).await;
    assert_eq!(app.why(&job).await.0, ["ended"]);
    let running = app.submit(json!({})).await;
    app.claim().await;
    let (codes, why) = app.why(&running).await;
    assert_eq!(codes, ["running"]);
    assert!(why["summary"].as_str().unwrap().contains("wrk_test runs attempt 1"), "{why}");
    app.post(&format!("/v1/jobs/{running}/cancel"), &json!({})).await;
    assert_eq!(app.why(&running).await.0, ["stopping"]);
}

#[tokio::test]
async fn why_names_who_stands_in_the_way_and_what_went_wrong() {
    let app = TestApp::start().await;
    worker_is_there(&app).await;
    app.put("/v1/limits/one", json!({"concurrency": 1})).await;
    let first = app.submit(json!({})).await;
    let second = app.submit(json!({})).await;
    let held = app.claim().await;
    assert_eq!(held.len(), 1);
    let (codes, why) = app.why(&second).await;
    assert_eq!(codes, ["limit_concurrency", "next"]);
    assert_eq!(why["summary"], "The limit one lets 1 jobs run at once, and 1 do.");
    assert_eq!(why["reasons"][0]["held_by"], json!([first]));

    app.delete("/v1/limits/one").await;
    let problem = Problem::new("provider_away", "the provider did not answer");
    app.work(Verdict::Retried { problem, delay: Duration::from_mins(10) }).await;
    let (codes, why) = app.why(&second).await;
    assert_eq!(codes, ["retry_wait"]);
    let summary = why["summary"].as_str().unwrap();
    assert!(
        summary.starts_with("Attempt 1 of 3 did not succeed (the provider did not answer); the next"),
        "{summary}"
    );
    assert!((590..=600).contains(&why["likely_in_s"].as_i64().unwrap()), "{why}");
}

#[tokio::test]
async fn why_says_what_a_job_waits_for_that_only_looks_again() {
    let app = TestApp::start().await;
    worker_is_there(&app).await;
    for (code, message, reason) in [
        ("making_parts", "3 of 8 parts of the film are made", "depends_on_jobs"),
        ("provider_away", "the provider is left alone for a while", "scheduled"),
    ] {
        let job = app.submit(json!({})).await;
        let problem = Problem::new(code, message);
        app.work(Verdict::Snoozed { problem, delay: Duration::from_mins(10) }).await;
        let (codes, why) = app.why(&job).await;
        assert_eq!(codes, [reason]);
        assert!(why["summary"].as_str().unwrap().starts_with(&format!("It waits: {message}. ")), "{why}");
    }
}

#[tokio::test]
async fn what_decides_when_a_job_goes_is_checked() {
    let app = TestApp::start().await;
    for (field, value, pointer) in [
        ("concurrency_key", json!(""), "/concurrency_key"),
        ("concurrency_key", json!("a*"), "/concurrency_key"),
        ("concurrency_key", json!("x".repeat(181)), "/concurrency_key"),
        ("promise_s", json!(0), "/promise_s"),
        ("promise_s", json!(604_801), "/promise_s"),
        ("hop", json!({"queue": "media", "after_s": 10}), "/hop/queue"),
        ("hop", json!({"queue": "default", "after_s": 0}), "/hop/after_s"),
    ] {
        let answer = app.post("/v1/jobs", &json!({"kind": "probe.work", field: value})).await;
        let answer = answer.problem(422, "invalid_body");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{field} {value}");
    }
}

#[tokio::test]
async fn promises_are_seen_at_risk_kept_and_broken() {
    let app = TestApp::start().await;
    app.submit(json!({"promise_s": 3_600})).await;
    app.work(completed()).await;
    let broken = app.submit(json!({"promise_s": 1})).await;
    let seen = async || {
        let promises = app.get("/v1/promises").await.body;
        (promises["at_risk"][0]["left_s"].as_f64()? < 0.0).then_some(promises)
    };
    let promises = testkit::eventually("the promise to break", crate::app::BOUND, seen).await;
    assert_eq!(promises["at_risk"][0]["job"], broken);
    app.work(completed()).await;
    let promises = app.get("/v1/promises").await.body;
    assert_eq!(promises["at_risk"], json!([]));
    assert_eq!(promises["record"], json!([{"kind": "probe.work", "kept": 1, "broken": 1}]));
    app.get("/v1/promises?since=2020-01-01T00:00:00Z").await.problem(400, "invalid_parameter");
    app.get("/v1/promises?limit=0").await.problem(400, "invalid_parameter");
}

async fn worker_is_there(app: &TestApp) {
    let listens_to = &[(jobs::Queue::Default, 4)];
    let presence = Presence {
        worker: "w1",
        host: "here",
        version: "0",
        listens_to,
        memory_bytes: None,
        reaches_redis: true,
    };
    presence::here(&app.worker, presence).await.unwrap();
}
