//! The pages of a furnished tenant, asked for in German: what is English on them is data.

use api::UserRole;
use jobs::failure::Problem;
use reqwest::{Method, StatusCode, header};
use serde_json::json;
use store::{
    alerts, bulk, keys,
    presence::{self, Presence},
    verdict::Verdict,
};

use crate::{
    app::{TestApp, completed, eventually},
    notifications,
    ops::Person,
    webhooks_in, webhooks_out,
};

/// Words that German does not have, and hardly an English sentence does without.
const ENGLISH: [&str; 5] = ["the", "of", "and", "are", "is"];

/// What the API says in these words, which pages repeat.
const OF_THE_API: [&str; 3] = [
    "over the day before",
    "what a retry began is running, or has run",
    "Does as it is told: sleeps, reports, fails; for trying an installation out",
];

/// What a page shows, but for what stands there as it was sent: codes and texts.
fn words(page: &str) -> Vec<String> {
    let (mut text, mut rest) = (String::new(), page);
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        let is = |name: &&str| tag.strip_prefix(*name).is_some_and(|after| after.starts_with(['>', ' ']));
        let end = ["code", "pre"].into_iter().find(is).map_or(">".to_owned(), |name| format!("</{name}>"));
        rest = tag.split_once(&end).map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text.split_whitespace().map(str::to_lowercase).collect()
}

async fn are_german(ann: &Person, paths: &[String]) {
    for path in paths {
        let asked = ann.request(Method::GET, path).header(header::ACCEPT_LANGUAGE, "de");
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("<html lang=\"de\""), "{path}: {page}");
        let words = words(&OF_THE_API.iter().fold(page, |page, said| page.replace(said, "")));
        let is_german = words.iter().all(|word| !ENGLISH.contains(&word.as_str()));
        assert!(is_german, "{path}: {}", words.join(" "));
    }
}

async fn somebody(app: &TestApp) -> Person {
    Person::signed_in(app, "ann", &[(None, UserRole::Admin, true)]).await
}

async fn acts(ann: &Person, path: &str, fields: &[(&str, &str)]) -> String {
    let (status, to) = ann.post(path, fields).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{path}: {to}");
    to
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_and_where_they_stand() {
    let app = TestApp::start().await;
    let ann = somebody(&app).await;
    let mut paths = ["", "/queues", "/kinds", "/jobs", "/jobs?words=nothing", "/jobs?field=echo&holds=x"]
        .map(|page| format!("/ops/t/acme{page}"))
        .to_vec();
    paths.push("/ops/time-zone".to_owned());
    are_german(&ann, &paths).await;
    let done = app.submit(json!({})).await;
    assert_eq!(app.work(completed()).await, 1);
    let lost = app.submit(json!({})).await;
    assert_eq!(app.work(Verdict::Discarded { problem: Problem::new("odd", "x") }).await, 1);
    for job in [done, lost] {
        paths.extend([format!("/ops/t/acme/jobs/{job}"), format!("/ops/t/acme/jobs/{job}/clone")]);
    }
    acts(&ann, "/ops/t/acme/pauses", &[("queue", "default"), ("reason", "x"), ("until", "")]).await;
    are_german(&ann, &paths).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_and_what_is_done_about_them() {
    let app = TestApp::start().await;
    let ann = somebody(&app).await;
    let tenant =
        ["errors", "dead-letters", "alerts", "bulk", "audit", "go"].map(|of| format!("/ops/t/acme/{of}"));
    are_german(&ann, &tenant).await;
    for code in ["odd", "odder"] {
        app.submit(json!({})).await;
        assert_eq!(app.work(Verdict::Discarded { problem: Problem::new(code, "x") }).await, 1);
    }
    let mut paths = tenant.to_vec();
    for group in app.get("/v1/errors").await.body["errors"].as_array().unwrap() {
        let path = format!("/ops/t/acme/errors/{}", group["fingerprint"].as_str().unwrap());
        let said = if group["code"] == "odd" { "open" } else { "ignored" };
        acts(&ann, &format!("{path}/state"), &[("state", said), ("note", "x")]).await;
        acts(&ann, &format!("{path}/assign"), &[("to", &ann.id.to_string())]).await;
        paths.push(path);
    }
    app.execute(
        "insert into version_seen (version, first_at) values ('1.1', now() - interval '1 day');
         insert into worker_seen (name, version) values ('wrk_test', '1.1')",
    )
    .await;
    let care = [("kind", "probe.work"), ("owner", "x"), ("runbook", "https://wiki.test/x"), ("hours", "1")];
    acts(&ann, "/ops/t/acme/dead-letters", &care).await;
    let rule = json!({"measure": "queue_age", "queue": "default", "threshold": 60, "fire_after_s": 0});
    let set = app.request(Method::PUT, "/v1/alert-rules/late").json(&rule).send().await.unwrap();
    assert_eq!(set.status(), StatusCode::OK);
    app.submit(json!({})).await;
    app.execute("update job set scheduled_at = now() - interval '2 min'").await;
    alerts::look(&app.worker, None).await.unwrap();
    are_german(&ann, &paths).await;
    app.execute("update dead_letter set died_at = died_at - interval '2 hours'").await;
    are_german(&ann, &paths).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_on_many() {
    let app = TestApp::start().await;
    let ann = somebody(&app).await;
    app.submit(json!({})).await;
    assert_eq!(app.work(Verdict::Discarded { problem: Problem::new("odd", "x") }).await, 1);
    app.submit(json!({})).await;
    let bulk = "/ops/t/acme/bulk".to_owned();
    let retry = [("action", "retry"), ("states", "discarded"), ("count", "1"), ("key", "k-1")];
    let running = acts(&ann, &bulk, &retry).await;
    are_german(&ann, std::slice::from_ref(&running)).await;
    acts(&ann, &format!("{running}/pause"), &[]).await;
    are_german(&ann, std::slice::from_ref(&running)).await;
    acts(&ann, &format!("{running}/resume"), &[]).await;
    eventually(async || {
        bulk::step(&app.worker).await.unwrap();
        (app.number("select count(*) from bulk_operation where state = 'completed'").await == 1).then_some(())
    })
    .await;
    let rule = app.request(Method::PUT, "/v1/four-eyes").json(&json!({ "more_than": 0 }));
    assert_eq!(rule.send().await.unwrap().status(), StatusCode::OK);
    let ahead = [
        "action=cancel&states=available",
        "action=discard&states=available",
        "action=retry&states=cancelled",
    ];
    let mut paths = ahead.map(|query| format!("/ops/t/acme/bulk/new?{query}")).to_vec();
    let discard = [("action", "discard"), ("states", "available"), ("count", "2"), ("key", "k-2")];
    let waiting = acts(&ann, &bulk, &discard).await;
    paths.extend([bulk, running, waiting.clone()]);
    are_german(&ann, &paths).await;
    acts(&ann, &format!("{waiting}/cancel"), &[]).await;
    are_german(&ann, &[waiting, "/ops/t/acme/audit".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_and_messages() {
    let app = TestApp::start().await;
    let ann = somebody(&app).await;
    let mut paths = ["schedules", "messages"].map(|of| format!("/ops/t/acme/{of}")).to_vec();
    are_german(&ann, &paths).await;
    let plan = json!({"name": "nightly", "cron": "*/15 * * * *", "timezone": "Europe/Berlin", "kind": "probe.work", "args": {}});
    let made = app.post("/v1/schedules", &plan).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let schedule = format!("/ops/t/acme/schedules/{}", made.body["id"].as_str().unwrap());
    are_german(&ann, std::slice::from_ref(&schedule)).await;
    acts(&ann, &format!("{schedule}/run"), &[("key", "k-1")]).await;
    app.execute("update schedule_fire set through = slot + interval '1 hour'").await;
    acts(&ann, &format!("{schedule}/pause"), &[("reason", "x")]).await;
    paths.push(schedule);
    let party = notifications::party(&app).await;
    for state in ["unknown", "sent"] {
        let message = notifications::message(&app, &party, "in_app", state).await;
        paths.push(format!("/ops/t/acme/messages/{message}"));
    }
    app.execute(
        "update message set sent_at = now(), read_at = now(), provider_id = 'x' where state = 'sent'",
    )
    .await;
    are_german(&ann, &paths).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_in_and_out() {
    let app = TestApp::start().await;
    let ann = somebody(&app).await;
    let mut paths = ["webhooks", "webhooks/out"].map(|of| format!("/ops/t/acme/{of}")).to_vec();
    are_german(&ann, &paths).await;
    let source = webhooks_in::source(&app, json!({})).await;
    let come_in = format!("/ops/t/acme/webhooks/in/{}", source["id"].as_str().unwrap());
    are_german(&ann, std::slice::from_ref(&come_in)).await;
    for (id, secret) in [("msg_1", webhooks_in::SECRET), ("msg_2", webhooks_in::OTHER)] {
        webhooks_in::send(&app, &source, id, r#"{"type": "t"}"#, secret, 0).await;
    }
    app.execute("update webhook_refusal set reason = 'x'").await;
    let endpoint = webhooks_out::endpoint(&app, json!({})).await;
    let endpoint = endpoint["id"].as_str().unwrap();
    let go_out = format!("/ops/t/acme/webhooks/out/{endpoint}");
    let sent = app.post(&format!("/v1/webhook-endpoints/{endpoint}/test"), &json!({})).await;
    assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text);
    app.work(completed()).await;
    app.execute(
        "update webhook_delivery set state = 'failed'; update webhook_endpoint set failing_since = now()",
    )
    .await;
    let replayed =
        acts(&ann, &format!("{come_in}/replay"), &[("since", "2020-01-01T00:00"), ("state", "")]).await;
    paths.extend([
        come_in,
        replayed,
        format!("{go_out}?state=delivered"),
        format!("{go_out}?after={}&recovered=1", jobs::WebhookDeliveryId::new()),
        go_out,
    ]);
    are_german(&ann, &paths).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_installation() {
    let app = TestApp::start().await;
    let ann = somebody(&app).await;
    let mut paths = ["", "/go", "/workers", "/audit"].map(|of| format!("/ops{of}")).to_vec();
    are_german(&ann, &paths).await;
    keys::create_tenant(&app.owner, "other", "Other").await.unwrap();
    for _ in 0..2 {
        app.submit(json!({})).await;
    }
    app.execute("update job set scheduled_at = now() - interval '1 hour'").await;
    for (worker, version) in [("wrk_test", "1.0"), ("w2", "1.1"), ("w3", "1.2")] {
        let listens_to = &[(jobs::Queue::Default, 4)];
        let presence =
            Presence { worker, host: "den-7", version, listens_to, memory_bytes: None, reaches_redis: true };
        presence::here(&app.worker, presence).await.unwrap();
    }
    app.execute("update worker set seen_at = now() - interval '1 hour' where name = 'w3'").await;
    acts(&ann, "/ops/workers/w2/drain", &[]).await;
    paths.extend(["/mine", "/workers/wrk_test", "/workers/w2", "/workers/w3"].map(|of| format!("/ops{of}")));
    are_german(&ann, &paths).await;
    let more = [("tenant", "acme"), ("queue", "default"), ("weight", "3"), ("minutes", "60")];
    acts(&ann, "/ops/weights", &more).await;
    assert_eq!(app.claim().await.len(), 2);
    are_german(&ann, &paths).await;
}

#[test]
fn what_a_page_shows_is_told_from_what_it_only_holds() {
    let page = "<p title=\"of\">Ja<code>and</code> <b class=\"x\">nein</b></p><pre tabindex=\"0\">the</pre><codex>is</codex>";
    assert_eq!(words(page), ["ja", "nein", "is"]);
}
