//! Operations that throw away many jobs and wait for a second person.

use jobs::{State, UserId};
use store::bulk::{self, Action, Begun, Confirmation, OperationState, Steered};

use crate::{
    bulk::{by, in_states, wanted},
    world::World,
};

#[tokio::test]
async fn what_throws_away_many_waits_for_somebody_else() {
    let world = World::new().await;
    world.many(3).await;
    bulk::want(&world.api, world.tenant, 2, "admin").await.unwrap();
    let (ann, bob) = (Some(UserId::new()), Some(UserId::new()));
    let discard = wanted(Action::Discard, in_states(&[State::Available]));
    assert!(matches!(world.ask_as(&discard, by("key_x", ann)).await, Begun::New(_)));
    let id = bulk::list(&world.api, world.tenant, None, 1).await.unwrap()[0].id();
    assert_eq!(world.operation(id).await.state().unwrap(), OperationState::Waiting);
    assert!(bulk::step(&world.worker).await.unwrap().is_none(), "nobody does it");

    let other = world.tenant("other").await;
    let confirm = async |tenant, by| bulk::confirm(&world.api, tenant, id, by).await.unwrap();
    assert!(matches!(confirm(other, by("bob@acme.test", bob)).await, Confirmation::NotFound));
    for hers in ["ann@acme.test", "key_x", "key_y"] {
        assert!(matches!(confirm(world.tenant, by(hers, ann)).await, Confirmation::SamePerson), "{hers}");
    }
    assert!(matches!(confirm(world.tenant, by("key_z", None)).await, Confirmation::Nobody));
    assert_eq!(world.operation(id).await.state().unwrap(), OperationState::Waiting);
    assert!(matches!(confirm(world.tenant, by("key_b", bob)).await, Confirmation::Now));
    assert!(matches!(confirm(world.tenant, by("bob@acme.test", bob)).await, Confirmation::NotWaiting));
    assert_eq!(world.finish(id).await, [3, 3, 0, 0]);
    let done = world.operation(id).await;
    assert_eq!((done.confirmed_by.as_deref(), done.confirmed_at.is_some()), (Some("key_b"), true));
    assert_eq!((done.person(), done.taken_on_by), (ann, None));
}

#[tokio::test]
async fn what_nobody_in_particular_asked_for_takes_two_people() {
    let world = World::new().await;
    world.many(1).await;
    bulk::want(&world.api, world.tenant, 0, "admin").await.unwrap();
    let id = world.begin(&wanted(Action::Cancel, in_states(&[State::Available]))).await;
    let (ann, bob) = (Some(UserId::new()), Some(UserId::new()));
    let confirm = async |by| bulk::confirm(&world.api, world.tenant, id, by).await.unwrap();
    assert!(matches!(confirm(by("ann@acme.test", ann)).await, Confirmation::TakenOn));
    assert!(matches!(confirm(by("key_a", ann)).await, Confirmation::SamePerson));
    let taken = world.operation(id).await;
    assert_eq!((taken.state().unwrap(), taken.person()), (OperationState::Waiting, ann));
    assert_eq!((taken.taken_on_by.as_deref(), taken.confirmed_by), (Some("ann@acme.test"), None));
    assert!(bulk::step(&world.worker).await.unwrap().is_none(), "one is not two");
    assert!(matches!(confirm(by("bob@acme.test", bob)).await, Confirmation::Now));
    assert_eq!(world.finish(id).await, [1, 1, 0, 0]);
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
    let stopped = bulk::cancel(&world.api, world.tenant, first, "key_x").await.unwrap();
    assert!(matches!(stopped, Steered::Now(_)));
    let confirmed = bulk::confirm(&world.api, world.tenant, first, by("ann@acme.test", Some(UserId::new())));
    let confirmed = confirmed.await.unwrap();
    assert!(matches!(confirmed, Confirmation::NotWaiting), "stopped is stopped");
    world.begin(&cancel).await;
}
