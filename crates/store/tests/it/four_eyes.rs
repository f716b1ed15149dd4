//! Operations that throw away many jobs and wait for a second person.

use jobs::State;
use store::bulk::{self, Action, Begun, Confirmation, OperationState, Steered};

use crate::{
    bulk::{in_states, wanted},
    world::World,
};

const BY: &str = "key_x";

#[tokio::test]
async fn what_throws_away_many_waits_for_somebody_else() {
    let world = World::new().await;
    world.many(3).await;
    bulk::want(&world.api, world.tenant, 2, "admin").await.unwrap();
    let discard = wanted(Action::Discard, in_states(&[State::Available]));
    let id = world.begin(&discard).await;
    assert_eq!(world.operation(id).await.state().unwrap(), OperationState::Waiting);
    assert!(bulk::step(&world.worker).await.unwrap().is_none(), "nobody does it");

    let other = world.tenant("other").await;
    let confirm = async |tenant, by| bulk::confirm(&world.api, tenant, id, by).await.unwrap();
    assert!(matches!(confirm(other, "ann@acme.test").await, Confirmation::NotFound));
    assert!(matches!(confirm(world.tenant, BY).await, Confirmation::SamePerson));
    assert_eq!(world.operation(id).await.state().unwrap(), OperationState::Waiting);
    assert!(matches!(confirm(world.tenant, "ann@acme.test").await, Confirmation::Now));
    assert!(matches!(confirm(world.tenant, "bob@acme.test").await, Confirmation::NotWaiting));
    assert_eq!(world.finish(id).await, [3, 3, 0, 0]);
    let done = world.operation(id).await;
    assert_eq!((done.confirmed_by.as_deref(), done.confirmed_at.is_some()), (Some("ann@acme.test"), true));
}

#[tokio::test]
async fn few_jobs_and_work_that_is_kept_need_nobody_else() {
    let world = World::new().await;
    world.many(2).await;
    bulk::want(&world.api, world.tenant, 2, "admin").await.unwrap();
    assert_eq!(world.apply(&wanted(Action::Discard, in_states(&[State::Available]))).await, [2, 2, 0, 0]);
    world.many(1).await;
    assert_eq!(world.apply(&wanted(Action::Retry, in_states(&[State::Discarded]))).await, [2, 2, 0, 0]);
    bulk::want(&world.api, world.tenant, 0, "other").await.unwrap();
    let rule = bulk::wanted(&world.api, world.tenant).await.unwrap().unwrap();
    assert_eq!((rule.more_than, rule.updated_by.as_str()), (0, "other"));
    assert!(bulk::wanted(&world.api, world.tenant("other").await).await.unwrap().is_none());
    assert!(bulk::want_no_more(&world.api, world.tenant).await.unwrap());
    assert!(!bulk::want_no_more(&world.api, world.tenant).await.unwrap());
    assert_eq!(world.apply(&wanted(Action::Cancel, in_states(&[State::Available]))).await, [3, 3, 0, 0]);
}

#[tokio::test]
async fn what_waits_counts_among_those_at_once_and_can_be_stopped() {
    let world = World::new().await;
    world.many(1).await;
    bulk::want(&world.api, world.tenant, 0, "admin").await.unwrap();
    let cancel = wanted(Action::Cancel, in_states(&[State::Available]));
    let first = world.begin(&cancel).await;
    for _ in 1..10 {
        world.begin(&cancel).await;
    }
    assert!(matches!(world.ask(&cancel).await, Begun::TooMany));
    let stopped = bulk::cancel(&world.api, world.tenant, first, BY).await.unwrap();
    assert!(matches!(stopped, Steered::Now(_)));
    let confirmed = bulk::confirm(&world.api, world.tenant, first, "ann@acme.test").await.unwrap();
    assert!(matches!(confirmed, Confirmation::NotWaiting), "stopped is stopped");
    world.begin(&cancel).await;
}
