//! Dead letters: by kind, with who looks after them, by the API and on the dashboard.

use api::UserRole;
use jobs::failure::Problem;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::verdict::Verdict;

use crate::{
    app::{Answer, TestApp},
    ops::{Person, log},
};

const CARE: &str = "/v1/dead-letters/probe.work/care";

async fn given_up(app: &TestApp) -> String {
    let id = app.submit(json!({})).await;
    assert_eq!(app.work(Verdict::Discarded { problem: Problem::new("odd", "x") }).await, 1);
    id
}

async fn put(app: &TestApp, path: &str, body: Value) -> Answer {
    Answer::of(app.request(Method::PUT, path).json(&body).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_listed_with_who_looks_after_them() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/v1/dead-letters").await.body, json!({ "kinds": [] }));
    let job = given_up(&app).await;
    let care = json!({ "owner": "media team", "runbook": "https://wiki.test/x", "look_after_s": 60 });
    let set = put(&app, CARE, care.clone()).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    app.execute("update dead_letter set died_at = died_at - interval '1 hour'").await;
    let kinds = app.get("/v1/dead-letters").await.body["kinds"].clone();
    assert_eq!(kinds.as_array().unwrap().len(), 1);
    let of = &kinds[0];
    for (field, value) in care.as_object().unwrap() {
        assert_eq!(&of[field], value, "{of}");
    }
    assert_eq!((&of["jobs"], &of["exact"], &of["late"]), (&json!(1), &json!(true), &json!(true)));
    assert_eq!((&of["kind"], &of["oldest_job"]), (&json!("probe.work"), &json!(job)));
    app.post(&format!("/v1/jobs/{job}/retry"), &json!({})).await;
    let kinds = app.get("/v1/dead-letters").await.body["kinds"].clone();
    assert_eq!((&kinds[0]["jobs"], &kinds[0]["late"]), (&json!(0), &json!(false)));
    let remove = async || app.request(Method::DELETE, CARE).send().await.unwrap().status();
    assert_eq!((remove().await, remove().await), (StatusCode::NO_CONTENT, StatusCode::NOT_FOUND));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_meant_is_refused_where_it_stands() {
    let app = TestApp::start().await;
    let long = format!("https://{}", "x".repeat(500));
    for (body, pointer) in [
        (json!({}), ""),
        (json!({ "owner": "" }), "/owner"),
        (json!({ "owner": "a\nb" }), "/owner"),
        (json!({ "owner": "x".repeat(201) }), "/owner"),
        (json!({ "runbook": "javascript:alert(1)" }), "/runbook"),
        (json!({ "runbook": "https://a b" }), "/runbook"),
        (json!({ "runbook": long }), "/runbook"),
        (json!({ "look_after_s": 59 }), "/look_after_s"),
        (json!({ "look_after_s": 2_592_001 }), "/look_after_s"),
    ] {
        let refused = put(&app, CARE, body.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", refused.text);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{body}");
    }
    let unknown = put(&app, "/v1/dead-letters/no.such/care", json!({ "owner": "x" })).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    let strange = app.request(Method::DELETE, "/v1/dead-letters/%00/care").send().await.unwrap();
    assert_eq!(strange.status(), StatusCode::NOT_FOUND);
    assert_eq!(app.number("select count(*) from kind_care").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_say_who_looks_after_a_kind_and_home_tells_what_nobody_did() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    let bob = Person::signed_in(&app, "bob", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let page = async || ann.page("/ops/t/acme/dead-letters").await.1;
    assert!(page().await.contains("✓ Nothing lies dead"));
    let job = given_up(&app).await;
    assert!(!page().await.contains("Nothing lies dead"));
    let fields = |hours| {
        [
            ("kind", "probe.work"),
            ("owner", "media <team>"),
            ("runbook", "https://wiki.test/x"),
            ("hours", hours),
        ]
    };
    let set = "/ops/t/acme/dead-letters";
    assert_eq!(bob.post(set, &fields("1")).await.0, StatusCode::FORBIDDEN);
    for wrong in ["0", "721", "-1", "many", "99999999999"] {
        assert_eq!(ann.post(set, &fields(wrong)).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    assert_eq!(ann.post(set, &fields("1")).await.0, StatusCode::SEE_OTHER);
    let shown = page().await;
    for said in
        ["✓ in time", "media &lt;team&gt;", "within 1 h", "href=\"https://wiki.test/x\"", &job, "Retry all"]
    {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(!ann.page("/ops/t/acme").await.1.contains("Unattended"));
    app.execute("update dead_letter set died_at = died_at - interval '2 hours'").await;
    assert!(page().await.contains("✕ late"));
    let (_, home) = bob.page("/ops/t/acme").await;
    assert!(home.contains("Unattended") && home.contains("with media &lt;team&gt;"), "{home}");
    let (_, shown) = bob.page("/ops/t/acme/dead-letters").await;
    assert!(!shown.contains("Retry all") && !shown.contains("/remove"), "a viewer only looks: {shown}");

    let remove = "/ops/t/acme/dead-letters/probe.work/remove";
    assert_eq!(ann.post(remove, &[]).await.0, StatusCode::SEE_OTHER);
    assert_eq!(ann.post(remove, &[]).await.0, StatusCode::NOT_FOUND);
    let log = log(&app, app.tenant).await;
    let removed = log.iter().position(|said| said["action"] == "kind_care.remove").unwrap();
    assert_eq!(log[removed]["before"][0]["look_after_s"], 3_600);
    assert_eq!((&log[removed + 1]["outcome"], &log[removed + 1]["after"]), (&json!("done"), &json!([])));
}
