//! Bulk operations that are held, let go on, and taken back.

use chrono::{TimeDelta, Utc};
use jobs::{Priority, State};
use store::{
    bulk::{self, Action, Filter, OperationState, Steered, Wanted},
    cancel,
    enqueue::NewJob,
    retry,
};

use crate::{
    bulk::{counts, in_states, retry_discarded, wanted},
    world::{World, probe, trouble},
};

impl World {
    /// Takes an operation back; answers `[processed, changed, skipped, failed]`.
    async fn undo(&self, id: jobs::BulkOperationId) -> [i64; 4] {
        let undo = self.operation(id).await.undo().unwrap().expect("it cannot be taken back");
        self.apply(&undo).await
    }
}

#[tokio::test]
async fn a_paused_operation_waits_and_goes_on_where_it_was() {
    let world = World::new().await;
    world.many(350).await;
    let id = world.begin(&wanted(Action::Cancel, in_states(&[State::Available]))).await;
    bulk::step(&world.worker).await.unwrap();
    let Steered::Now(paused) = bulk::pause(&world.api, world.tenant, id, "key_y").await.unwrap() else {
        panic!("it was not paused");
    };
    assert_eq!(
        (paused.state().unwrap(), paused.paused_by.as_deref()),
        (OperationState::Paused, Some("key_y"))
    );
    assert!(paused.paused_at.is_some() && paused.finished_at.is_none());
    world.rested().await;
    assert!(bulk::step(&world.worker).await.unwrap().is_none(), "nobody takes it in hand");
    assert!(matches!(bulk::pause(&world.api, world.tenant, id, "z").await.unwrap(), Steered::Before(_)));
    let stranger = world.tenant("other").await;
    assert!(matches!(bulk::pause(&world.api, stranger, id, "z").await.unwrap(), Steered::NotFound));
    assert!(matches!(bulk::resume(&world.api, stranger, id).await.unwrap(), Steered::NotFound));

    let Steered::Now(resumed) = bulk::resume(&world.api, world.tenant, id).await.unwrap() else {
        panic!("it was not resumed");
    };
    assert_eq!(
        (resumed.state().unwrap(), resumed.paused_at, resumed.paused_by),
        (OperationState::Running, None, None)
    );
    assert!(resumed.paused_ms >= 0);
    assert_eq!(world.finish(id).await, [350, 350, 0, 0]);
    assert!(matches!(bulk::resume(&world.api, world.tenant, id).await.unwrap(), Steered::Before(_)));
}

#[tokio::test]
async fn a_paused_operation_is_one_of_those_a_tenant_may_have_and_can_be_stopped() {
    let world = World::new().await;
    world.many(3).await;
    let mut begun = Vec::new();
    for _ in 0..10 {
        let id = world.begin(&wanted(Action::Cancel, in_states(&[State::Available]))).await;
        bulk::pause(&world.api, world.tenant, id, "key_y").await.unwrap();
        begun.push(id);
    }
    let refused = world.ask(&retry_discarded()).await;
    assert!(matches!(refused, bulk::Begun::TooMany), "{refused:?}");
    let stopped = bulk::cancel(&world.api, world.tenant, begun[0], "key_y").await.unwrap();
    assert!(matches!(stopped, Steered::Now(_)), "{stopped:?}");
    assert_eq!(world.operation(begun[0]).await.state().unwrap(), OperationState::Cancelled);
    world.begin(&retry_discarded()).await;
}

#[tokio::test]
async fn what_was_cancelled_waits_again_as_it_did() {
    let world = World::new().await;
    let tomorrow = Utc::now() + TimeDelta::days(1);
    let due = world.enqueue(probe()).await;
    let later = world.enqueue(NewJob { scheduled_at: tomorrow, ..probe() }).await;
    let theirs = world.enqueue(probe()).await;
    let again = world.enqueue(probe()).await;
    cancel::cancel(&world.api, world.tenant, theirs, &trouble()).await.unwrap();
    let all = in_states(&[State::Available, State::Scheduled]);
    let id = world.begin(&wanted(Action::Cancel, all)).await;
    assert_eq!(world.finish(id).await, [3, 3, 0, 0]);
    // One began again and was cancelled once more by somebody: what it is now is not what the operation made of it.
    retry::retry(&world.api, world.tenant, again).await.unwrap();
    cancel::cancel(&world.api, world.tenant, again, &trouble()).await.unwrap();

    assert_eq!(world.undo(id).await, [2, 2, 0, 0]);
    assert_eq!(world.state(due).await, State::Available);
    let waits = world.job(later).await;
    assert_eq!(waits.state().unwrap(), State::Scheduled);
    assert_eq!(waits.scheduled_at.timestamp_millis(), tomorrow.timestamp_millis());
    for job in [theirs, again] {
        assert_eq!(world.state(job).await, State::Cancelled);
    }
    assert_eq!(world.undo(id).await, [0, 0, 0, 0], "there is nothing left to take back");
}

#[tokio::test]
async fn what_was_given_up_begins_again() {
    let world = World::new().await;
    let all = world.many(230).await;
    let id = world.begin(&wanted(Action::Discard, in_states(&[State::Available]))).await;
    assert_eq!(world.finish(id).await, [230, 230, 0, 0]);
    assert_eq!(world.undo(id).await, [230, 230, 0, 0]);
    assert_eq!(world.state(all[117]).await, State::Available);
    assert_eq!(world.claim(500).await.len(), 230);
}

#[tokio::test]
async fn what_was_moved_goes_back_to_where_it_was() {
    let world = World::new().await;
    let high = world.enqueue(NewJob { priority: Priority::new(1).unwrap(), ..probe() }).await;
    let low = world.enqueue(NewJob { priority: Priority::new(3).unwrap(), ..probe() }).await;
    let there = world.enqueue(NewJob { priority: Priority::new(4).unwrap(), ..probe() }).await;
    let to =
        Wanted { priority: Priority::new(4), ..wanted(Action::Reprioritise, in_states(&[State::Available])) };
    let id = world.begin(&to).await;
    assert_eq!(world.finish(id).await, [3, 2, 1, 0]);
    assert_eq!(world.job(high).await.priority, 4);
    assert_eq!(world.undo(id).await, [2, 2, 0, 0]);
    for (job, priority) in [(high, 1), (low, 3), (there, 4)] {
        assert_eq!(world.job(job).await.priority, priority);
    }
    // A job that began meanwhile is left alone.
    let id = world.begin(&to).await;
    assert_eq!(world.finish(id).await, [3, 2, 1, 0]);
    world.claim(10).await;
    assert_eq!(world.undo(id).await, [0, 0, 0, 0]);
}

#[tokio::test]
async fn a_retry_is_not_taken_back_and_old_changes_are_forgotten() {
    let world = World::new().await;
    world.many(2).await;
    let id = world.begin(&wanted(Action::Cancel, in_states(&[State::Available]))).await;
    world.finish(id).await;
    let retried = world.begin(&wanted(Action::Retry, in_states(&[State::Cancelled]))).await;
    assert_eq!(world.finish(retried).await, [2, 2, 0, 0]);
    assert!(world.operation(retried).await.undo().unwrap().is_none());
    assert_eq!(bulk::forget(&world.worker).await.unwrap(), 0);
    world.database.execute("update bulk_change set changed_at = now() - interval '8 days'").await.unwrap();
    assert_eq!(bulk::forget(&world.worker).await.unwrap(), 2);
    let filter = Filter { changed_by: Some(id), ..in_states(&[State::Cancelled]) };
    assert_eq!(world.count(&filter).await, 0);
    assert_eq!(counts(&world.operation(id).await), [2, 2, 0, 0], "the record of it stays");
}
