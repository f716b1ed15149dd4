//! Webhooks on the dashboard: what was told, found by what the address says, and told once more; times by the clocks of whoever looks.

use api::UserRole;
use chrono::{DateTime, Utc};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::{
    app::{TestApp, completed},
    ops::{Form, Person, log},
};

async fn endpoint(app: &TestApp, url: &str) -> String {
    let made = app.post("/v1/webhook-endpoints", &json!({"url": url, "event_types": ["none"]})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.body["id"].as_str().unwrap().to_owned()
}

/// Tells `endpoint` of `types`, each an hour after the one before; the last of them now.
async fn told(app: &TestApp, endpoint: &str, types: &[&str]) {
    for (nth, event_type) in types.iter().enumerate() {
        let sent = app.post(&format!("/v1/webhook-endpoints/{endpoint}/test"), &json!({})).await;
        assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text);
        let hours = types.len() - 1 - nth;
        app.execute(&format!(
            "update webhook_message set type = '{event_type}', created_at = now() - interval '{hours} hours'
             where type = 'webhook_endpoint.test'"
        ))
        .await;
        assert_eq!(app.work(completed()).await, 1, "whatever told it has ended");
    }
    app.execute("update webhook_delivery set state = 'failed'").await;
}

fn rows(page: &str) -> usize {
    page.split_once("<tbody>").map_or(0, |(_, rows)| rows.matches("<tr>").count())
}

async fn types(app: &TestApp, state: &str) -> Vec<String> {
    let sql = format!(
        "select coalesce(json_agg(m.type order by m.id), '[]') from webhook_delivery d
         join webhook_message m on m.id = d.message_id where d.state = '{state}'"
    );
    let found: Value = app.json(&sql).await;
    serde_json::from_value(found).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_is_found_by_endpoint_state_type_and_time() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let one = endpoint(&app, "https://one.example.com/hook").await;
    let two = endpoint(&app, "https://two.example.com/hook").await;
    told(&app, &one, &["a", "b"]).await;
    told(&app, &two, &["b"]).await;
    app.execute("update webhook_delivery set state = 'delivered' where id = (select max(id::text)::uuid from webhook_delivery)").await;
    let all = "/ops/t/acme/webhooks/out";
    let found = async |query: &str| {
        let (status, page) = ann.page(&format!("{all}?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query}: {page}");
        rows(&page)
    };
    let ago = |minutes: i64| (Utc::now() - chrono::TimeDelta::minutes(minutes)).format("%Y-%m-%dT%H:%M");
    let (half_an_hour, soon) = (ago(30), ago(-5));
    for (query, count) in [
        (String::new(), 3),
        (format!("endpoint={one}"), 2),
        ("state=failed".to_owned(), 2),
        ("state=failed&event_type=b".to_owned(), 1),
        (format!("since={half_an_hour}&until={soon}"), 2),
        (format!("until={half_an_hour}"), 1),
        // By clocks in Kolkata that was hours ago.
        (format!("since={half_an_hour}&zone=Asia/Kolkata"), 3),
    ] {
        assert_eq!(found(&query).await, count, "{query}");
    }
    let (_, page) = ann.page(&format!("{all}?endpoint={one}&state=failed&since={half_an_hour}")).await;
    assert!(
        page.contains(&format!("value=\"{one}\" selected")),
        "the form shows what the address says: {page}"
    );
    assert!(page.contains(&format!("name=\"since\" value=\"{half_an_hour}\"")), "{page}");
    let (_, page) = ann.page(&format!("{all}/{one}?event_type=a")).await;
    assert_eq!(rows(&page), 1);
    assert!(!page.contains("/recover\""), "a viewer is offered nothing to do: {page}");
    for wrong in
        ["state=told", "endpoint=x", "event_type=%00", "since=soon", "zone=Mars&since=2026-01-01T00:00"]
    {
        assert!(ann.page(&format!("{all}?{wrong}")).await.0.is_client_error(), "{wrong}");
    }
    let listed = async |query: &str| {
        let path = format!("/v1/webhook-endpoints/{one}/deliveries?{query}");
        app.get(&path).await.body["deliveries"].as_array().unwrap().len()
    };
    assert_eq!(listed("event_type=a").await, 1);
    let since = (Utc::now() - chrono::TimeDelta::minutes(30)).format("%Y-%m-%dT%H:%M:%SZ");
    assert_eq!((listed(&format!("since={since}")).await, listed(&format!("until={since}")).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fits_is_told_once_more() {
    let app = TestApp::start().await;
    let one = endpoint(&app, "https://one.example.com/hook").await;
    told(&app, &one, &["a", "b", "c"]).await;
    let path = format!("/v1/webhook-endpoints/{one}/recover");
    let since = (Utc::now() - chrono::TimeDelta::minutes(90)).to_rfc3339();
    let until = (Utc::now() - chrono::TimeDelta::minutes(30)).to_rfc3339();
    let range = json!({"since": since, "until": until});
    let answer = app.post(&path, &range).await;
    assert_eq!((answer.status, &answer.body), (StatusCode::ACCEPTED, &json!({"messages": 1, "next": null})));
    assert_eq!(types(&app, "pending").await, ["b"]);
    assert_eq!(app.post(&path, &range).await.body["messages"], 0, "it is on its way");
    assert_eq!(app.work(completed()).await, 1);
    app.execute("update webhook_delivery set state = 'delivered' where state = 'pending'").await;
    let delivered = json!({"since": "2020-01-01T00:00:00Z", "state": "delivered"});
    assert_eq!(app.post(&path, &delivered).await.body["messages"], 1);
    assert_eq!(types(&app, "pending").await, ["b"]);
    let typed = json!({"since": "2020-01-01T00:00:00Z", "event_type": "c"});
    assert_eq!(app.post(&path, &typed).await.body["messages"], 1);
    assert_eq!(types(&app, "failed").await, ["a"]);
    let pending = json!({"since": since, "state": "pending"});
    app.post(&path, &pending).await.problem(422, "invalid_body");
    let log = log(&app, app.tenant).await;
    let noted =
        log.iter().find(|said| said["action"] == "webhook.recover" && said["outcome"] == "done").unwrap();
    assert_eq!((&noted["target"], &noted["asked"]), (&json!(one), &range), "{noted}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_page_shows_is_told_once_more() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    let one = endpoint(&app, "https://one.example.com/hook").await;
    told(&app, &one, &["a", "b"]).await;
    let path = format!("/ops/t/acme/webhooks/out/{one}");
    let kolkata: schedule::Zone = "Asia/Kolkata".parse().unwrap();
    let since =
        kolkata.wall(Utc::now() - chrono::TimeDelta::minutes(30)).format("%Y-%m-%dT%H:%M").to_string();
    let (_, page) = ann.page(&format!("{path}?since={since}&zone=Asia/Kolkata")).await;
    assert!(rows(&page) == 1 && page.contains("Send again what was given up"), "{page}");
    let form = [("since", since.as_str()), ("zone", "Asia/Kolkata"), ("state", ""), ("after", "")];
    let (status, to) = ann.post(&format!("{path}/recover"), &form).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{to}");
    assert_eq!(types(&app, "pending").await, ["b"]);
    let (_, page) = ann.page(&to).await;
    assert!(page.contains("1 message is sent again."), "{page}");
    assert!(to.contains("zone=Asia%2FKolkata") && rows(&page) == 1, "the view is as before: {to}");
    assert_eq!(
        ann.post(&format!("{path}/recover"), &[("state", "pending")]).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let log = log(&app, app.tenant).await;
    assert!(
        log.iter().any(|said| said["action"] == "webhook.recover" && said["asked"]["since"] == json!(since))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_take_times_by_the_clocks_of_whoever_looks() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    let kolkata: schedule::Zone = "Asia/Kolkata".parse().unwrap();
    let cookie = format!("{}; crewline_zone=Asia/Kolkata", ann.cookie());
    let queues = app.http.get(app.url("/ops/t/acme/queues")).header(header::COOKIE, &cookie);
    let page = queues.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("name=\"zone\" value=\"Asia/Kolkata\"") && page.contains("Until<span"), "{page}");
    let at = Utc::now() + chrono::TimeDelta::hours(2);
    let until = kolkata.wall(at).format("%Y-%m-%dT%H:%M").to_string();
    let csrf = ann.csrf().await;
    let pause = async |zone: &str| {
        let form = [
            ("queue", "default"),
            ("reason", "x"),
            ("until", until.as_str()),
            ("zone", zone),
            ("csrf", &csrf),
        ];
        let post = app.http.post(app.url("/ops/t/acme/pauses")).header(header::COOKIE, &cookie);
        post.form(&form).send().await.unwrap().status()
    };
    // The form says which zone it means; one that says none is of the reader's.
    for zone in ["Asia/Kolkata", ""] {
        assert!(pause(zone).await.is_success(), "led on to the page");
        let ends: Value = app.json("select to_json(max(expires_at)) from pause").await;
        let ends: DateTime<Utc> = serde_json::from_value(ends).unwrap();
        assert!((ends - at).abs() < chrono::TimeDelta::minutes(1), "{zone}: {ends} {at}");
        app.execute("delete from pause").await;
    }
    assert_eq!(pause("Mars").await, StatusCode::UNPROCESSABLE_ENTITY);
    let made = crate::webhooks_in::source(&app, json!({})).await;
    let path = format!("/ops/t/acme/webhooks/in/{}", made["id"].as_str().unwrap());
    let form = [("since", "2026-07-01T10:30"), ("zone", "Asia/Kolkata"), ("event_type", "a&b")];
    let (status, to) = ann.post(&format!("{path}/replay"), &form).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{to}");
    assert!(to.contains("zone=Asia%2FKolkata") && to.contains("event_type=a%26b"), "{to}");
}
