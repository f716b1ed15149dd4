//! Text messages and chats, by a server that answers as Twilio and Slack document.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::{Form, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use clap::ValueEnum;
use jobs::{Channel, State as JobState, kinds::notify_plan::NotifyPlan};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{
    enqueue::NewJob,
    messages::{self, Filter, Message},
    parties,
};
use testkit::eventually;
use workers::faults::Point;

use crate::{
    outbound::{becomes, planned, reached, reminder, tries},
    world::{SOON, Worker, World},
};

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Text {
    to: String,
    from: String,
    body: String,
    pub(crate) status_callback: Option<String>,
}

/// What was taken in: text messages, and lines in the chat.
#[derive(Clone, Default)]
pub(crate) struct Taken(Arc<Mutex<(Vec<Text>, Vec<Value>)>>);

impl Taken {
    pub(crate) fn texts(&self) -> Vec<Text> {
        self.0.lock().unwrap().0.clone()
    }

    fn lines(&self) -> Vec<Value> {
        self.0.lock().unwrap().1.clone()
    }
}

async fn text(State(taken): State<Taken>, headers: HeaderMap, Form(text): Form<Text>) -> Response {
    assert_eq!(headers["authorization"], "Basic QUMxOnRva2Vu", "AC1:token");
    if text.to.ends_with("503") {
        return (StatusCode::SERVICE_UNAVAILABLE, "busy").into_response();
    }
    if text.to.ends_with("000") {
        let refusal = json!({"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400});
        return (StatusCode::BAD_REQUEST, Json(refusal)).into_response();
    }
    if text.to.ends_with("610") {
        let refusal =
            json!({"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400});
        return (StatusCode::BAD_REQUEST, Json(refusal)).into_response();
    }
    let mut taken = taken.0.lock().unwrap();
    taken.0.push(text);
    (StatusCode::CREATED, Json(json!({"sid": format!("SM{}", taken.0.len()), "status": "queued"})))
        .into_response()
}

async fn listed(State(taken): State<Taken>) -> Json<Value> {
    let created = chrono::Utc::now().to_rfc2822();
    let entry = |(index, text): (usize, &Text)| {
        // As carriers do that write links anew, or add how to stop.
        let body =
            if text.to.ends_with("777") { format!("{} Reply STOP", text.body) } else { text.body.clone() };
        json!({"sid": format!("SM{}", index + 1), "body": body, "to": text.to, "date_created": created})
    };
    let entries: Vec<Value> = taken.texts().iter().enumerate().map(entry).collect();
    Json(json!({"messages": entries, "next_page_uri": null}))
}

async fn line(State(taken): State<Taken>, Json(line): Json<Value>) -> &'static str {
    taken.0.lock().unwrap().1.push(line);
    "ok"
}

pub(crate) async fn serve() -> (String, Taken) {
    let taken = Taken::default();
    let router = Router::new()
        .route("/2010-04-01/Accounts/AC1/Messages.json", post(text).get(listed))
        .route("/services/room", post(line))
        .route("/services/gone", post(async || (StatusCode::NOT_FOUND, "no_service")))
        .with_state(taken.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, taken)
}

pub(crate) fn start(world: &World, url: &str, more: &[&str]) -> Worker {
    let account = ["--twilio-account", "AC1", "--twilio-token", "token", "--twilio-from", "+15005550006"];
    let urls = ["--twilio-url", url, "--chat-origins", url];
    world.start(&[&account[..], &urls, more].concat())
}

#[tokio::test]
async fn a_text_message_and_a_line_in_a_chat_arrive() {
    let (world, (url, taken)) = (World::new().await, serve().await);
    let _worker = start(&world, &url, &[]);
    let party = reached(&world, Channel::Sms, "+4366012345").await;
    let id = planned(&world, &reminder(party, Channel::Sms)).await[0];
    assert_eq!(becomes(&world, id, &["sent"]).await.provider_id.as_deref(), Some("SM1"));
    let texts = taken.texts();
    assert_eq!(
        (texts.len(), texts[0].to.as_str(), texts[0].from.as_str()),
        (1, "+4366012345", "+15005550006")
    );
    assert_eq!(texts[0].body, "Erinnerung: 12 Elm Street, Monday, 09:00.");

    for (address, state) in [
        (format!("{url}/services/room"), "sent"),
        (format!("{url}/services/gone"), "failed"),
        ("http://169.254.169.254/latest/meta-data".to_owned(), "failed"),
        (format!("{url}.evil.test/services/room"), "failed"),
    ] {
        let party = reached(&world, Channel::Chat, &address).await;
        let id = planned(&world, &reminder(party, Channel::Chat)).await[0];
        assert_eq!(becomes(&world, id, &["sent", "failed"]).await.state, state, "{address}");
    }
    assert_eq!(taken.lines(), [json!({"text": "Erinnerung: 12 Elm Street, Monday, 09:00."})]);

    let nobody = reached(&world, Channel::Sms, "+4366010000").await;
    let id = planned(&world, &reminder(nobody, Channel::Sms)).await[0];
    becomes(&world, id, &["failed"]).await;
    let again = planned(&world, &reminder(nobody, Channel::Sms)).await[0];
    assert_eq!(becomes(&world, again, &["skipped"]).await.state, "skipped", "nobody is there");
}

/// Has `plan` sent by a worker that dies at `point`, and by another that comes long enough afterwards that the carrier's list
/// has it, if they ever had it; answers what became of it.
async fn taken_up(world: &World, url: &str, plan: &NotifyPlan, point: Point) -> Message {
    let name = point.to_possible_value().unwrap().get_name().to_owned();
    let doomed = start(world, url, &["--die-at", &name]);
    let job = world.enqueue(&[NewJob::of(plan).unwrap()]).await[0];
    eventually("the worker to die", SOON, || async { doomed.is_dead().then_some(()) }).await;
    let before = "update effect set begun_at = begun_at - interval '2 minutes' where state = 'begun'";
    world.database.execute(before).await.unwrap();
    let _heir = start(world, url, &[]);
    world.reaches(job, JobState::Completed).await;
    let id = messages::list(&world.api, world.tenant, &Filter::default(), 1).await.unwrap()[0].id();
    becomes(world, id, &["sent", "unknown"]).await
}

#[tokio::test]
async fn whoever_can_be_asked_is_asked_before_anything_is_sent_again() {
    for (point, tried) in [(Point::BeforeCall, "failed done"), (Point::AfterCall, "done")] {
        let (world, (url, taken)) = (World::new().await, serve().await);
        let party = reached(&world, Channel::Sms, "+4366012345").await;
        let sent = taken_up(&world, &url, &reminder(party, Channel::Sms), point).await;
        assert_eq!((sent.state.as_str(), taken.texts().len()), ("sent", 1), "{point:?}: told once");
        assert_eq!(tries(&world, sent.id()).await, tried, "{point:?}");
    }
}

#[tokio::test]
async fn an_equal_text_from_before_is_not_taken_for_one_that_broke_off() {
    let (world, (url, taken)) = (World::new().await, serve().await);
    let party = reached(&world, Channel::Sms, "+4366012345").await;
    let plan = NotifyPlan { dedupe_s: Some(0), ..reminder(party, Channel::Sms) };
    let worker = start(&world, &url, &[]);
    let first = planned(&world, &plan).await[0];
    becomes(&world, first, &["sent"]).await;
    worker.kill();
    let second = taken_up(&world, &url, &plan, Point::BeforeCall).await;
    assert_eq!((second.state.as_str(), second.provider_id.as_deref()), ("sent", Some("SM2")));
    assert_eq!(taken.texts().len(), 2, "each is told once");
}

#[tokio::test]
async fn a_text_that_the_carrier_wrote_anew_is_not_sent_again() {
    let (world, (url, taken)) = (World::new().await, serve().await);
    let party = reached(&world, Channel::Sms, "+4366012777").await;
    let message = taken_up(&world, &url, &reminder(party, Channel::Sms), Point::AfterCall).await;
    assert_eq!((message.state.as_str(), taken.texts().len()), ("unknown", 1));
}

#[tokio::test]
async fn whoever_told_the_carrier_to_stop_is_left_alone() {
    let (world, (url, taken)) = (World::new().await, serve().await);
    let _worker = start(&world, &url, &[]);
    let party = reached(&world, Channel::Sms, "+4366012610").await;
    let id = planned(&world, &reminder(party, Channel::Sms)).await[0];
    becomes(&world, id, &["failed"]).await;
    let contacts = parties::contacts(&world.api, world.tenant, party).await.unwrap();
    assert!(contacts.iter().any(|one| one.suppression.as_deref() == Some("stop")), "{contacts:?}");
    let again = planned(&world, &reminder(party, Channel::Sms)).await[0];
    assert_eq!(becomes(&world, again, &["skipped"]).await.state, "skipped");
    assert!(taken.texts().is_empty());
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_left_alone_and_that_takes_no_attempt() {
    let (world, (url, taken)) = (World::new().await, serve().await);
    let _worker = start(&world, &url, &[]);
    for number in 1..=5 {
        let party = reached(&world, Channel::Sms, &format!("+43660{number}503")).await;
        planned(&world, &reminder(party, Channel::Sms)).await;
    }
    let said = |outcome: &str, code: &str| {
        format!("select count(*) from attempt where outcome = '{outcome}' and error ->> 'code' = '{code}'")
    };
    let (refused, snoozed) = (said("retried", "provider_refused"), said("snoozed", "provider_away"));
    eventually("the provider to be left alone", SOON, || async {
        (world.database.number(&snoozed).await.unwrap() > 0).then_some(())
    })
    .await;
    assert!(world.database.number(&refused).await.unwrap() >= 5);
    // One that it would take waits too; chats are another's.
    let party = reached(&world, Channel::Sms, "+4366012345").await;
    let waits = planned(&world, &reminder(party, Channel::Sms)).await[0];
    let of = format!(
        "select count(*) from attempt where outcome = 'snoozed' and kind = 'notify.send' and attempt = 1
             and job_id in (select id from job where unique_key like '%{waits}%')"
    );
    eventually("the next one to be snoozed", SOON, || async {
        (world.database.number(&of).await.unwrap() > 0).then_some(())
    })
    .await;
    let party = reached(&world, Channel::Chat, &format!("{url}/services/room")).await;
    let line = planned(&world, &reminder(party, Channel::Chat)).await[0];
    becomes(&world, line, &["sent"]).await;
    assert!(taken.texts().is_empty());
    assert_eq!(tries(&world, waits).await, "", "nothing was begun");
}
