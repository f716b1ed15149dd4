//! Versions of arguments: older ones are brought up to date, newer ones are not taken.

use serde_json::json;
use store::verdict::Verdict;

use crate::app::TestApp;

#[tokio::test]
async fn an_older_version_is_taken_in_and_brought_up_to_date() {
    let app = TestApp::start().await;
    let body = json!({"kind": "probe.work", "version": 1, "args": {"echo": "old"}});
    let answer = app.post("/v1/jobs", &body).await;
    assert_eq!((answer.status.as_u16(), &answer.body["version"]), (202, &json!(2)), "{}", answer.text);
    let id = app.submit(json!({"version": 2})).await;
    assert_eq!(app.get(&format!("/v1/jobs/{id}")).await.body["version"], 2);
    for version in [0, 3, 65_535] {
        let body = json!({"kind": "probe.work", "version": version});
        let refused = app.post("/v1/jobs", &body).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), ["/version"]);
        let detail = refused.body["errors"][0]["detail"].as_str().unwrap();
        assert_eq!(detail, "probe.work has versions 1 to 2 here");
    }
    let kind = app.get("/v1/kinds/probe.work").await.body;
    assert_eq!((&kind["version"], &kind["oldest_version"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn a_parked_job_says_so_where_jobs_are_looked_at() {
    let app = TestApp::start().await;
    let id = app.submit(json!({})).await;
    let problem = jobs::failure::Problem::new("unknown_version", "this worker knows version 1 of probe.work");
    assert_eq!(app.work(Verdict::Parked { problem }).await, 1);
    for job in
        [app.get(&format!("/v1/jobs/{id}")).await.body, app.get("/v1/jobs").await.body["jobs"][0].clone()]
    {
        let error = &job["error"]["message"];
        assert_eq!(
            (&job["parked"], &job["attempt"], &job["state"]),
            (&json!(true), &json!(0), &json!("scheduled"))
        );
        assert_eq!(error, "this worker knows version 1 of probe.work");
    }
    let why = app.get(&format!("/v1/jobs/{id}/why")).await.body;
    assert_eq!(why["reasons"][0]["code"], "parked", "{why}");
    let attempts = app.get(&format!("/v1/jobs/{id}/attempts")).await.body;
    assert_eq!(attempts["attempts"][0]["outcome"], "parked");
    assert!(app.get("/v1/jobs").await.body["jobs"][0].get("args").is_none());
}
