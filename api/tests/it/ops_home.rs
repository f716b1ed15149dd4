//! What the dashboard says of how things stand: at home, of workers, of queues and kinds.

use std::time::Duration;

use api::UserRole;
use reqwest::{Method, StatusCode};
use serde_json::json;
use store::{
    claim::{Pick, claim},
    presence::{self, Presence},
};

use crate::{
    app::{TestApp, completed},
    ops::Person,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_was_switched_off_is_an_alarm() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let made = app.post("/v1/webhook-endpoints", &json!({"url": "https://example.com/hook"})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let (status, home) = ann.page("/ops/t/acme").await;
    assert_eq!(status, StatusCode::OK);
    assert!(!home.contains("Switched off"), "{home}");
    app.execute(
        "update webhook_endpoint set disabled_at = now(), disabled_reason = 'nothing got through for 5 days'",
    )
    .await;
    let (_, home) = ann.page("/ops/t/acme").await;
    let link = format!("/ops/t/acme/webhooks/out/{}", made.body["id"].as_str().unwrap());
    for said in ["Switched off", &link, "nothing got through for 5 days"] {
        assert!(home.contains(said), "{said}: {home}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_of_several_versions_are_told() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(None, UserRole::Viewer, false)]).await;
    let here = async |worker, version| {
        let listens_to = &[(jobs::Queue::Default, 4)];
        let presence =
            Presence { worker, host: "den-7", version, listens_to, memory_bytes: None, reaches_redis: true };
        assert!(!presence::here(&app.worker, presence).await.unwrap());
    };
    here("one", "1.0").await;
    here("other", "1.0").await;
    let (status, page) = ann.page("/ops/workers").await;
    assert!(status.is_success() && !page.contains("They are of") && page.contains("den-7"), "{page}");
    here("third <x>", "1.1+abc").await;
    let (_, page) = ann.page("/ops/workers").await;
    assert!(page.contains("They are of 2 versions") && page.contains("1.1+abc × 1"), "{page}");
    assert!(page.contains("/ops/workers/third%20%3Cx%3E"), "{page}");
    app.execute("update worker set seen_at = now() - interval '1 hour' where name like 'third%'").await;
    let (_, page) = ann.page("/ops/workers").await;
    assert!(!page.contains("They are of"), "one of them is gone: {page}");
    assert!(page.contains("1.1+abc <span class=\"soft\">gone</span>"), "its version is remembered: {page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_shows_the_jobs_that_it_runs() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(None, UserRole::Viewer, false)]).await;
    let job = app.submit(json!({})).await;
    let waits = app.submit(json!({})).await;
    let listens_to = &[(jobs::Queue::Default, 4)];
    let lease = Duration::from_mins(1);
    let claimed = claim(&app.worker, jobs::Queue::Default, Pick::Regular, 1, "w1", lease).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let presence = Presence {
        worker: "w1",
        host: "den-7",
        version: "1.0",
        listens_to,
        memory_bytes: None,
        reaches_redis: true,
    };
    presence::here(&app.worker, presence).await.unwrap();
    let (status, page) = ann.page("/ops/workers/w1").await;
    assert!(status.is_success() && page.contains(&format!("/ops/t/acme/jobs/{job}")), "{page}");
    assert!(!page.contains(&waits) && page.contains("den-7") && page.contains("probe.work"), "{page}");
    assert!(!page.contains("/drain"), "a viewer only looks");
    assert_eq!(ann.page("/ops/workers/w2").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_and_each_queue_says_how_it_stands_and_went() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(None, UserRole::Viewer, false)]).await;
    app.submit(json!({})).await;
    app.submit(json!({ "scheduled_at": chrono::Utc::now() + chrono::TimeDelta::hours(1) })).await;
    for path in ["/ops/t/acme/queues", "/ops/t/acme/kinds"] {
        let (_, page) = ann.page(path).await;
        assert!(!page.contains("Worked off in") && page.contains("0.0 a minute"), "{page}");
    }
    let waits = "{0,0,0,0,0,0,0,0,0,0,0,1234,0,0,0,0}";
    app.execute(&format!(
        "insert into work_minute (tenant_id, minute, queue, kind, completed, failed, discarded, wait_ms, run_ms, slot_ms)
         values ('{}', now() - interval '2 min', 'default', 'probe.work', 1234, 5, 0, '{waits}', '{waits}', 83000)",
        app.tenant.as_uuid()
    ))
    .await;
    for (path, link) in
        [("/ops/t/acme/queues", "id=\"default\""), ("/ops/t/acme/kinds", "jobs?kind=probe.work")]
    {
        let (_, page) = ann.page(path).await;
        let most = "1234 at most";
        for said in
            [link, "Worked off in", "about 1 s", "123.4 a minute", "p99", "0 of 0 slots", most, "5 at most"]
        {
            assert!(page.contains(said), "{path} {said}: {page}");
        }
        assert!(page.contains("<dt>Waiting</dt><dd>1</dd>"), "what is not due does not wait: {page}");
    }
    let (_, page) = ann.page("/ops").await;
    assert!(page.contains("Wait in the last hour") && page.contains("45 s"), "half of them: {page}");
    assert!(page.contains("Slot time in the last hour") && page.contains("1 min 23 s"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_limits_and_rates_is_told() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    assert!(ann.page("/ops/t/acme/queues").await.1.contains("Nothing limits"));
    let rate = json!({ "count": 1, "period_s": 3_600.0 });
    let limit = json!({ "kind": "probe.work", "concurrency": 2, "rate": rate });
    let set = app.request(Method::PUT, "/v1/limits/printers").json(&limit).send().await.unwrap();
    assert_eq!(set.status(), StatusCode::OK);
    let (_, page) = ann.page("/ops/t/acme/queues").await;
    for said in ["printers", "0 in use, 2 left", "1 in 3600 s", "1 left", "Requests to this api process"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("used up"), "{page}");
    app.submit(json!({})).await;
    app.work(completed()).await;
    let (_, page) = ann.page("/ops/t/acme/queues").await;
    assert!(page.contains("✕ used up") && page.contains("0 left, one more"), "{page}");
}

async fn listens(app: &TestApp) {
    let listens_to = &[(jobs::Queue::Default, 4)];
    let presence = Presence {
        worker: "wrk_test",
        host: "den-7",
        version: "1.0",
        listens_to,
        memory_bytes: None,
        reaches_redis: true,
    };
    presence::here(&app.worker, presence).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn home_says_what_is_late_failing_dead_or_paused_and_nothing_else() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let home = async || ann.page("/ops/t/acme").await.1;
    let words = ["Late", "Failing", "Dead", "Unattended", "Switched off", "Paused"];
    let said = |page: &str| -> Vec<&str> {
        words.into_iter().filter(|word| page.contains(&format!("<strong>{word}</strong>"))).collect()
    };
    let page = home().await;
    assert!(page.contains("No worker is there") && !page.contains("All is well"), "{page}");
    assert_eq!(said(&page), ["Dead"]);

    app.submit(json!({})).await;
    let page = home().await;
    assert!(page.contains("default: jobs wait and no worker listens"), "{page}");
    assert_eq!(said(&page), ["Dead"]);
    listens(&app).await;
    let page = home().await;
    assert!(page.contains("✓ All is well"), "somebody listens, and it has waited for a moment only: {page}");
    assert!(said(&page).is_empty(), "{page}");

    app.execute(
        "update job set scheduled_at = now() - interval '5 min', created_at = now() - interval '5 min'",
    )
    .await;
    let page = home().await;
    assert!(
        page.contains("href=\"/ops/t/acme/queues#default\"")
            && page.contains("the first in line waits for 5 min"),
        "{page}"
    );
    assert_eq!(said(&page), ["Late"]);
    let pause = json!({ "queue": "default", "reason": "the <printer> is moved" });
    assert_eq!(app.post("/v1/pauses", &pause).await.status, StatusCode::CREATED);
    let page = home().await;
    assert!(page.contains("the &lt;printer&gt; is moved"), "{page}");
    assert_eq!(said(&page), ["Paused"], "what is held back on purpose is not late");
    app.execute("delete from pause; delete from job").await;

    let minute = async |completed: i64, failed: i64| {
        app.execute(&format!(
            "delete from work_minute;
             insert into work_minute (tenant_id, minute, queue, kind, completed, failed, discarded, wait_ms, run_ms)
             values ('{}', date_trunc('minute', now()) - interval '2 min', 'default', 'probe.work', {completed}, {failed}, 0,
                 array_fill(0, array[16]), array_fill(0, array[16]))",
            app.tenant.as_uuid()
        ))
        .await;
    };
    minute(1_900, 100).await;
    assert!(home().await.contains("✓ All is well"), "one of twenty is no alarm");
    minute(1_899, 101).await;
    let page = home().await;
    assert!(
        page.contains("101 attempts") && page.contains("of 2,000") && page.contains("went wrong"),
        "{page}"
    );
    assert_eq!(said(&page), ["Failing"]);
    assert!(!page.contains("All is well"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_watches_all_sees_who_starves() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(None, UserRole::Viewer, false)]).await;
    app.submit(json!({})).await;
    let (_, page) = ann.page("/ops").await;
    assert!(
        page.contains("✓ Nobody has waited for longer than 15 min") && !page.contains("class=\"hot\""),
        "{page}"
    );
    app.execute(
        "update job set scheduled_at = now() - interval '20 min', created_at = now() - interval '20 min'",
    )
    .await;
    let (_, page) = ann.page("/ops").await;
    assert!(
        page.contains("1 share waits for longer than 15 min") && page.contains("class=\"hot\""),
        "{page}"
    );
    assert!(page.contains("20 min ago"), "{page}");
}
