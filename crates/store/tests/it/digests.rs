//! Digests that nobody closes: tried once more, then given up, and none waits for ever.

use chrono::{TimeDelta, Utc};
use jobs::{JobId, MessageId};
use store::{
    cancel,
    messages::{self, ClosedDigest, Gathering, NewMessage, Unclosed},
    parties,
};

use crate::{
    messages::{new, plan, somebody, state},
    world::{World, trouble},
};

/// A message that was to be told in a digest a minute ago.
fn late(to: (jobs::PartyId, jobs::ContactPointId), dedupe: &str) -> NewMessage {
    let closes_at = Utc::now() - TimeDelta::minutes(1);
    let gathering = Some(Gathering { thread: String::new(), closes_at });
    NewMessage { state: "gathered", gathering, scheduled_at: closes_at, ..new(to, dedupe) }
}

async fn round(world: &World) -> (u64, u64) {
    let Unclosed { retried, failed } = messages::settle_unclosed(&world.worker).await.unwrap();
    (retried, failed)
}

async fn is_open(world: &World, id: MessageId) -> bool {
    let message = messages::message(&world.api, world.tenant, id).await.unwrap().unwrap();
    let digest = message.digest().unwrap();
    let (digest, _) = messages::digest(&world.worker, world.tenant, digest).await.unwrap().unwrap();
    digest.closed_at.is_none()
}

#[tokio::test]
async fn a_digest_whose_job_has_ended_is_tried_once_more_and_then_given_up() {
    let world = World::new().await;
    let to = somebody(&world).await;
    let (one, two) = (late(to, "one"), late(to, "two"));
    plan(&world, &one).await;
    plan(&world, &two).await;
    assert_eq!(round(&world).await, (1, 0), "no job was there to close it");
    assert_eq!(round(&world).await, (0, 0), "its job may still close it");
    let job = world.database.json("select to_jsonb(id) from job").await.unwrap();
    let job = JobId::from_uuid(serde_json::from_value(job).unwrap());
    cancel::cancel(&world.api, world.tenant, job, &trouble()).await.unwrap();
    assert_eq!(state(&world, one.id).await, "gathered");
    assert_eq!(round(&world).await, (0, 2));
    assert_eq!((state(&world, one.id).await, is_open(&world, two.id).await), ("failed".to_owned(), false));
    // What comes later opens another.
    let three = late(to, "three");
    assert_eq!(plan(&world, &three).await, 1);
    assert!(is_open(&world, three.id).await);
}

#[tokio::test]
async fn what_gathers_for_an_address_goes_with_it() {
    let world = World::new().await;
    let to = somebody(&world).await;
    let message = late(to, "one");
    plan(&world, &message).await;
    let other = world.tenant("other").await;
    assert!(!parties::remove_contact(&world.api, other, to.1).await.unwrap());
    assert_eq!(state(&world, message.id).await, "gathered");
    assert!(parties::remove_contact(&world.api, world.tenant, to.1).await.unwrap());
    let dropped = messages::message(&world.api, world.tenant, message.id).await.unwrap().unwrap();
    assert_eq!(
        (dropped.state.as_str(), dropped.detail.as_deref()),
        ("dropped", Some("its address was removed"))
    );
}

#[tokio::test]
async fn a_digest_tells_a_hundred_and_leaves_the_rest_to_the_next() {
    let world = World::new().await;
    for (count, told, jobs) in [(1, 1, 1), (100, 100, 1), (101, 100, 2)] {
        let to = somebody(&world).await;
        let first = late(to, &format!("{count}/0"));
        plan(&world, &first).await;
        for number in 1..count {
            assert_eq!(plan(&world, &late(to, &format!("{count}/{number}"))).await, 0, "they join the first");
        }
        let id = messages::message(&world.api, world.tenant, first.id).await.unwrap().unwrap();
        let id = id.digest().unwrap();
        let (_, read) = messages::digest(&world.worker, world.tenant, id).await.unwrap().unwrap();
        assert_eq!(read.len(), told);
        let closed = ClosedDigest {
            digest: id,
            job: JobId::new(),
            told: read.iter().map(messages::Message::id).collect(),
            dropped: Vec::new(),
            message: Some(new(to, "digest")),
        };
        let mut tx = world.worker.begin().await.unwrap();
        let follow = messages::close(&mut tx, world.tenant, &closed).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(follow.len(), jobs, "of {count}: the message, and the next digest if there is one");
    }
}
