//! What operators change beside single jobs: clones, limits of queues, ranges of webhooks.

use api::UserRole;
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    app::TestApp,
    ops::{Person, log},
    webhooks_in::{SECRET, send, source},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_cloned_with_other_arguments_and_shows_what_was_changed() {
    let app = TestApp::start().await;
    let operator = |sees| [(Some(app.tenant), UserRole::TenantOperator, sees)];
    let ann = Person::signed_in(&app, "ann", &operator(true)).await;
    let bob = Person::signed_in(&app, "bob", &operator(false)).await;
    let first = app.submit(json!({ "args": { "echo": "a <b>" }, "tags": ["order-7"], "priority": 4 })).await;
    let path = format!("/ops/t/acme/jobs/{first}/clone");
    let (status, page) = ann.page(&path).await;
    assert!(status.is_success() && page.contains("&quot;a &lt;b&gt;&quot;"), "{page}");
    assert_eq!(bob.page(&path).await.0, StatusCode::FORBIDDEN);

    let form = [("key", "one-form"), ("args", "{\"echo\": \"a <c>\", \"work_ms\": 5}")];
    let (status, to) = ann.post(&path, &form).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{to}");
    assert_eq!(ann.post(&path, &form).await.1, to, "the same form twice is one job");
    assert_eq!(bob.post(&path, &form).await.0, StatusCode::FORBIDDEN);
    let (_, page) = ann.page(&to).await;
    assert!(page.contains("<del>") && page.contains("a &lt;c&gt;") && page.contains(&first), "{page}");
    assert!(!bob.page(&to).await.1.contains("&lt;c&gt;"));
    let clone = app.get(&format!("/v1/jobs/{}", to.rsplit('/').next().unwrap())).await.body;
    assert_eq!((&clone["args"]["work_ms"], &clone["priority"]), (&json!(5), &json!(4)));
    assert_eq!((&clone["tags"], &clone["metadata"]["clone_of"]), (&json!(["order-7"]), &json!(first)));

    for wrong in ["{", "[]", "{\"no\": 1}"] {
        let (status, page) = ann.post(&path, &[("key", "another"), ("args", wrong)]).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
    }
    let log = log(&app, app.tenant).await;
    let said = log.iter().map(ToString::to_string).collect::<String>();
    assert!(said.contains("job.clone") && !said.contains("<c>"), "arguments are in no log: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_limited_and_let_go_again() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    let set = async |at_once: &str| {
        ann.post("/ops/t/acme/limits", &[("queue", "media_bulk"), ("at_once", at_once)]).await.0
    };
    assert_eq!(set("3").await, StatusCode::SEE_OTHER);
    let limits = app.get("/v1/limits").await.body["limits"].clone();
    assert_eq!((&limits[0]["queue"], &limits[0]["concurrency"]), (&json!("media_bulk"), &json!(3)));
    for wrong in ["0", "-1", "many", "4294967296"] {
        assert_eq!(set(wrong).await, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    assert_eq!(set("").await, StatusCode::SEE_OTHER);
    assert_eq!(app.get("/v1/limits").await.body["limits"], json!([]));
    assert_eq!(set("").await, StatusCode::NOT_FOUND);
    let log = log(&app, app.tenant).await;
    assert_eq!((&log[0]["before"], &log[1]["after"][0]["concurrency"]), (&json!([]), &json!(3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_of_webhooks_is_looked_at_again_and_goes_on_where_it_stopped() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    let source = source(&app, json!({})).await;
    for number in 0..3 {
        let told = send(&app, &source, &format!("msg_{number}"), r#"{"type": "t"}"#, SECRET, 0).await;
        assert_eq!(told.status, StatusCode::ACCEPTED);
    }
    let path = format!("/ops/t/acme/webhooks/in/{}", source["id"].as_str().unwrap());
    assert!(ann.page(&path).await.1.contains("Replay a range"));
    let replay = format!("{path}/replay");
    let fields = |since| [("state", "received"), ("since", since), ("until", ""), ("after", "")];
    let (status, to) = ann.post(&replay, &fields("2020-01-01T00:00")).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{to}");
    assert!(to.contains("replayed=3") && to.contains("after=&"), "{to}");
    assert!(ann.page(&to).await.1.contains("3 events are looked at again"));
    let (_, to) = ann.post(&replay, &fields("2100-01-01T00:00")).await;
    assert!(to.contains("replayed=0"), "{to}");
    for wrong in [("state", "odd"), ("since", "yesterday"), ("after", "msg")] {
        let (status, page) = ann.post(&replay, &[wrong]).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_is_kept_under_a_name_by_whoever_looks() {
    let app = TestApp::start().await;
    let viewer = [(Some(app.tenant), UserRole::Viewer, false)];
    let ann = Person::signed_in(&app, "ann", &viewer).await;
    let bob = Person::signed_in(&app, "bob", &viewer).await;
    let fields = |name| [("name", name), ("state", "discarded"), ("tag", "a&b")];
    let (status, to) = ann.post("/ops/t/acme/views", &fields("dead <ones>")).await;
    assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, "/ops/t/acme/jobs?state=discarded&tag=a%26b"));
    let (_, page) = ann.page("/ops/t/acme/jobs").await;
    assert!(
        page.contains("dead &lt;ones&gt;") && page.contains("jobs?state=discarded&amp;tag=a%26b"),
        "{page}"
    );
    assert!(!bob.page("/ops/t/acme/jobs").await.1.contains("dead &lt;"));
    for wrong in ["", " ", &"x".repeat(64)] {
        let (status, page) = ann.post("/ops/t/acme/views", &fields(wrong)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
    }
    let forget = [("name", "dead <ones>")];
    assert_eq!(bob.post("/ops/t/acme/views/remove", &forget).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.post("/ops/t/acme/views/remove", &forget).await.0, StatusCode::SEE_OTHER);
    assert!(!ann.page("/ops/t/acme/jobs").await.1.contains("dead &lt;"));
    // What arguments hold is in no log, for whoever reads that may not see it.
    let seer = Person::signed_in(&app, "eve", &[(Some(app.tenant), UserRole::Viewer, true)]).await;
    let held = [("name", "hers"), ("field", "echo"), ("holds", "abracadabra")];
    assert_eq!(seer.post("/ops/t/acme/views", &held).await.0, StatusCode::SEE_OTHER);
    let log = app.get("/v1/audit").await.text;
    assert!(log.contains("hers") && !log.contains("abracadabra"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_given_more_of_a_queue_for_a_while() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(None, UserRole::Operator, false)]).await;
    let bob = Person::signed_in(&app, "bob", &[(None, UserRole::Viewer, false)]).await;
    app.submit(json!({})).await;
    let fields = |weight, minutes| {
        [("tenant", "acme"), ("queue", "default"), ("weight", weight), ("minutes", minutes)]
    };
    assert_eq!(bob.post("/ops/weights", &fields("3", "60")).await.0, StatusCode::FORBIDDEN);
    for (weight, minutes) in
        [("0", "60"), ("101", "60"), ("NaN", "60"), ("3", "0"), ("3", "10081"), ("3", "")]
    {
        let (status, page) = ann.post("/ops/weights", &fields(weight, minutes)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{weight} for {minutes}: {page}");
    }
    assert_eq!(ann.post("/ops/weights", &fields("3", "60")).await.0, StatusCode::SEE_OTHER);
    let (_, page) = bob.page("/ops").await;
    assert!(page.contains("Weighed otherwise") && !page.contains("/ops/weights"), "{page}");
    let share = [("tenant", "acme"), ("queue", "default")];
    assert_eq!(ann.post("/ops/weights/end", &share).await.0, StatusCode::SEE_OTHER);
    assert_eq!(ann.post("/ops/weights/end", &share).await.0, StatusCode::NOT_FOUND);
    assert!(!ann.page("/ops").await.1.contains("Weighed otherwise"));
}
