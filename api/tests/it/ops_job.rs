//! The page of a job while it runs: how far it is, who holds it, where its trace is; and what of it those see who may not see payloads.

use std::time::Duration;

use api::UserRole;
use serde_json::json;
use store::{
    claim::renew,
    logs::{Said, say},
    verdict::Settle,
};

use crate::{
    app::{TestApp, completed, settings},
    ops::Person,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_runs_tells_how_far_it_is_who_holds_it_and_where_its_trace_is() {
    let trace_url = Some("https://jaeger.example.com/trace/{trace_id}?x=1".parse().unwrap());
    let app = TestApp::start_with(api::Settings { trace_url, ..settings() }).await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, true)]).await;
    let job = app.submit(json!({})).await;
    let path = format!("/ops/t/acme/jobs/{job}");
    assert!(!ann.page(&path).await.1.contains("Held by"), "nobody has it");
    app.execute(&format!("update job set traceparent = '00-{TRACE}-00f067aa0ba902b7-01'")).await;
    let claimed = app.claim().await.remove(0);
    let halfway = Said::Progress { percent: 40, message: "two <thirds>".to_owned() };
    say(&app.worker, &[(claimed.clone(), halfway)]).await.unwrap();
    app.execute("update lease set claimed_at = now() - interval '40 s'").await;
    for _ in 0..2 {
        assert_eq!(renew(&app.worker, &[claimed.lease], Duration::from_mins(1)).await.unwrap().len(), 1);
    }
    let (_, page) = ann.page(&path).await;
    for said in [
        "<progress max=\"100\" value=\"40\"",
        "40 % two &lt;thirds&gt;",
        "about 1 min",
        "Held by <code>wrk_test</code>",
        "the lease runs out",
        "after 2 beats, fencing number",
        &format!("href=\"https://jaeger.example.com/trace/{TRACE}?x=1\""),
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    app.execute("update lease set until = now() - interval '1 min'").await;
    assert!(ann.page(&path).await.1.contains("somebody else gets it"));
    let settled = Settle::of(&claimed, completed());
    store::settle::settle(&app.worker, &[settled], &[claimed.lease]).await.unwrap();
    let (_, page) = ann.page(&path).await;
    assert!(!page.contains("Held by") && !page.contains("<progress"), "{page}");
    assert!(page.contains(TRACE), "the trace stays: {page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_is_told_where_nobody_said_how_to_look_at_it() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let job = app.submit(json!({})).await;
    app.execute(&format!("update job set traceparent = '00-{TRACE}-00f067aa0ba902b7-01'")).await;
    let (_, page) = ann.page(&format!("/ops/t/acme/jobs/{job}")).await;
    assert!(page.contains(&format!("<dd><code>{TRACE}</code></dd>")), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_see_arguments_sees_which_there_are() {
    let app = TestApp::start().await;
    let viewer = |sees| [(Some(app.tenant), UserRole::Viewer, sees)];
    let (ann, bob) = (
        Person::signed_in(&app, "ann", &viewer(false)).await,
        Person::signed_in(&app, "bob", &viewer(true)).await,
    );
    let job = app.submit(json!({ "args": { "echo": "rose bud", "work_ms": 12_345 } })).await;
    let path = format!("/ops/t/acme/jobs/{job}");
    let (_, page) = ann.page(&path).await;
    for said in [
        "<dt>echo</dt><dd>a text</dd>",
        "<dt>work_ms</dt><dd>a number</dd>",
        "for those who may see payloads",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("rose bud") && !page.contains("12345"), "{page}");
    let (_, page) = bob.page(&path).await;
    assert!(page.contains("rose bud") && !page.contains("<dd>a text</dd>"), "{page}");
}
