//! An inbox followed as it fills: lines, how many are unread, and coming back after a break.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    events::{Event, Events},
};

/// Puts a line into the inbox of `party`, as a worker does, and says so or not.
async fn line(app: &TestApp, party: &str, title: &str, is_told: bool) -> String {
    let id = jobs::MessageId::new();
    let (row, tenant) = (id.as_uuid(), app.tenant.as_uuid());
    let of = party.split_once('_').unwrap().1;
    let content = json!({"in_app": {"title": title, "body": "there", "url": null}});
    let told = if is_told { format!("select pg_notify('crewline_moved', '{party}')") } else { String::new() };
    app.execute(&format!(
        "insert into message (id, tenant_id, party_id, request_id, channel, category, template, template_version, locale,
             content_sha256, dedupe_key, state, decisions, content, scheduled_at, sent_at)
         values ('{row}', '{tenant}', '{of}', '{row}', 'in_app', 'operational', 'x', 0, 'en', 'x', 'x', 'sent', '[]',
             '{content}', now(), clock_timestamp());
         {told}"
    ))
    .await;
    id.to_string()
}

async fn party(app: &TestApp) -> String {
    let made = app.post("/v1/parties", &json!({"name": "Ada"})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.body["id"].as_str().unwrap().to_owned()
}

/// The next event that is called `name`.
async fn next(events: &mut Events, name: &str) -> Event {
    loop {
        let event = events.next().await.expect("the stream has ended");
        if event.name == name {
            return event;
        }
    }
}

#[tokio::test]
async fn an_inbox_is_followed_as_it_fills_and_is_read() {
    let app = TestApp::start().await;
    let mine = party(&app).await;
    let theirs = party(&app).await;
    let path = format!("/v1/inbox/events?party={mine}");
    let mut events = Events::open(&app, &path, None).await;
    assert_eq!(next(&mut events, "unread").await.data, json!({"unread": 0}));
    line(&app, &theirs, "not for me", true).await;
    let first = line(&app, &mine, "Hi", true).await;
    let came = next(&mut events, "line").await;
    assert_eq!((&came.data["id"], &came.data["title"]), (&json!(first), &json!("Hi")));
    assert_eq!(next(&mut events, "unread").await.data, json!({"unread": 1}));
    // A notice that is lost changes only how soon it is seen.
    let second = line(&app, &mine, "again", false).await;
    assert_eq!(next(&mut events, "line").await.data["id"], json!(second));
    assert_eq!(next(&mut events, "unread").await.data, json!({"unread": 2}));
    let read = app.request(Method::POST, &format!("/v1/inbox/{first}/read")).send().await.unwrap();
    assert_eq!(read.status(), StatusCode::NO_CONTENT);
    assert_eq!(next(&mut events, "unread").await.data, json!({"unread": 1}));
}

#[tokio::test]
async fn whoever_comes_back_misses_nothing() {
    let app = TestApp::start().await;
    let mine = party(&app).await;
    let path = format!("/v1/inbox/events?party={mine}");
    let mut events = Events::open(&app, &path, None).await;
    let last = next(&mut events, "unread").await.id;
    drop(events);
    let mut missed = Vec::new();
    for number in 0..3 {
        missed.push(Value::String(line(&app, &mine, &format!("{number}"), true).await));
    }
    let mut events = Events::open(&app, &path, Some(&last)).await;
    for missed in &missed {
        assert_eq!(&next(&mut events, "line").await.data["id"], missed);
    }
    assert_eq!(next(&mut events, "unread").await.data, json!({"unread": 3}));

    let nobody = jobs::PartyId::new();
    app.get(&format!("/v1/inbox/events?party={nobody}")).await.problem(404, "not_found");
    let request = app.request(Method::GET, &path).header("last-event-id", "soon");
    let refused = crate::app::Answer::of(request.send().await.unwrap()).await;
    refused.problem(400, "invalid_parameter");
}
