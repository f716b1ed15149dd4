//! Every page of the dashboard with something on it, at every size, in the light and in the dark.

use std::path::Path;

use api::ops;
use jobs::{
    Channel, JobId, MessageId, State,
    kinds::probe_work::{Ending, ProbeWork},
};
use reqwest::Method;
use serde_json::{Value, json};
use store::enqueue::NewJob;
use testkit::{SmtpServer, eventually};

use crate::{
    browser::{Browser, Viewer},
    journeys::Client,
    ops::giving_up,
    ops_desk::{DARK_DESK, LIGHT_PHONE, PHONE, complaints, open, signed_in, staffed},
    outbound,
    world::{SOON, World},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What is no page of its own: the same page with something else on it, which has no picture in the documentation.
const STATES: [&str; 3] = ["job-failed", "jobs-by-time", "not-found"];
/// What a page asks for by itself.
const PARTS: [&str; 3] =
    ["/ops/t/{tenant}/live", "/ops/t/{tenant}/jobs/{id}/live", "/ops/t/{tenant}/jobs/{id}/film/{name}"];

/// Whether `path` is one that `route` stands for.
fn is_of(path: &str, route: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (parts, pattern): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), route.split('/').collect());
    parts.len() == pattern.len()
        && pattern.iter().zip(&parts).all(|(wanted, is)| wanted == is || wanted.starts_with('{'))
}

/// The pages of the route table that nobody looks at, and those without a picture in the documentation.
fn forgotten(pages: &[(&str, String)]) -> Vec<String> {
    let is_seen = |route: &str| pages.iter().any(|(_, path)| is_of(path, route)) || PARTS.contains(&route);
    let unseen = ops::list().into_iter().filter(|route| route.method == Method::GET && !is_seen(route.path));
    let mut forgotten: Vec<String> = unseen.map(|route| format!("{} is not looked at", route.path)).collect();
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/dashboard");
    let named = pages.iter().map(|(name, _)| *name).filter(|name| !STATES.contains(name)).chain(["sign-in"]);
    for name in named.filter(|name| !pictures.join(format!("{name}.png")).is_file()) {
        forgotten.push(format!("docs/dashboard has no picture of {name}"));
    }
    forgotten
}

/// A message whose sending broke off, so that nobody knows whether it arrived.
pub(crate) async fn doubted(world: &World) -> MessageId {
    // The mail server hangs up after it has taken the mail, before it says so.
    let party = outbound::somebody(world, "dropped@example.test").await;
    let id = outbound::planned(world, &outbound::reminder(party, Channel::Email)).await[0];
    outbound::becomes(world, id, &["unknown"]).await;
    id
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
    let source = json!({"name": "booking-system", "scheme": {"type": "standard_webhooks"}, "secret": SECRET});
    let source = client.post("/v1/webhook-sources", source).await.1["id"].as_str().unwrap().to_owned();
    world.database.execute(LAST_HOUR).await.unwrap();
    world.database.execute(DEAD).await.unwrap();
    let group = eventually("the failures to be a group", SOON, || async {
        client.get("/v1/errors").await["errors"][0]["fingerprint"].as_str().map(str::to_owned)
    })
    .await;
    let worker: Value = world.database.json("select to_json(name) from worker limit 1").await.unwrap();
    let name = worker.as_str().unwrap();
    let of = |job: JobId| format!("/ops/t/acme/jobs/{job}");
    vec![
        ("tenants", "/ops".to_owned()),
        ("tenants-of-mine", "/ops/mine".to_owned()),
        ("go-anywhere", "/ops/go".to_owned()),
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
        ("error", format!("/ops/t/acme/errors/{group}")),
        ("dead-letters", "/ops/t/acme/dead-letters".to_owned()),
        ("bulk-preview", "/ops/t/acme/bulk/new?action=retry&states=retryable".to_owned()),
        ("bulk-operation", format!("/ops/t/acme/bulk/{bulk}")),
        ("bulk", "/ops/t/acme/bulk".to_owned()),
        ("schedules", "/ops/t/acme/schedules".to_owned()),
        ("schedule", format!("/ops/t/acme/schedules/{schedule}")),
        ("webhooks", "/ops/t/acme/webhooks".to_owned()),
        ("webhook-source", format!("/ops/t/acme/webhooks/in/{source}")),
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
    let mut broken = forgotten(&pages);
    for (name, viewer) in viewers {
        let browser = Browser::open(viewer).await;
        open(&browser, &client, "/ops/sign-in").await;
        broken.extend(complaints(&browser).await.into_iter().map(|what| format!("{name} sign-in: {what}")));
        picture(&browser, &pictures.join(format!("sign-in-{name}.png"))).await;
        browser.close().await;
        let browser = signed_in(&client, viewer).await;
        for (page, path) in &pages {
            open(&browser, &client, path).await;
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

async fn picture(browser: &Browser, to: &Path) {
    std::fs::write(to, browser.client.screenshot().await.unwrap()).unwrap();
}
