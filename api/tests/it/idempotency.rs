//! Retries: the same key never makes a second job.

use std::collections::HashSet;

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use crate::app::{Answer, TestApp, fresh, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_with_one_key_make_one_job() {
    let app = TestApp::start().await;
    for _ in 0..5 {
        let (key, body) = (fresh(), json!({"kind": "probe.work", "args": {"echo": "once"}}));
        let answers: Vec<Answer> = join_all((0..64).map(|_| app.post_keyed("/v1/jobs", &body, &key))).await;
        let mut bodies = HashSet::new();
        for answer in answers {
            if answer.status == StatusCode::CONFLICT {
                let refused = answer.problem(409, "request_in_flight");
                assert_eq!(refused.header("retry-after"), Some("1"));
            } else {
                assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
                bodies.insert(answer.text);
            }
        }
        assert_eq!(bodies.len(), 1, "everybody gets the same answer");
        assert_eq!(app.claim().await.len(), 1, "there is one job");
        let replayed = app.post_keyed("/v1/jobs", &body, &key).await;
        assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
        assert!(bodies.contains(&replayed.text));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_and_one_key_make_one_job() {
    let mut app = TestApp::start().await;
    let addresses = [app.address, app.another_server().await];
    for _ in 0..10 {
        let key = fresh();
        let ask = async |n: usize| {
            let request = app.http.post(format!("http://{}/v1/jobs", addresses[n % 2])).bearer_auth(&app.key);
            let request = request.header("idempotency-key", &key).json(&json!({"kind": "probe.work"}));
            Answer::of(request.send().await.unwrap()).await
        };
        let answers = join_all((0..16).map(ask)).await;
        let taken: HashSet<&str> = answers
            .iter()
            .filter(|answer| answer.status != StatusCode::CONFLICT)
            .map(|answer| {
                assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
                answer.text.as_str()
            })
            .collect();
        assert_eq!((taken.len(), app.claim().await.len()), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submissions_that_arrive_together_all_get_in() {
    let app = TestApp::start().await;
    let answers = join_all((0..300).map(|_| app.submit(json!({})))).await;
    assert_eq!(answers.iter().collect::<HashSet<_>>().len(), 300);
    let claimed = [app.claim().await, app.claim().await].concat();
    let claimed: HashSet<String> = claimed.iter().map(|job| job.id.to_string()).collect();
    assert_eq!(claimed, answers.into_iter().collect());
}

#[tokio::test]
async fn a_key_stands_for_one_body_on_one_route_of_one_tenant() {
    let app = TestApp::start().await;
    let (key, body) = (fresh(), json!({"kind": "probe.work", "args": {"echo": "a", "work_ms": 1}}));
    let first = app.post_keyed("/v1/jobs", &body, &key).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);

    let reordered = r#" {"args": {"work_ms":1,  "echo":"a"}, "kind": "probe.work"} "#;
    let request =
        app.request(reqwest::Method::POST, "/v1/jobs").header("idempotency-key", format!("\"{key}\""));
    let request = request.header("content-type", "application/json").body(reordered);
    let replayed = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((replayed.status, &replayed.text), (first.status, &first.text));
    assert_eq!(replayed.header("location"), first.header("location"));

    let other = json!({"kind": "probe.work", "args": {"echo": "b"}});
    app.post_keyed("/v1/jobs", &other, &key).await.problem(422, "idempotency_key_reused");
    let batch = app.post_keyed("/v1/jobs/batch", &json!({"jobs": [{"kind": "probe.work"}]}), &key).await;
    assert_eq!(batch.status, StatusCode::ACCEPTED, "another route has its own keys");
    app.post_keyed("/v1/jobs/batch", &json!({"jobs": [other]}), &key)
        .await
        .problem(422, "idempotency_key_reused");

    let stranger = app.stranger().await;
    let request = app.http.post(app.url("/v1/jobs")).bearer_auth(&stranger).header("idempotency-key", &key);
    let theirs = Answer::of(request.json(&other).send().await.unwrap()).await;
    assert_eq!(theirs.status, StatusCode::ACCEPTED, "another tenant has its own keys");
}

#[tokio::test]
async fn a_refused_request_does_not_use_up_its_key() {
    let app = TestApp::start().await;
    let key = fresh();
    app.post_keyed("/v1/jobs", &json!({"kind": "nobody.knows"}), &key).await.problem(422, "invalid_body");
    let answer = app.post_keyed("/v1/jobs", &json!({"kind": "probe.work"}), &key).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn keys_are_required_unless_switched_off() {
    let app = TestApp::start().await;
    let send = async |app: &TestApp| {
        let request = app.request(reqwest::Method::POST, "/v1/jobs").json(&json!({"kind": "probe.work"}));
        Answer::of(request.send().await.unwrap()).await
    };
    send(&app).await.problem(400, "idempotency_key_required");
    let relaxed = TestApp::start_with(api::Settings { idempotency_required: false, ..settings() }).await;
    assert_eq!(send(&relaxed).await.status, StatusCode::ACCEPTED);
}
