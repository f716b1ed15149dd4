//! Workflows over HTTP: what is taken, what is refused and where, how they are followed and stopped.

use serde_json::{Value, json};

use crate::app::{TestApp, completed};

impl TestApp {
    async fn advance(&self) {
        while store::stepping::advance(&self.worker).await.unwrap() > 0 {}
    }
}

fn chain() -> Value {
    json!({"name": "shoot", "steps": [
        {"name": "deliver", "kind": "probe.work", "after": ["render"], "args": {"echo": {"$result_of": "probe", "pointer": "/echo"}}},
        {"name": "probe", "kind": "probe.work"},
        {"name": "render", "kind": "probe.work", "after": ["probe"], "fan_out": [{"echo": "1"}, {"echo": "2"}]},
    ]})
}

#[tokio::test]
async fn a_workflow_is_begun_followed_and_ends() {
    let app = TestApp::start().await;
    let mut wanted = chain();
    wanted["steps"][0]["after"] = json!(["render", "probe"]);
    let begun = app.post_keyed("/v1/workflows", &wanted, "one").await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let again = app.post_keyed("/v1/workflows", &wanted, "one").await;
    assert_eq!(
        (again.body["id"].as_str(), again.header("idempotent-replayed")),
        (begun.body["id"].as_str(), Some("true"))
    );
    let mut other = wanted.clone();
    other["name"] = json!("another");
    app.post_keyed("/v1/workflows", &other, "one").await.problem(422, "idempotency_key_reused");
    let path = begun.header("location").unwrap().to_owned();

    let left = store::verdict::Verdict::Completed { result: json!({"echo": "hello", "attempt": 1}).into() };
    for (runs, percent) in [(1, 25), (2, 75), (1, 100)] {
        let seen = app.get("/v1/jobs?state=available").await;
        assert_eq!(seen.body["jobs"][0]["workflow"], begun.body["id"]);
        assert_eq!(app.work(left.clone()).await, runs);
        app.advance().await;
        assert_eq!(app.get(&path).await.body["percent"], percent);
    }
    let ended = app.get(&path).await.body;
    assert_eq!((&ended["state"], &ended["jobs"]["completed"]), (&json!("completed"), &json!(4)));
    let steps: Vec<_> =
        ended["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(steps, ["probe", "render", "deliver"], "in the order in which they begin");
    let jobs = app.get("/v1/jobs?limit=1").await.body;
    let last = app.get(&format!("/v1/jobs/{}", jobs["jobs"][0]["id"].as_str().unwrap())).await.body;
    assert_eq!(last["args"]["echo"], "hello");
}

#[tokio::test]
async fn what_cannot_be_a_workflow_is_told_where_it_is_wrong() {
    let app = TestApp::start().await;
    let step = |name: &str, after: Value| json!({"name": name, "kind": "probe.work", "after": after});
    let job = json!({"name": "a", "kind": "probe.work"});
    let with = |field: &str, value: Value| {
        let mut job = job.clone();
        job[field] = value;
        json!([job])
    };
    for (steps, pointer) in [
        (json!([]), "/steps"),
        (json!(vec![step("a", json!([])); 101]), "/steps"),
        (json!([step("a", json!([])), step("a", json!([]))]), "/steps/1/name"),
        (json!([step("A b", json!([]))]), "/steps/0/name"),
        (json!([step("a", json!(["b"]))]), "/steps/0/after/0"),
        (json!([step("a", json!(["b"])), step("b", json!(["a"]))]), "/steps"),
        (with("kind", json!("no.such")), "/steps/0/kind"),
        (with("args", json!({"work_ms": "x"})), "/steps/0/args/work_ms"),
        (with("fan_out", json!([{}, {"work_ms": "x"}])), "/steps/0/fan_out/1/work_ms"),
        (with("fan_out", json!([])), "/steps/0/fan_out"),
        (with("fan_out", json!(vec![json!({}); 10_001])), "/steps"),
        (with("priority", json!(9)), "/steps/0/priority"),
        (with("queue", json!("media")), "/steps/0/queue"),
        (with("max_attempts", json!(0)), "/steps/0/max_attempts"),
        (with("args", json!({"echo": {"$result_of": "z"}})), "/steps/0/args"),
    ] {
        let answer = app.post("/v1/workflows", &json!({"name": "x", "steps": steps})).await;
        let answer = answer.problem(422, "invalid_body");
        let found = answer.body["errors"][0]["pointer"].as_str().unwrap();
        assert_eq!(found, pointer, "{}", answer.body["detail"]);
    }
    for pointer in ["/nope", "echo", "/echo/deeper"] {
        let mut asks = step("b", json!(["a"]));
        asks["args"] = json!({"echo": {"$result_of": "a", "pointer": pointer}});
        let steps = json!([step("a", json!([])), asks]);
        let answer = app.post("/v1/workflows", &json!({"name": "x", "steps": steps})).await;
        let answer = answer.problem(422, "invalid_body");
        assert_eq!(answer.body["errors"][0]["pointer"], "/steps/1/args", "{}", answer.text);
    }
    let ring = json!([step("a", json!(["c"])), step("b", json!(["a"])), step("c", json!(["b"]))]);
    let answer =
        app.post("/v1/workflows", &json!({"name": "x", "steps": ring})).await.problem(422, "invalid_body");
    assert!(answer.text.contains("a after c after b after a"), "{}", answer.text);
    app.post("/v1/workflows", &json!({"name": "", "steps": [job]})).await.problem(422, "invalid_body");
}

#[tokio::test]
async fn a_workflow_is_stopped_and_seen_by_its_tenant_only() {
    let mut app = TestApp::start().await;
    let begun = app.post("/v1/workflows", &chain()).await;
    // "deliver" asks for what "probe" left without coming after it.
    let answer = begun.problem(422, "invalid_body");
    assert_eq!(answer.body["errors"][0]["pointer"], "/steps/0/args");
    let mut wanted = chain();
    wanted["steps"][0]["args"] = json!({});
    let begun = app.post("/v1/workflows", &wanted).await;
    let path = begun.header("location").unwrap().to_owned();
    assert_eq!(app.post(&format!("{path}/cancel"), &json!({})).await.status, 202);
    app.advance().await;
    assert_eq!(app.get(&path).await.body["state"], "cancelled");
    assert_eq!(app.post(&format!("{path}/cancel"), &json!({})).await.status, 202);
    assert_eq!(app.get("/v1/workflows?state=cancelled").await.body["workflows"].as_array().unwrap().len(), 1);
    assert_eq!(app.get("/v1/workflows?state=running").await.body["workflows"], json!([]));
    app.get("/v1/workflows?state=over").await.problem(400, "invalid_parameter");

    let done = app
        .post("/v1/workflows", &json!({"name": "x", "steps": [{"name": "a", "kind": "probe.work"}]}))
        .await;
    let done = done.header("location").unwrap().to_owned();
    app.work(completed()).await;
    app.advance().await;
    app.post(&format!("{done}/cancel"), &json!({})).await.problem(409, "too_late");
    let page = app.get("/v1/workflows?limit=1").await.body;
    let next =
        app.get(&format!("/v1/workflows?limit=1&cursor={}", page["next"].as_str().unwrap())).await.body;
    assert_ne!(page["workflows"][0]["id"], next["workflows"][0]["id"]);
    assert!(next["next"].is_null());

    app.key = app.stranger().await;
    app.get(&path).await.problem(404, "not_found");
    app.post(&format!("{path}/cancel"), &json!({})).await.problem(404, "not_found");
    assert_eq!(app.get("/v1/workflows").await.body["workflows"], json!([]));
}
