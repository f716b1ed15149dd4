//! Messages: told once, whoever decides at the same moment, and however late the truth comes.

use chrono::{TimeDelta, Utc};
use jobs::{
    Category, Channel, ContactPointId, JobId, MessageId, PartyId, TenantId, kinds::notify_send::NotifySend,
};
use serde_json::json;
use store::{
    enqueue::{self, NewJob},
    messages::{
        self, Begun, ClosedDigest, Ended, Gathering, NewMessage, Overflow, Plan, Resolution, Resolved,
    },
    parties::{self, Terms},
    submit::Answer,
};

use crate::world::{World, done};

pub(crate) async fn somebody(world: &World) -> (PartyId, ContactPointId) {
    somebody_of(world, world.tenant).await
}

pub(crate) async fn somebody_of(world: &World, tenant: TenantId) -> (PartyId, ContactPointId) {
    let (party, inbox) = (PartyId::new(), ContactPointId::new());
    let terms = Terms { name: "Ada".into(), locale: "en".into(), timezone: None, quiet: None };
    let noted = |_| Answer::of(201, None, &());
    parties::create(&world.api, tenant, party, &terms, (inbox, [7; 32]), None, noted).await.unwrap();
    (party, inbox)
}

pub(crate) fn new(to: (PartyId, ContactPointId), dedupe: &str) -> NewMessage {
    NewMessage {
        id: MessageId::new(),
        party: to.0,
        contact: Some(to.1),
        channel: Channel::Email,
        category: Category::Social,
        template: ("x".into(), 0, "en".into()),
        subject: None,
        subject_at: None,
        content_sha256: "x".into(),
        dedupe: (dedupe.to_owned(), 3_600),
        state: "planned",
        decisions: json!([]),
        content: Some(json!({})),
        unless_read: false,
        scheduled_at: Utc::now(),
        gathering: None,
        overflow: None,
    }
}

/// Decides on one message; answers how many jobs follow.
pub(crate) async fn plan(world: &World, message: &NewMessage) -> usize {
    let plan =
        Plan { request: JobId::new(), subject: None, messages: vec![message.clone()], traceparent: None };
    let mut tx = world.worker.begin().await.unwrap();
    let jobs = messages::plan(&mut tx, world.tenant, &plan).await.unwrap();
    tx.commit().await.unwrap();
    jobs.len()
}

pub(crate) async fn state(world: &World, id: MessageId) -> String {
    messages::message(&world.api, world.tenant, id).await.unwrap().unwrap().state
}

pub(crate) async fn begin(world: &World, id: MessageId) -> Begun {
    messages::begin(&world.worker, world.tenant, id, JobId::new(), "smtp").await.unwrap()
}

pub(crate) async fn end(world: &World, id: MessageId, number: i16, ended: Ended) {
    messages::end(&world.worker, world.tenant, id, number, &ended).await.unwrap();
}

#[tokio::test]
async fn of_two_who_decide_at_once_one_tells() {
    let world = World::new().await;
    let to = somebody(&world).await;
    let messages: Vec<NewMessage> = (0..8).map(|_| new(to, "same")).collect();
    let jobs = futures::future::join_all(messages.iter().map(|message| plan(&world, message))).await;
    assert_eq!(jobs.iter().sum::<usize>(), 1, "one job sends");
    let mut states = Vec::new();
    for message in &messages {
        states.push(state(&world, message.id).await);
    }
    states.sort();
    assert_eq!(
        (states[0].as_str(), states.iter().filter(|state| *state == "skipped").count()),
        ("planned", 7)
    );
    assert_eq!(plan(&world, &new(to, "other")).await, 1);
}

#[tokio::test]
async fn of_many_who_decide_at_once_no_more_tell_than_is_enough() {
    let world = World::new().await;
    let to = somebody(&world).await;
    let gathering = Gathering { thread: String::new(), closes_at: Utc::now() + TimeDelta::hours(1) };
    let overflow = Overflow { most: 3, seconds: 3_600, gathering, content: json!({"title": "x"}) };
    let messages: Vec<NewMessage> = (0..8)
        .map(|number| NewMessage { overflow: Some(overflow.clone()), ..new(to, &number.to_string()) })
        .collect();
    let jobs = futures::future::join_all(messages.iter().map(|message| plan(&world, message))).await;
    assert_eq!(jobs.iter().sum::<usize>(), 4, "three are sent, and one digest gathers the rest");
    let mut gathered = 0;
    for message in &messages {
        let found = messages::message(&world.api, world.tenant, message.id).await.unwrap().unwrap();
        if found.state == "gathered" {
            gathered += 1;
            assert!(found.digest().is_some() && found.content.unwrap().0 == json!({"title": "x"}));
        }
    }
    assert_eq!(gathered, 5);
}

#[tokio::test]
async fn what_was_begun_is_not_begun_again() {
    let world = World::new().await;
    let id = new(somebody(&world).await, "x");
    plan(&world, &id).await;
    let id = id.id;
    assert_eq!(begin(&world, id).await, Begun::Go(1));
    assert!(matches!(begin(&world, id).await, Begun::Broken { number: 1, .. }));
    end(&world, id, 1, Ended::Refused("later".into())).await;
    assert_eq!((state(&world, id).await.as_str(), begin(&world, id).await), ("planned", Begun::Go(2)));
    end(&world, id, 2, Ended::Done(Some("sid".into()))).await;
    assert_eq!(begin(&world, id).await, Begun::Already("sent".into()));
    let names = ["sid".to_owned(), "other".to_owned()];
    let known = async |provider| messages::attributed(&world.worker, provider, &names).await.unwrap();
    assert_eq!((known("smtp").await, known("twilio").await), (vec!["sid".to_owned()], Vec::new()));
    assert_eq!(begin(&world, MessageId::new()).await, Begun::NoMessage);
}

#[tokio::test]
async fn of_those_to_one_address_that_broke_off_the_first_is_asked_about_first() {
    const LASTS_S: u32 = 60;
    let world = World::new().await;
    let (to, another) = (somebody(&world).await, somebody(&world).await);
    let all = [new(to, "first"), new(to, "second"), new(another, "third")];
    world.database.execute("update contact_point set address = id::text").await.unwrap();
    let mut begun = Vec::new();
    for message in &all {
        plan(&world, message).await;
        assert_eq!(begin(&world, message.id).await, Begun::Go(1));
        let Begun::Broken { begun_at, .. } = begin(&world, message.id).await else { unreachable!() };
        begun.push(begun_at);
    }
    let disputed = async |provider: &str, ago: TimeDelta| {
        let mut disputed = Vec::new();
        for (message, begun_at) in all.iter().zip(&begun) {
            let asked = messages::is_disputed(&world.worker, provider, message.id, *begun_at - ago, LASTS_S);
            disputed.push(asked.await.unwrap());
        }
        disputed
    };
    // The other may still be handed over at this moment, and be named by the provider before it is here.
    assert_eq!(disputed("smtp", TimeDelta::zero()).await, [true, true, false]);
    assert_eq!(disputed("twilio", TimeDelta::zero()).await, [false; 3]);
    let ago = TimeDelta::minutes(2);
    world.database.execute("update effect set begun_at = begun_at - interval '2 minutes'").await.unwrap();
    assert_eq!(disputed("smtp", ago).await, [false, true, false]);
    end(&world, all[0].id, 1, Ended::Done(None)).await;
    assert_eq!(disputed("smtp", ago).await, [false; 3]);
}

#[tokio::test]
async fn a_late_truth_counts_until_a_person_has_spoken() {
    let world = World::new().await;
    let to = somebody(&world).await;
    let [late, resolved] = [new(to, "late"), new(to, "resolved")];
    for message in [&late, &resolved] {
        plan(&world, message).await;
        assert_eq!(begin(&world, message.id).await, Begun::Go(1));
        end(&world, message.id, 1, Ended::Unknown("the worker stopped".into())).await;
        assert_eq!(state(&world, message.id).await, "unknown");
    }
    // A worker that stood still wakes up and says what it knows.
    end(&world, late.id, 1, Ended::Done(None)).await;
    assert_eq!(state(&world, late.id).await, "sent");
    let resolve = async |id| {
        messages::resolve(&world.api, world.tenant, id, Resolution::GiveUp, "key_1").await.unwrap()
    };
    assert_eq!(resolve(late.id).await, Resolved::NotUnknown);
    assert_eq!(resolve(resolved.id).await, Resolved::Done);
    end(&world, resolved.id, 1, Ended::Done(None)).await;
    assert_eq!(state(&world, resolved.id).await, "failed", "the person's word stands");
    let stranger = world.tenant("other").await;
    let theirs = messages::resolve(&world.api, stranger, late.id, Resolution::Sent, "key_2").await.unwrap();
    assert_eq!(theirs, Resolved::NoMessage);
}

#[tokio::test]
async fn a_message_is_not_sent_again_before_the_job_that_sent_it_has_ended() {
    let world = World::new().await;
    let message = new(somebody(&world).await, "x");
    plan(&world, &message).await;
    let job = world.enqueue(NewJob::of(&NotifySend { message: message.id }).unwrap()).await;
    let claimed = world.claim_one().await;
    assert_eq!(begin(&world, message.id).await, Begun::Go(1));
    end(&world, message.id, 1, Ended::Unknown("the line broke".into())).await;
    let send_again = async || {
        let again = Resolution::SendAgain;
        messages::resolve(&world.api, world.tenant, message.id, again, "key_1").await.unwrap()
    };
    assert_eq!(send_again().await, Resolved::StillHeld(job));
    assert_eq!(state(&world, message.id).await, "unknown", "nothing is changed");
    assert!(world.settle(&claimed, done()).await);
    assert_eq!(send_again().await, Resolved::Done);
    assert_eq!(state(&world, message.id).await, "planned");
    assert_ne!(world.claim_one().await.id, job, "by a job of its own");
}

#[tokio::test]
async fn a_message_whose_job_has_ended_does_not_wait_for_ever() {
    let world = World::new().await;
    let to = somebody(&world).await;
    let due =
        |dedupe: &str| NewMessage { scheduled_at: Utc::now() - TimeDelta::minutes(1), ..new(to, dedupe) };
    let (planned, begun, sent_soon, not_yet) =
        (due("planned"), due("begun"), due("soon"), new(to, "not yet"));
    for message in [&planned, &begun, &sent_soon, &not_yet] {
        plan(&world, message).await;
    }
    assert!(matches!(begin(&world, begun.id).await, Begun::Go(1)));
    let mut tx = world.api.tenant(world.tenant).await.unwrap();
    let job = NewJob::of(&NotifySend { message: sent_soon.id }).unwrap();
    enqueue::insert(&world.api, &mut tx, world.tenant, &[job]).await.unwrap();
    tx.commit().await.unwrap();

    let round = messages::settle_stranded(&world.worker, None).await.unwrap();
    assert_eq!((round.failed, round.unknown, round.next), (1, 1, None));
    let mut states = Vec::new();
    for message in [&planned, &begun, &sent_soon, &not_yet] {
        states.push(state(&world, message.id).await);
    }
    assert_eq!(states, ["failed", "unknown", "planned", "planned"]);
    // What is found out later counts all the same.
    end(&world, begun.id, 1, Ended::Done(None)).await;
    assert_eq!(state(&world, begun.id).await, "sent");
    let again = messages::settle_stranded(&world.worker, None).await.unwrap();
    assert_eq!((again.failed, again.unknown), (0, 0));
}

#[tokio::test]
async fn an_address_without_anybody_gets_nothing_any_more() {
    let world = World::new().await;
    let to = somebody(&world).await;
    let message = new(to, "x");
    plan(&world, &message).await;
    begin(&world, message.id).await;
    end(&world, message.id, 1, Ended::Nobody("550 5.1.1".into(), to.1)).await;
    let contacts = parties::contacts(&world.api, world.tenant, to.0).await.unwrap();
    assert_eq!(contacts[0].suppression.as_deref(), Some("hard_bounce"));
}

#[tokio::test]
async fn what_comes_while_a_digest_closes_is_told_in_the_next() {
    let world = World::new().await;
    let to = somebody(&world).await;
    let gathered = |dedupe: &str| NewMessage {
        state: "gathered",
        gathering: Some(Gathering { thread: String::new(), closes_at: Utc::now() + TimeDelta::minutes(5) }),
        ..new(to, dedupe)
    };
    assert_eq!(plan(&world, &gathered("one")).await, 1, "the first opens the digest");
    assert_eq!(plan(&world, &gathered("two")).await, 0, "the second joins it");
    let first = messages::list(&world.api, world.tenant, &messages::Filter::default(), 10).await.unwrap();
    let digest = first[0].digest().unwrap();
    let (_, read) = messages::digest(&world.worker, world.tenant, digest).await.unwrap().unwrap();
    let told = read.iter().map(messages::Message::id).collect();
    // It comes after the digest was read, and before it is closed.
    let late = gathered("three");
    assert_eq!(plan(&world, &late).await, 0);
    let closed = ClosedDigest {
        digest,
        job: JobId::new(),
        told,
        dropped: Vec::new(),
        message: Some(new(to, "digest")),
    };
    for jobs in [2, 0] {
        let mut tx = world.worker.begin().await.unwrap();
        let follow = messages::close(&mut tx, world.tenant, &closed).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(follow.len(), jobs, "its message and the next digest, once");
    }
    let late = messages::message(&world.api, world.tenant, late.id).await.unwrap().unwrap();
    assert!(late.digest().is_some_and(|next| next != digest) && late.state == "gathered", "{late:?}");
}
