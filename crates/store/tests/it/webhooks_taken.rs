//! Taking a webhook in: its row and its job are there together or not at all, whatever fails between them and whoever else brings
//! the same at that moment.

use futures::future::join_all;
use jobs::{WebhookEventId, WebhookSourceId};
use serde_json::json;
use store::{
    inbox::{self, NewEvent, NewSource, Received},
    submit::Answer,
};

use crate::world::World;

/// How many bring it at once.
const AT_ONCE: usize = 8;

async fn source(world: &World) -> WebhookSourceId {
    let new = NewSource {
        id: WebhookSourceId::new(),
        name: "x".into(),
        scheme: json!({"type": "stripe"}),
        window_s: 300,
        feedback: None,
        feedback_topic: None,
        order_pointer: None,
        sequence_pointer: None,
        secret: Some("rosebud".into()),
        by: "test".into(),
    };
    let answer = |_: &inbox::Source| Answer { status: 201, location: None, body: "{}".into() };
    inbox::create(&world.api, world.tenant, &new, 10, None, answer).await.unwrap();
    new.id
}

fn event(source: WebhookSourceId, id: &str) -> NewEvent {
    NewEvent {
        source,
        event_id: id.to_owned(),
        event_type: "x".to_owned(),
        object: None,
        sequence: None,
        headers: json!({}),
        body: b"{}".to_vec(),
        traceparent: None,
    }
}

/// Has the first job that is inserted fail after a moment, in which others come as far as its row.
async fn the_first_job_fails(world: &World) {
    for sql in [
        "create sequence jobs_tried",
        "create function first_fails() returns trigger language plpgsql security definer as $$
         begin
             if nextval('jobs_tried') = 1 then
                 perform pg_sleep(0.3);
                 raise exception 'the disk is full';
             end if;
             return new;
         end $$",
        "create trigger first_fails before insert on job for each row execute function first_fails()",
    ] {
        world.database.execute(sql).await.unwrap();
    }
}

/// Events, and jobs that look at one.
async fn kept(world: &World) -> (i64, i64) {
    let number = async |sql: &str| world.database.number(sql).await.unwrap();
    let jobs = "select count(*) from job j join webhook_event e on j.args ->> 'event' = 'whe_' || replace(e.id::text, '-', '')
        where j.kind = 'webhook.process'";
    (number("select count(*) from webhook_event").await, number(jobs).await)
}

#[tokio::test]
async fn what_fails_between_the_row_and_its_job_keeps_neither_and_may_come_again() {
    let world = World::new().await;
    let source = source(&world).await;
    the_first_job_fails(&world).await;
    let take = async || inbox::take(&world.api, world.tenant, event(source, "evt_1")).await;
    assert!(take().await.is_err());
    assert_eq!(kept(&world).await, (0, 0));
    let Received::New(id) = take().await.unwrap() else { unreachable!("nothing was kept") };
    assert_eq!(take().await.unwrap(), Received::Before(id));
    assert_eq!(kept(&world).await, (1, 1));
}

#[tokio::test]
async fn of_those_who_bring_the_same_at_once_one_is_first_though_another_fails() {
    let world = World::new().await;
    let source = source(&world).await;
    the_first_job_fails(&world).await;
    let takes = (0..AT_ONCE).map(|_| inbox::take(&world.api, world.tenant, event(source, "evt_1")));
    let (mut first, mut before, mut failed) = (Vec::<WebhookEventId>::new(), Vec::new(), 0);
    for received in join_all(takes).await {
        match received {
            Ok(Received::New(id)) => first.push(id),
            Ok(Received::Before(id)) => before.push(id),
            Err(_) => failed += 1,
        }
    }
    assert_eq!((first.len(), failed), (1, 1));
    assert_eq!(before, vec![first[0]; AT_ONCE - 2]);
    assert_eq!(kept(&world).await, (1, 1));
}
