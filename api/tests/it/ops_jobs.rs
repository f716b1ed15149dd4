//! Finding jobs, and what their page tells: by time, by what arguments hold, by the clocks of whoever looks.

use api::UserRole;
use chrono::{TimeDelta, Utc};
use reqwest::{Method, StatusCode, header};
use serde_json::json;
use store::{
    logs::{Level, Said, say},
    verdict::Verdict,
};

use crate::{
    app::{TestApp, completed},
    ops::{Form, Person, log},
};

const LOCAL: &str = "%Y-%m-%dT%H:%M";

/// How many jobs a list shows.
fn rows(page: &str) -> usize {
    page.split_once("id=\"jobs\"").map_or(0, |(_, list)| list.matches("<tr>").count().saturating_sub(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_found_by_when_they_were_asked_for_and_ended() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    app.submit(json!({})).await;
    assert_eq!(app.work(completed()).await, 1);
    app.submit(json!({})).await;
    let at = |hours| (Utc::now() + TimeDelta::hours(hours)).format(LOCAL).to_string();
    let (before, after) = (at(-1), at(1));
    let found = async |query: String| rows(&ann.page(&format!("/ops/t/acme/jobs?{query}")).await.1);
    assert_eq!(found(format!("created_after={before}&created_before={after}")).await, 2);
    assert_eq!(found(format!("created_before={before}")).await, 0);
    assert_eq!(found(format!("finished_after={before}&finished_before={after}")).await, 1);
    assert_eq!(found(format!("finished_after={after}")).await, 0);
    // What is an hour ahead by UTC was four and a half hours ago where clocks show it in Kolkata.
    assert_eq!(found(format!("created_after={after}&zone=Asia/Kolkata")).await, 2);

    let (_, page) = ann.page(&format!("/ops/t/acme/jobs?created_after={before}")).await;
    assert!(
        page.contains("<details class=\"more\" open>") && page.contains(&format!("value=\"{before}\"")),
        "{page}"
    );
    let link = format!("created_after={}%3A00Z", before.replace(':', "%3A"));
    assert!(page.contains(&link), "what fits is what a bulk operation meets: {page}");
    let view = [("name", "since then"), ("created_after", &before), ("zone", "Asia/Kolkata")];
    let (status, to) = ann.post("/ops/t/acme/views", &view).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{to}");
    assert!(to.contains("zone=Asia%2FKolkata") && to.contains("created_after="), "{to}");
    let preview = format!("/ops/t/acme/bulk/new?action=retry&states=completed&finished_after={after}:00Z");
    assert!(ann.page(&preview).await.1.contains("<strong>0</strong> jobs fit"));
    for wrong in ["created_after=soon", "finished_before=1999-01-01T00:00", "zone=Mars", "created_before=%00"]
    {
        assert_eq!(
            ann.page(&format!("/ops/t/acme/jobs?{wrong}")).await.0,
            StatusCode::BAD_REQUEST,
            "{wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_found_by_what_their_arguments_hold_by_those_who_may_see_them() {
    let app = TestApp::start().await;
    let viewer = |sees| [(Some(app.tenant), UserRole::Viewer, sees)];
    let ann = Person::signed_in(&app, "ann", &viewer(true)).await;
    let bob = Person::signed_in(&app, "bob", &viewer(false)).await;
    let job = app.submit(json!({"args": {"echo": "rose bud"}})).await;
    app.submit(json!({"args": {"echo": "other"}})).await;
    let path = "/ops/t/acme/jobs?kind=probe.work&field=echo&holds=rose+bud";
    let (_, page) = ann.page(path).await;
    assert!(rows(&page) == 1 && page.contains(&job), "{page}");
    assert!(page.contains("<option value=\"echo\">"), "the fields of the kind are named: {page}");
    assert!(!page.contains("/bulk/new?"), "an operation knows no arguments");
    assert_eq!(rows(&ann.page("/ops/t/acme/jobs?field=echo&holds=rose").await.1), 0);
    assert_eq!(ann.page("/ops/t/acme/jobs?field=echo").await.0, StatusCode::BAD_REQUEST);
    let long = "x".repeat(121);
    assert_eq!(
        ann.page(&format!("/ops/t/acme/jobs?field=echo&holds={long}")).await.0,
        StatusCode::BAD_REQUEST
    );
    let (status, page) = bob.page(path).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "who may not see them cannot guess them: {page}");
    assert!(!bob.page("/ops/t/acme/jobs").await.1.contains("name=\"field\""));
    let view = [("name", "roses"), ("field", "echo"), ("holds", "rose bud")];
    assert_eq!(bob.post("/ops/t/acme/views", &view).await.0, StatusCode::FORBIDDEN);
    let (_, to) = ann.post("/ops/t/acme/views", &view).await;
    assert_eq!(to, "/ops/t/acme/jobs?field=echo&holds=rose+bud");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_page_shows_already_is_told_wherever_it_went() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let gone = app.submit(json!({})).await;
    assert_eq!(app.work(completed()).await, 1);
    let here = app.submit(json!({})).await;
    let path = "/ops/t/acme/jobs?state=available";
    let (_, page) = ann.page(path).await;
    assert!(!page.contains(&gone) && !page.contains("jobs-shown"), "{page}");
    let (_, page) = ann.page(&format!("{path}&shown={here}+{gone}+{}", jobs::JobId::new())).await;
    let (list, beside) = page.split_once("id=\"jobs-shown\" hidden").expect("it is told");
    assert!(list.contains(&here) && !list.contains(&gone), "the list is as before: {page}");
    assert!(beside.contains(&gone) && beside.contains("completed") && !beside.contains(&here), "{page}");
    let many = [here.as_str(); 51].join("+");
    for wrong in ["x", &many] {
        assert_eq!(ann.page(&format!("{path}&shown={wrong}")).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_shown_by_the_clocks_that_somebody_chose() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, true)]).await;
    let job = app.submit(json!({})).await;
    let path = format!("/ops/t/acme/jobs/{job}");
    assert!(ann.page(&path).await.1.contains(" UTC\">"), "UTC unless somebody chose");
    assert!(ann.page("/ops/time-zone").await.1.contains("<option value=\"Europe/Berlin\">"));
    let csrf = ann.csrf().await;
    let set = async |zone: &str, next: &str| {
        let form = [("zone", zone), ("next", next), ("csrf", csrf.as_str())];
        ann.request(Method::POST, "/ops/time-zone").form(&form).send().await.unwrap()
    };
    let answer = set("Europe/Berlin", &path).await;
    assert_eq!(
        (answer.status(), answer.headers()[header::LOCATION].to_str().unwrap()),
        (StatusCode::SEE_OTHER, &*path)
    );
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("crewline_zone=Europe/Berlin;") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    assert_eq!(set("Mars", "").await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(set("UTC", "https://evil.test").await.headers()[header::LOCATION], "/ops");

    let with = cookie.split(';').next().unwrap();
    let session = ann.cookie();
    let request = app.http.get(app.url(&path)).header(header::COOKIE, format!("{session}; {with}"));
    let page = request.send().await.unwrap().text().await.unwrap();
    assert!(page.contains(" Europe/Berlin\">") && !page.contains(" UTC\">"), "{page}");
    let list = app.http.get(app.url("/ops/t/acme/jobs")).header(header::COOKIE, format!("{session}; {with}"));
    let page = list.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("name=\"zone\" value=\"Europe/Berlin\""), "forms are read in it: {page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_reached_by_its_name() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let eve = Person::signed_in(&app, "eve", &[(None, UserRole::Viewer, false)]).await;
    let (_, page) = ann.page("/ops/t/acme/go").await;
    for place in [
        "/ops/t/acme/schedules",
        "/ops/t/acme/queues#media",
        "/ops/t/acme/jobs?kind=probe.work",
        "/docs#probe.work",
    ] {
        assert!(page.contains(&format!("href=\"{place}\"")), "{place}: {page}");
    }
    assert!(!page.contains("/ops/t/acme/audit"), "what one may not see is not named: {page}");
    assert!(page.contains("<kbd>Ctrl K</kbd>"));
    let (_, few) = ann.page("/ops/t/acme/go?to=PROBE+jobs").await;
    assert!(few.contains("jobs?kind=probe.work") && !few.contains("queues#media"), "{few}");
    let job = app.submit(json!({})).await;
    let to = ann.request(Method::GET, &format!("/ops/t/acme/go?to={job}")).send().await.unwrap();
    assert_eq!(to.headers()[header::LOCATION], format!("/ops/t/acme/jobs/{job}"));
    assert!(ann.page("/ops/t/acme/go?to=job_..%2Fx").await.1.contains("Nothing is called so"));
    assert!(eve.page("/ops/go").await.1.contains("href=\"/ops/t/acme\""));
    let script = app.http.get(app.url("/ops/steer.js")).send().await.unwrap();
    assert_eq!(script.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_line_of_time_has_every_run_and_errors_that_are_alike_stand_together() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, true)]).await;
    let endpoint = json!({"url": "https://example.com/hook", "event_types": ["job.*"]});
    assert_eq!(app.post("/v1/webhook-endpoints", &endpoint).await.status, StatusCode::CREATED);
    let job = app.submit(json!({})).await;
    let problem = jobs::failure::Problem::new("timeout", "the <printer> is out of paper");
    for _ in 0..2 {
        let claimed = app.claim().await.remove(0);
        let line = |level, message: &str| (claimed.clone(), Said::Line { level, message: message.into() });
        say(&app.worker, &[line(Level::Info, "all well"), line(Level::Warn, "Paper is 50% low")])
            .await
            .unwrap();
        let settled = store::verdict::Settle::of(
            &claimed,
            Verdict::Retried { problem: problem.clone(), delay: std::time::Duration::ZERO },
        );
        store::settle::settle(&app.worker, &[settled], &[claimed.lease]).await.unwrap();
        app.execute("update job set scheduled_at = now(), pos = nextval('job_pos') where pos is null").await;
    }
    let path = format!("/ops/t/acme/jobs/{job}");
    let (_, page) = ann.page(&path).await;
    assert!(page.contains("queued, and waits") && page.contains("fencing number"), "{page}");
    assert!(page.contains("What went wrong") && page.contains("<td class=\"number\">2</td>"), "{page}");
    assert_eq!(page.matches("all well").count(), 2);
    let (_, some) = ann.page(&format!("{path}?lines=50%25+LOW")).await;
    assert!(some.contains("Paper is 50% low") && !some.contains("all well"), "{some}");
    assert!(ann.page(&format!("{path}?lines=warn")).await.1.contains("Paper is 50% low"));
    assert!(ann.page(&format!("{path}?lines=x_y")).await.1.contains("No line fits"));
    assert_eq!(ann.page(&format!("{path}?lines=%00")).await.0, StatusCode::BAD_REQUEST);

    assert_eq!(app.work(completed()).await, 1);
    store::outbox::fan_out(&app.worker, |_, _| true).await.unwrap();
    let (_, page) = ann.page(&path).await;
    assert!(page.contains("accepted, for default") && page.contains("webhook to"), "{page}");
    assert!(page.contains("https://example.com/hook") && page.contains("Copy as curl"), "{page}");
    assert!(page.contains("attempt 3 released to wrk_test"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_operation_is_held_let_go_on_and_taken_back() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    let mut submitted = Vec::new();
    for _ in 0..3 {
        submitted.push(app.submit(json!({})).await);
    }
    let form = [("action", "cancel"), ("states", "available"), ("count", "3"), ("key", "k-1")];
    let (_, path) = ann.post("/ops/t/acme/bulk", &form).await;
    let act = async |what: &str| ann.post(&format!("{path}/{what}"), &[("key", "k-2")]).await;
    assert!(ann.page(&path).await.1.contains("/pause\""));
    assert_eq!(act("pause").await.0, StatusCode::SEE_OTHER);
    assert!(store::bulk::step(&app.worker).await.unwrap().is_none(), "nobody goes on with it");
    let (_, page) = ann.page(&path).await;
    assert!(page.contains("■") && page.contains("/resume\"") && page.contains("ann@acme.test"), "{page}");
    assert_eq!(act("undo").await.0, StatusCode::CONFLICT, "it has not ended");
    assert_eq!(act("resume").await.0, StatusCode::SEE_OTHER);
    while store::bulk::step(&app.worker).await.unwrap().is_some() {}
    let log = log(&app, app.tenant).await;
    let paused = log.iter().position(|said| said["action"] == "bulk.pause").unwrap();
    assert_eq!(
        (&log[paused]["before"]["state"], &log[paused + 1]["after"]["state"]),
        (&json!("running"), &json!("paused"))
    );

    let (_, page) = ann.page(&path).await;
    assert!(page.contains("Undo") && !page.contains("/pause\""), "{page}");
    let (status, back) = act("undo").await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{back}");
    assert_eq!(act("undo").await.1, back, "pressed twice is done once");
    app.execute("update bulk_operation set rest_until = '-infinity'").await;
    while store::bulk::step(&app.worker).await.unwrap().is_some() {}
    for job in submitted {
        assert_eq!(app.get(&format!("/v1/jobs/{job}")).await.body["state"], "available");
    }
    let (_, page) = ann.page(&back).await;
    assert!(page.contains("Takes back") && page.contains("It cannot be undone"), "{page}");
    let retried =
        app.post(&format!("/v1/bulk-operations/{}/undo", back.rsplit('/').next().unwrap()), &json!({})).await;
    retried.problem(409, "too_late");
}
