//! Text messages and chats, by a server that answers as Twilio and Slack document.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use chrono::{TimeDelta, Utc};
use clap::ValueEnum;
use jobs::{Channel, State as JobState, kinds::notify_plan::NotifyPlan};
use serde_json::{Value, json};
use store::{
    enqueue::NewJob,
    messages::{self, Filter, Message},
    parties::{self, Word},
};
use testkit::{Text, TwilioServer, eventually};
use workers::faults::Point;

use crate::{
    outbound::{becomes, planned, reached, reminder, tries},
    world::{SOON, Worker, World},
};

type Lines = Arc<Mutex<Vec<Value>>>;

/// A carrier of text messages, and a chat.
pub(crate) struct Carriers {
    twilio: TwilioServer,
    /// Where the chat is.
    chat: String,
    lines: Lines,
}

impl Carriers {
    pub(crate) fn texts(&self) -> Vec<Text> {
        self.twilio.texts()
    }

    fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }
}

async fn line(State(lines): State<Lines>, Json(line): Json<Value>) -> &'static str {
    lines.lock().unwrap().push(line);
    "ok"
}

pub(crate) async fn serve() -> Carriers {
    let lines = Lines::default();
    let router = Router::new()
        .route("/services/room", post(line))
        .route("/services/gone", post(async || (StatusCode::NOT_FOUND, "no_service")))
        .with_state(lines.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let chat = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Carriers { twilio: TwilioServer::start().await.unwrap(), chat, lines }
}

pub(crate) fn start(world: &World, carriers: &Carriers, more: &[&str]) -> Worker {
    let twilio = carriers.twilio.url();
    let account = ["--twilio-account", "AC1", "--twilio-token", "token", "--twilio-from", "+15005550006"];
    let urls = ["--twilio-url", &twilio, "--chat-origins", &carriers.chat];
    world.start(&[&account[..], &urls, more].concat())
}

#[tokio::test]
async fn a_text_message_and_a_line_in_a_chat_arrive() {
    let (world, carriers) = (World::new().await, serve().await);
    let _worker = start(&world, &carriers, &[]);
    let party = reached(&world, Channel::Sms, "+4366012345").await;
    let id = planned(&world, &reminder(party, Channel::Sms)).await[0];
    assert_eq!(becomes(&world, id, &["sent"]).await.provider_id.as_deref(), Some("SM1"));
    let texts = carriers.texts();
    assert_eq!(
        (texts.len(), texts[0].to.as_str(), texts[0].from.as_str()),
        (1, "+4366012345", "+15005550006")
    );
    assert_eq!(texts[0].body, "Erinnerung: 12 Elm Street, Monday, 09:00.");

    let url = &carriers.chat;
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
    assert_eq!(carriers.lines(), [json!({"text": "Erinnerung: 12 Elm Street, Monday, 09:00."})]);

    let nobody = reached(&world, Channel::Sms, "+4366010000").await;
    let id = planned(&world, &reminder(nobody, Channel::Sms)).await[0];
    becomes(&world, id, &["failed"]).await;
    let again = planned(&world, &reminder(nobody, Channel::Sms)).await[0];
    assert_eq!(becomes(&world, again, &["skipped"]).await.state, "skipped", "nobody is there");
}

/// Has `plan` sent by a worker that dies at `point`, and by another that comes long enough afterwards that the carrier's list
/// has it, if they ever had it; answers what became of it.
async fn taken_up(world: &World, carriers: &Carriers, plan: &NotifyPlan, point: Point) -> Message {
    taken_up_after(world, carriers, plan, point, async || {}).await
}

/// The same, where something happens in between.
async fn taken_up_after(
    world: &World,
    carriers: &Carriers,
    plan: &NotifyPlan,
    point: Point,
    happens: impl AsyncFnOnce(),
) -> Message {
    let name = point.to_possible_value().unwrap().get_name().to_owned();
    let doomed = start(world, carriers, &["--die-at", &name]);
    let job = world.enqueue(&[NewJob::of(plan).unwrap()]).await[0];
    eventually("the worker to die", SOON, || async { doomed.is_dead().then_some(()) }).await;
    happens().await;
    let before = "update effect set begun_at = begun_at - interval '2 minutes' where state = 'begun'";
    world.database.execute(before).await.unwrap();
    let _heir = start(world, carriers, &[]);
    world.reaches(job, JobState::Completed).await;
    let id = messages::list(&world.api, world.tenant, &Filter::default(), 1).await.unwrap()[0].id();
    becomes(world, id, &["sent", "unknown", "dropped"]).await
}

#[tokio::test]
async fn whoever_can_be_asked_is_asked_before_anything_is_sent_again() {
    for (point, tried) in [(Point::BeforeCall, "failed done"), (Point::AfterCall, "done")] {
        let (world, carriers) = (World::new().await, serve().await);
        let party = reached(&world, Channel::Sms, "+4366012345").await;
        let sent = taken_up(&world, &carriers, &reminder(party, Channel::Sms), point).await;
        assert_eq!((sent.state.as_str(), carriers.texts().len()), ("sent", 1), "{point:?}: told once");
        assert_eq!(tries(&world, sent.id()).await, tried, "{point:?}");
    }
}

#[tokio::test]
async fn an_equal_text_from_before_is_not_taken_for_one_that_broke_off() {
    let (world, carriers) = (World::new().await, serve().await);
    let party = reached(&world, Channel::Sms, "+4366012345").await;
    let plan = NotifyPlan { dedupe_s: Some(0), ..reminder(party, Channel::Sms) };
    let worker = start(&world, &carriers, &[]);
    let first = planned(&world, &plan).await[0];
    becomes(&world, first, &["sent"]).await;
    worker.kill();
    let second = taken_up(&world, &carriers, &plan, Point::BeforeCall).await;
    assert_eq!((second.state.as_str(), second.provider_id.as_deref()), ("sent", Some("SM2")));
    assert_eq!(carriers.texts().len(), 2, "each is told once");
}

#[tokio::test]
async fn of_two_equal_texts_that_broke_off_each_is_told_once() {
    let (world, carriers) = (World::new().await, serve().await);
    let party = reached(&world, Channel::Sms, "+4366012345").await;
    let plan = NotifyPlan { dedupe_s: Some(0), ..reminder(party, Channel::Sms) };
    // Of the first the carrier has heard, of the second it has not.
    for point in [Point::AfterCall, Point::BeforeCall] {
        let name = point.to_possible_value().unwrap().get_name().to_owned();
        let doomed = start(&world, &carriers, &["--die-at", &name]);
        world.enqueue(&[NewJob::of(&plan).unwrap()]).await;
        eventually("the worker to die", SOON, || async { doomed.is_dead().then_some(()) }).await;
    }
    for sql in [
        "update effect set begun_at = begun_at - interval '2 minutes' where state = 'begun'",
        "update job set scheduled_at = now() where kind = 'notify.send' and pos is null",
    ] {
        world.database.execute(sql).await.unwrap();
    }
    let _heir = start(&world, &carriers, &[]);
    let all = messages::list(&world.api, world.tenant, &Filter::default(), 10).await.unwrap();
    let mut names = Vec::new();
    for message in all.iter().rev() {
        names.extend(becomes(&world, message.id(), &["sent"]).await.provider_id);
    }
    assert_eq!((names, carriers.texts().len()), (vec!["SM1".to_owned(), "SM2".to_owned()], 2));
}

#[tokio::test]
async fn a_list_of_texts_is_read_to_its_end_before_it_says_that_one_is_missing() {
    const NUMBER: &str = "+4366012345";
    let (begun, an_hour_ago) = (TimeDelta::zero(), TimeDelta::hours(-1));
    for (point, others, created, state, told) in [
        // It is behind those that others of the account sent meanwhile.
        (Point::AfterCall, 450, begun, "sent", 1),
        // It is not there, and everything that is, is from before.
        (Point::BeforeCall, 450, an_hour_ago, "sent", 1),
        // One of those may be it.
        (Point::BeforeCall, 450, begun, "unknown", 0),
        // They have more than anybody reads.
        (Point::BeforeCall, 2_001, an_hour_ago, "unknown", 0),
        (Point::AfterCall, 2_001, begun, "unknown", 1),
    ] {
        let (world, carriers) = (World::new().await, serve().await);
        let party = reached(&world, Channel::Sms, NUMBER).await;
        let plan = reminder(party, Channel::Sms);
        let others = async || carriers.twilio.has(others, NUMBER, Utc::now() + created);
        let found = taken_up_after(&world, &carriers, &plan, point, others).await;
        let ours = carriers.texts().iter().filter(|text| text.body.contains("12 Elm Street")).count();
        assert_eq!((found.state.as_str(), ours), (state, told), "{point:?} {created}");
    }
}

#[tokio::test]
async fn whoever_answers_stop_while_a_text_is_under_way_gets_that_one_at_most() {
    for (point, state, texts) in [(Point::BeforeCall, "dropped", 0), (Point::AfterCall, "sent", 1)] {
        let (world, carriers) = (World::new().await, serve().await);
        let party = reached(&world, Channel::Sms, "+4366012345").await;
        let plan = reminder(party, Channel::Sms);
        let stops = async || {
            let contacts = parties::contacts(&world.api, world.tenant, party).await.unwrap();
            let phone = contacts.iter().find(|one| !one.address.is_empty()).unwrap().id();
            let stop = Word::Suppressed("stop");
            assert!(parties::say(&world.api, world.tenant, phone, stop, "a test").await.unwrap());
        };
        let message = taken_up_after(&world, &carriers, &plan, point, stops).await;
        assert_eq!((message.state.as_str(), carriers.texts().len()), (state, texts), "{point:?}");
        let next = NotifyPlan { dedupe_s: Some(0), ..plan };
        let _worker = start(&world, &carriers, &[]);
        let next = planned(&world, &next).await[0];
        assert_eq!(becomes(&world, next, &["skipped"]).await.state, "skipped");
        assert_eq!(carriers.texts().len(), texts, "{point:?}");
    }
}

#[tokio::test]
async fn a_text_that_the_carrier_wrote_anew_is_not_sent_again() {
    let (world, carriers) = (World::new().await, serve().await);
    let party = reached(&world, Channel::Sms, "+4366012777").await;
    let message = taken_up(&world, &carriers, &reminder(party, Channel::Sms), Point::AfterCall).await;
    assert_eq!((message.state.as_str(), carriers.texts().len()), ("unknown", 1));
}

#[tokio::test]
async fn whoever_told_the_carrier_to_stop_is_left_alone() {
    let (world, carriers) = (World::new().await, serve().await);
    let _worker = start(&world, &carriers, &[]);
    let party = reached(&world, Channel::Sms, "+4366012610").await;
    let id = planned(&world, &reminder(party, Channel::Sms)).await[0];
    becomes(&world, id, &["failed"]).await;
    let contacts = parties::contacts(&world.api, world.tenant, party).await.unwrap();
    assert!(contacts.iter().any(|one| one.suppression.as_deref() == Some("stop")), "{contacts:?}");
    let again = planned(&world, &reminder(party, Channel::Sms)).await[0];
    assert_eq!(becomes(&world, again, &["skipped"]).await.state, "skipped");
    assert!(carriers.texts().is_empty());
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_left_alone_and_that_takes_no_attempt() {
    let (world, carriers) = (World::new().await, serve().await);
    let _worker = start(&world, &carriers, &[]);
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
    let party = reached(&world, Channel::Chat, &format!("{}/services/room", carriers.chat)).await;
    let line = planned(&world, &reminder(party, Channel::Chat)).await[0];
    becomes(&world, line, &["sent"]).await;
    assert!(carriers.texts().is_empty());
    assert_eq!(tries(&world, waits).await, "", "nothing was begun");
}
