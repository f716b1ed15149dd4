//! The dashboard in a browser, as operators use it: on a desk and on a phone, by keyboard, in the light and in the dark.

use std::path::Path;

use chrono::{TimeDelta, Utc};
use fantoccini::Locator;
use jobs::{
    Channel, JobId, MessageId, State,
    kinds::probe_work::{Ending, ProbeWork},
};
use serde_json::{Value, json};
use store::enqueue::NewJob;
use testkit::{SmtpServer, eventually};

use crate::{
    browser::{Browser, Viewer},
    journeys::{Client, serve},
    ops_desk::{
        DARK_DESK, EMAIL, ENTER, LIGHT_PHONE, PHONE, TAB, click, comes_true, complaints, open, press,
        signed_in, staffed, text,
    },
    outbound,
    world::{SOON, World},
};

fn giving_up() -> ProbeWork {
    ProbeWork { endings: vec![Ending::Discard], ..ProbeWork::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_watched_while_it_runs() {
    let (world, client, stop) = staffed().await;
    let worker = world.start(&[]);
    worker.ready().await;
    let browser = signed_in(&client, Viewer::DESK).await;
    let job = world.probe(crate::world::working(6_000)).await;
    open(&browser, &client, &format!("/ops/t/acme/jobs/{job}")).await;
    browser.value("window.stays = true").await;
    comes_true(&browser, "!!document.querySelector('.state.running')").await;
    comes_true(&browser, "document.querySelectorAll('.log li').length > 0").await;
    comes_true(&browser, "!!document.querySelector('.head .state.completed')").await;
    assert_eq!(browser.value("window.stays").await, true, "the page was not loaded again");
    comes_true(&browser, "!document.querySelector('#live')").await;
    browser.close().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_are_retried_by_what_they_have_in_common() {
    let (world, client, stop) = staffed().await;
    let worker = world.start(&[]);
    worker.ready().await;
    let failing: Vec<NewJob> = (0..500).map(|_| NewJob::of(&giving_up()).unwrap()).collect();
    world.enqueue(&failing).await;
    world.reaches(failing[499].id, State::Discarded).await;
    eventually("all to be given up", SOON, || async {
        (world.database.number("select count(*) from job").await.ok()? == 0).then_some(())
    })
    .await;
    let message: Value =
        world.database.json("select error from attempt where error is not null limit 1").await.unwrap();
    let said = message["message"].as_str().unwrap().split_whitespace().last().unwrap().to_owned();

    let browser = signed_in(&client, Viewer::DESK).await;
    press(&browser, "/").await;
    for keys in [said.as_str(), ENTER] {
        press(&browser, keys).await;
    }
    comes_true(&browser, "document.querySelector('h1').textContent == 'Jobs'").await;
    assert_eq!(browser.value("document.querySelectorAll('#jobs tbody .state.discarded').length").await, 50);
    press(&browser, "ge").await;
    comes_true(&browser, "document.querySelector('h1').textContent == 'Errors'").await;
    browser.client.find(Locator::LinkText("Retry all 500")).await.unwrap().click().await.unwrap();
    assert!(text(&browser).await.contains("500 jobs fit"), "{}", text(&browser).await);
    click(&browser, "input[name=typed]").await;
    for keys in ["500", ENTER] {
        press(&browser, keys).await;
    }
    comes_true(&browser, "!!document.querySelector('.head .state.completed')").await;
    assert_eq!(browser.value("document.querySelector('#changed').textContent").await, "500");
    world.reaches(failing[0].id, State::Completed).await;
    browser.close().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_paused_until_a_time_and_a_job_says_why_it_waits() {
    let (world, client, stop) = staffed().await;
    let worker = world.start(&[]);
    worker.ready().await;
    let browser = signed_in(&client, Viewer::DESK).await;
    open(&browser, &client, "/ops/t/acme/queues").await;
    click(&browser, "summary").await;
    for keys in [TAB, "default", TAB, "the printer is being moved"] {
        press(&browser, keys).await;
    }
    let until = (Utc::now() + TimeDelta::hours(3)).format("%Y-%m-%dT%H:%M");
    browser.value(&format!("document.querySelector('input[name=until]').value = '{until}'")).await;
    press(&browser, ENTER).await;
    comes_true(&browser, "document.querySelector('main').innerText.includes('in 2 h')").await;
    let job = world.probe(ProbeWork::default()).await;
    open(&browser, &client, &format!("/ops/t/acme/jobs/{job}")).await;
    let why = browser.value("document.querySelector('.why strong').textContent").await;
    let why = why.as_str().unwrap();
    assert!(
        why.contains("paused until") && why.contains(EMAIL) && why.contains("the printer is being moved"),
        "{why}"
    );
    open(&browser, &client, "/ops/t/acme/queues").await;
    press(&browser, "l").await;
    assert_eq!(browser.value("document.querySelector('#live').textContent").await, "Paused");
    browser.client.find(Locator::XPath("//button[.='Resume']")).await.unwrap().click().await.unwrap();
    world.reaches(job, State::Completed).await;
    browser.close().await;
    stop.cancel();
}

/// A message whose sending broke off, so that nobody knows whether it arrived.
async fn doubted(world: &World) -> MessageId {
    // The mail server hangs up after it has taken the mail, before it says so.
    let party = outbound::somebody(world, "dropped@example.test").await;
    let id = outbound::planned(world, &outbound::reminder(party, Channel::Email)).await[0];
    outbound::becomes(world, id, &["unknown"]).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_says_why_and_a_person_says_what_became_of_it() {
    let ((world, client, stop), smtp) = (staffed().await, SmtpServer::start().unwrap());
    let worker = outbound::start(&world, &smtp, &[]);
    worker.ready().await;
    let id = doubted(&world).await;
    let browser = signed_in(&client, Viewer::DESK).await;
    open(&browser, &client, "/ops/t/acme/messages?state=unknown").await;
    click(&browser, "tbody a").await;
    comes_true(&browser, "document.querySelector('main').innerText.includes('Nobody knows')").await;
    assert!(text(&browser).await.contains("12 Elm Street"), "{}", text(&browser).await);
    click(&browser, "button[value=sent]").await;
    comes_true(&browser, "!!document.querySelector('.head .state.sent')").await;
    assert_eq!(outbound::message(&world, id).await.state, "sent");
    open(&browser, &client, "/ops/t/acme/audit").await;
    assert!(text(&browser).await.contains("message.resolve"), "{}", text(&browser).await);
    browser.close().await;
    stop.cancel();
}

/// Pages with something on them, and the file that a picture of each goes to.
async fn furnished(world: &World, client: &Client) -> Vec<(&'static str, String)> {
    let message = doubted(world).await;
    let failing: Vec<NewJob> = (0..12).map(|_| NewJob::of(&giving_up()).unwrap()).collect();
    world.enqueue(&failing).await;
    world.reaches(failing[11].id, State::Discarded).await;
    let done = world.probe(crate::world::working(100)).await;
    world.reaches(done, State::Completed).await;
    let later =
        world.probe(ProbeWork { endings: vec![Ending::RetryAfter(3_600)], ..ProbeWork::default() }).await;
    world.reaches(later, State::Retryable).await;
    let pause = json!({"queue": "default", "reason": "the printer is being moved"});
    assert_eq!(client.post("/v1/pauses", pause).await.0, 201);
    let waits = world.probe(ProbeWork::default()).await;
    let limit = client.http.put(format!("{}/v1/limits/printers", client.url)).bearer_auth(&client.key);
    limit.json(&json!({"kind": "probe.work", "concurrency": 4})).send().await.unwrap();
    let nightly = json!({"name": "nightly-report", "cron": "30 2 * * MON-FRI", "timezone": "Europe/Berlin", "kind": "probe.work"});
    let schedule = client.post("/v1/schedules", nightly).await.1["id"].as_str().unwrap().to_owned();
    let retry = json!({"action": "retry", "filter": {"states": ["discarded"], "kind": "probe.work"}});
    let bulk = client.post("/v1/bulk-operations", retry).await.1["id"].as_str().unwrap().to_owned();
    let endpoint = json!({"url": "http://127.0.0.1:9/hook", "event_types": ["job.*"]});
    let endpoint = client.post("/v1/webhook-endpoints", endpoint).await.1["id"].as_str().unwrap().to_owned();
    world.database.execute(LAST_HOUR).await.unwrap();
    world.database.execute(DEAD).await.unwrap();
    let worker: Value = world.database.json("select to_json(name) from worker limit 1").await.unwrap();
    let name = worker.as_str().unwrap();
    let of = |job: JobId| format!("/ops/t/acme/jobs/{job}");
    vec![
        ("tenants", "/ops".to_owned()),
        ("workers", "/ops/workers".to_owned()),
        ("worker", format!("/ops/workers/{name}")),
        ("installation-audit", "/ops/audit".to_owned()),
        ("home", "/ops/t/acme".to_owned()),
        ("queues", "/ops/t/acme/queues".to_owned()),
        ("kinds", "/ops/t/acme/kinds".to_owned()),
        ("jobs", "/ops/t/acme/jobs".to_owned()),
        ("jobs-by-time", "/ops/t/acme/jobs?created_after=2026-01-01T00:00&field=echo&holds=x".to_owned()),
        ("go", "/ops/t/acme/go".to_owned()),
        ("time-zone", "/ops/time-zone".to_owned()),
        ("job", of(done)),
        ("job-clone", format!("{}/clone", of(done))),
        ("job-waits", of(waits)),
        ("job-failed", of(failing[0].id)),
        ("errors", "/ops/t/acme/errors".to_owned()),
        ("error", "/ops/t/acme/errors".to_owned()),
        ("dead-letters", "/ops/t/acme/dead-letters".to_owned()),
        ("bulk-preview", "/ops/t/acme/bulk/new?action=retry&states=retryable".to_owned()),
        ("bulk-operation", format!("/ops/t/acme/bulk/{bulk}")),
        ("bulk", "/ops/t/acme/bulk".to_owned()),
        ("schedules", "/ops/t/acme/schedules".to_owned()),
        ("schedule", format!("/ops/t/acme/schedules/{schedule}")),
        ("webhooks", "/ops/t/acme/webhooks".to_owned()),
        ("webhooks-out", "/ops/t/acme/webhooks/out?state=failed".to_owned()),
        ("webhook-endpoint", format!("/ops/t/acme/webhooks/out/{endpoint}")),
        ("messages", "/ops/t/acme/messages".to_owned()),
        ("message", format!("/ops/t/acme/messages/{message}")),
        ("alerts", "/ops/t/acme/alerts".to_owned()),
        ("audit", "/ops/t/acme/audit".to_owned()),
        ("not-found", "/ops/t/acme/jobs/x".to_owned()),
    ]
}

/// An hour in which something happened.
const LAST_HOUR: &str = "insert into work_minute (tenant_id, minute, queue, kind, completed, failed, discarded, wait_ms, run_ms)
    select t.id, date_trunc('minute', now()) - n * interval '1 min', 'default', 'probe.work',
        (40 + 25 * sin(n / 6.0) + n % 5)::int, (n % 11 = 0)::int * 3, 0,
        array[30, 8, 4, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], array[2, 6, 20, 9, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    from tenant t, generate_series(1, 58) n on conflict do nothing";

/// One that nobody looked after in time.
const DEAD: &str = "with care as (insert into kind_care (tenant_id, kind, owner, runbook, look_after_s, updated_by)
        select id, 'probe.work', 'probe team', 'https://wiki.example.com/probes', 3600, 'ann@acme.test' from tenant)
    insert into dead_letter (tenant_id, job_id, kind, died_at) select tenant_id, job_id, kind, finished_at - interval '2 hours'
    from attempt where final_state = 'discarded' limit 1 on conflict do nothing";

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_for_everybody_at_every_size() {
    let ((world, client, stop), smtp) = (staffed().await, SmtpServer::start().unwrap());
    let worker = outbound::start(&world, &smtp, &[]);
    worker.ready().await;
    let pages = furnished(&world, &client).await;
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ops");
    std::fs::create_dir_all(&pictures).unwrap();
    let viewers =
        [("desk", Viewer::DESK), ("desk-dark", DARK_DESK), ("phone", LIGHT_PHONE), ("phone-dark", PHONE)];
    let mut broken = Vec::new();
    for (name, viewer) in viewers {
        let browser = Browser::open(viewer).await;
        open(&browser, &client, "/ops/sign-in").await;
        broken.extend(complaints(&browser).await.into_iter().map(|what| format!("{name} sign-in: {what}")));
        picture(&browser, &pictures.join(format!("sign-in-{name}.png"))).await;
        browser.close().await;
        let browser = signed_in(&client, viewer).await;
        for (page, path) in &pages {
            open(&browser, &client, path).await;
            if *page == "error" {
                click(&browser, "tbody a").await;
                comes_true(&browser, "!!document.querySelector('form[action$=\"/assign\"]')").await;
            }
            broken
                .extend(complaints(&browser).await.into_iter().map(|what| format!("{name} {page}: {what}")));
            let wide = browser.value("document.documentElement.scrollWidth - innerWidth").await;
            if wide.as_i64().unwrap() > 0 {
                broken.push(format!("{name} {page}: {wide} pixels too wide"));
            }
            picture(&browser, &pictures.join(format!("{page}-{name}.png"))).await;
        }
        browser.close().await;
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    stop.cancel();
}

/// A page that asks in vain is not live, though its stream is open.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_out_of_date_says_so() {
    let (world, client, stop) = staffed().await;
    let browser = signed_in(&client, DARK_DESK).await;
    let says = |word: &str| format!("document.querySelector('#live').textContent.startsWith('{word}')");
    comes_true(&browser, &says("Live")).await;
    world.database.execute("update user_session set expires_at = now()").await.unwrap();
    world.enqueue(&[NewJob::of(&giving_up()).unwrap()]).await;
    comes_true(&browser, &says("Stale")).await;
    world.database.execute("update user_session set expires_at = now() + interval '1 hour'").await.unwrap();
    comes_true(&browser, &says("Live")).await;
    browser.close().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_told_to_go_and_hands_back_what_it_has() {
    let (world, client, stop) = staffed().await;
    let mut worker = world.start(&["--grace-s", "0"]);
    worker.ready().await;
    let job = world.probe(crate::world::working(60_000)).await;
    world.reaches(job, State::Running).await;
    let browser = signed_in(&client, Viewer::DESK).await;
    open(&browser, &client, "/ops/workers").await;
    assert!(text(&browser).await.contains("MiB"), "{}", text(&browser).await);
    click(&browser, "tbody a[href^='/ops/workers/']").await;
    comes_true(&browser, "document.querySelector('main').innerText.includes('What it runs')").await;
    assert!(text(&browser).await.contains(&job.to_string()), "{}", text(&browser).await);
    click(&browser, "form[action$='/drain'] button").await;
    comes_true(&browser, "document.querySelector('main').innerText.includes('asked to end')").await;
    assert_eq!(worker.exits().await, Some(0));
    world.reaches(job, State::Available).await;
    browser.close().await;
    stop.cancel();
}

async fn picture(browser: &Browser, to: &Path) {
    std::fs::write(to, browser.client.screenshot().await.unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_without_s3_and_without_workers_it_answers() {
    let (mut world, client, stop) = staffed().await;
    let browser = signed_in(&client, Viewer::DESK).await;
    let job = world.probe(ProbeWork::default()).await;
    open(&browser, &client, "/ops/t/acme").await;
    assert!(text(&browser).await.contains("jobs wait and no worker listens"), "{}", text(&browser).await);
    let worker = world.start(&[]);
    worker.ready().await;
    world.reaches(job, State::Completed).await;
    world.redis.kill();
    let job = world.probe(ProbeWork::default()).await;
    world.reaches(job, State::Completed).await;
    open(&browser, &client, &format!("/ops/t/acme/jobs/{job}")).await;
    comes_true(&browser, "!!document.querySelector('.head .state.completed')").await;

    let nowhere = blob::Options { endpoint: Some("http://127.0.0.1:1".into()), ..world.s3.clone() };
    world.blobs = blob::Blobs::connect(&nowhere).unwrap();
    let (without_s3, stop_too) = serve(&world).await;
    open(&browser, &without_s3, "/ops/t/acme").await;
    assert!(text(&browser).await.contains("The object store does not answer"), "{}", text(&browser).await);
    open(&browser, &without_s3, &format!("/ops/t/acme/jobs/{job}")).await;
    comes_true(&browser, "!!document.querySelector('.head .state.completed')").await;
    browser.close().await;
    stop.cancel();
    stop_too.cancel();
}
