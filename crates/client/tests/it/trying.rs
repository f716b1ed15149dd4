//! When a request is sent again, and when not.

use client::types;

use crate::flaky::{Flaky, refused, told};

const JOB: &str = r#"{"id":"job_1","kind":"probe.work","version":1,"state":"available","queue":"default","priority":2,
    "attempt":0,"max_attempts":3,"created_at":"2026-11-22T06:00:00Z","scheduled_at":"2026-11-22T06:00:00Z","tags":[]}"#;

fn probe() -> types::NewJob {
    types::NewJob { kind: "probe.work".to_owned(), ..types::NewJob::default() }
}

#[tokio::test]
async fn a_submission_is_repeated_under_its_key() {
    let answers = [refused(503, "unavailable", "0"), refused(409, "request_in_flight", "0"), told(202, JOB)];
    let flaky = Flaky::answering(answers).await;
    assert_eq!(flaky.client.submit_job(&probe()).await.unwrap().id, "job_1");
    let asked = flaky.asked();
    let keys: Vec<_> = asked.iter().map(|asked| asked.header("idempotency-key").unwrap()).collect();
    assert!(keys.len() == 3 && keys.iter().all(|key| *key == keys[0] && key.len() == 32), "{keys:?}");
    assert_eq!(asked[0].header("authorization"), Some("Bearer crw_test_key"));
}

#[tokio::test]
async fn what_has_no_key_is_repeated_only_when_it_was_not_done() {
    let pause = types::NewPause { reason: "x".to_owned(), ..types::NewPause::default() };
    let flaky = Flaky::answering([refused(503, "unavailable", "0")]).await;
    assert_eq!(flaky.client.pause(&pause).await.unwrap_err().problem().unwrap().code, "unavailable");
    assert_eq!(flaky.asked().len(), 1);
    let flaky =
        Flaky::answering([refused(429, "rate_limited", "0"), refused(422, "invalid_body", "0")]).await;
    assert_eq!(flaky.client.pause(&pause).await.unwrap_err().problem().unwrap().status, 422);
    assert_eq!(flaky.asked().len(), 2);
}

#[tokio::test]
async fn a_redirect_is_no_success() {
    let mut moved = told(308, "");
    moved.headers_mut().insert("location", "https://api.example.com/v1/jobs/job_1".parse().unwrap());
    let flaky = Flaky::answering([moved, told(302, "")]).await;
    let error = flaky.client.get_job("job_1").await.unwrap_err().to_string();
    assert!(error.contains("https://api.example.com/") && error.contains("not followed"), "{error}");
    let error = flaky.client.revoke_key("key_1").await.unwrap_err();
    assert!(matches!(error, client::Error::Elsewhere { .. }), "{error}");
    assert_eq!(flaky.asked().len(), 2);
}

#[tokio::test]
async fn patience_has_an_end() {
    let flaky = Flaky::answering((0..9).map(|_| refused(429, "rate_limited", "0"))).await;
    assert!(flaky.client.get_job("job_1").await.is_err());
    assert_eq!(flaky.asked().len(), 3, "as often as it was told");
    let flaky = Flaky::answering([refused(429, "rate_limited", "3600")]).await;
    let error = flaky.client.get_job("job_1").await.unwrap_err();
    assert_eq!(error.problem().unwrap().retry_after.unwrap().as_secs(), 3_600);
    assert_eq!(flaky.asked().len(), 1, "nobody waits for an hour");
}

#[tokio::test]
async fn what_is_asked_for_is_sent_as_it_is_described() {
    let flaky = Flaky::answering([told(202, JOB), told(200, "not a job")]).await;
    let waiting = flaky.client.waiting(std::time::Duration::from_secs(20)).keyed("mine");
    waiting.submit_job(&probe()).await.unwrap();
    let error = waiting.get_job("a/b").await.unwrap_err();
    assert!(matches!(error, client::Error::Unexpected { .. }), "{error}");
    let asked = flaky.asked();
    assert_eq!(
        (asked[0].header("prefer"), asked[0].header("idempotency-key")),
        (Some("wait=20"), Some("mine"))
    );
    assert_eq!((asked[1].path.as_str(), asked[1].header("prefer")), ("/v1/jobs/a%2Fb", None));
}
