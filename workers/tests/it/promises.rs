//! Promises, as whoever depends on them sees them: over HTTP, and in the metrics that alarms hang on.

use jobs::State;
use serde_json::{Value, json};
use testkit::eventually;

use crate::{
    journeys::{Client, serve},
    world::{SOON, Worker, World},
};

/// What the worker's metrics say of a series; 0 where they do not know it.
async fn metric(worker: &Worker, series: &str) -> i64 {
    let told = reqwest::get(format!("{}/metrics", worker.address)).await.unwrap().text().await.unwrap();
    let value = told.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
    value.unwrap_or_default()
}

/// How many promises were at risk, kept and broken, by the metrics.
async fn counted(worker: &Worker) -> (i64, i64, i64) {
    let ended = |outcome| format!(r#"promises_total{{kind="probe.work",outcome="{outcome}"}}"#);
    (
        metric(worker, r#"promises_at_risk{queue="default"}"#).await,
        metric(worker, &ended("kept")).await,
        metric(worker, &ended("broken")).await,
    )
}

async fn becomes(worker: &Worker, counts: (i64, i64, i64)) {
    let look = || async { (counted(worker).await == counts).then_some(()) };
    eventually(&format!("promises at risk, kept and broken: {counts:?}"), SOON, look).await;
}

/// A job that nobody waits for; answers its id.
async fn promised(client: &Client, promise_s: u32) -> jobs::JobId {
    let request = client.http.post(format!("{}/v1/jobs", client.url)).bearer_auth(&client.key);
    let job = json!({ "kind": "probe.work", "promise_s": promise_s });
    let answer = request.header("Idempotency-Key", jobs::JobId::new().to_string()).json(&job).send().await;
    let job: Value = answer.unwrap().json().await.unwrap();
    job["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_is_seen_at_risk_before_it_breaks_and_counted_when_it_ended() {
    let world = World::new().await;
    let worker = world.start(&["--queues", "default"]);
    worker.ready().await;
    let (client, stop) = serve(&world).await;
    for (ending, state) in [("complete", "completed"), ("discard", "discarded")] {
        let job = json!({ "kind": "probe.work", "promise_s": 3_600, "args": { "endings": [ending] } });
        assert_eq!(client.post("/v1/jobs", job).await.1["state"], state);
    }
    becomes(&worker, (0, 1, 1)).await;

    let pause = client.post("/v1/pauses", json!({ "reason": "to let time pass" })).await.1;
    let (late, stopped) = (promised(&client, 60).await, promised(&client, 3_600).await);
    assert_eq!(client.get("/v1/promises").await["at_risk"], json!([]));
    let passes = async |seconds: u32| {
        let by = format!("{seconds} * interval '1 s'");
        let sql = format!("update job set scheduled_at = scheduled_at - {by}, due_at = due_at - {by}");
        world.database.execute(&sql).await.unwrap();
    };
    passes(40).await;
    becomes(&worker, (1, 1, 1)).await;
    let at_risk = client.get("/v1/promises").await["at_risk"].clone();
    assert_eq!((at_risk.as_array().unwrap().len(), &at_risk[0]["job"]), (1, &json!(late)));
    assert!(at_risk[0]["left_s"].as_f64().unwrap() > 0.0, "there is still time: {at_risk}");

    passes(30).await;
    // What somebody stops was neither kept nor broken.
    client.post(&format!("/v1/jobs/{stopped}/cancel"), json!({})).await;
    let path = format!("{}/v1/pauses/{}", client.url, pause["id"].as_str().unwrap());
    client.http.delete(path).bearer_auth(&client.key).send().await.unwrap().error_for_status().unwrap();
    world.reaches(late, State::Completed).await;
    becomes(&worker, (0, 1, 2)).await;
    let promises = client.get("/v1/promises").await;
    assert_eq!(promises["at_risk"], json!([]));
    assert_eq!(promises["record"], json!([{ "kind": "probe.work", "kept": 1, "broken": 2 }]));
    stop.cancel();
}
