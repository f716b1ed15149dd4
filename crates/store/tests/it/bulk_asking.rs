//! Bulk operations as they are asked for: which jobs a filter means, what is counted, what is refused.

use std::collections::BTreeMap;

use chrono::{Duration, Utc};
use jobs::{JobId, Priority, Queue, State, failure::Problem};
use serde_json::json;
use store::{
    bulk::{self, Action, Begun, Expected, Filter, Operation, OperationState, Wanted},
    enqueue::NewJob,
    submit::Answer,
    verdict::Verdict,
};

use crate::{
    bulk::{by, given_up, in_states, retry_discarded, wanted},
    world::{World, probe, retry_now},
};

#[tokio::test]
async fn every_condition_of_a_filter_decides() {
    let world = World::new().await;
    let early = world.enqueue(probe()).await;
    world.work_all(&given_up()).await;
    world.enqueue(NewJob { tags: vec!["blue".into()], ..probe() }).await;
    let other = Verdict::Discarded { problem: Problem::new("other", "another") };
    world.work_all(&other).await;
    world.enqueue(NewJob { queue: Queue::Media, ..probe() }).await;
    let waits = world.enqueue(NewJob { scheduled_at: Utc::now() + Duration::hours(1), ..probe() }).await;
    let early_end = world.job(early).await.finalized_at.unwrap();
    let created = world.job(early).await.created_at;
    let any = || in_states(&State::ALL);
    assert_eq!(world.count(&any()).await, 4);
    for (what, filter, jobs) in [
        ("discarded", in_states(&[State::Discarded]), 2),
        ("scheduled", in_states(&[State::Scheduled]), 1),
        ("live", in_states(&[State::Scheduled, State::Available, State::Running, State::Retryable]), 2),
        ("kind", Filter { kind: Some("probe.work".into()), ..any() }, 4),
        ("no kind", Filter { kind: Some("media.rendition".into()), ..any() }, 0),
        ("queue", Filter { queue: Some(Queue::Media), ..any() }, 1),
        ("tag", Filter { tag: Some("blue".into()), ..any() }, 1),
        ("error", Filter { error_code: Some("other".into()), ..any() }, 1),
        ("created after", Filter { created_after: Some(created + Duration::microseconds(1)), ..any() }, 3),
        ("created before", Filter { created_before: Some(created + Duration::microseconds(1)), ..any() }, 1),
        (
            "finished after",
            Filter { finished_after: Some(early_end + Duration::microseconds(1)), ..any() },
            1,
        ),
        ("finished before", Filter { finished_before: Some(early_end), ..any() }, 0),
    ] {
        assert_eq!(world.count(&filter).await, jobs, "{what}");
    }
    let preview = bulk::preview(&world.api, world.tenant, &any()).await.unwrap();
    let by: BTreeMap<_, _> = preview.by.into_iter().map(|of| (of.state.name(), of.jobs)).collect();
    assert_eq!(by, BTreeMap::from([("available", 1), ("discarded", 2), ("scheduled", 1)]));
    assert_eq!(preview.sample.len(), 4);
    assert_eq!(preview.sample[0].id(), waits, "the newest comes first");
    assert_eq!(world.state(early).await, State::Discarded, "looking changes nothing");
}

#[tokio::test]
async fn the_sample_is_ten_of_the_newest() {
    let world = World::new().await;
    let all = world.many(30).await;
    let preview = bulk::preview(&world.api, world.tenant, &in_states(&[State::Available])).await.unwrap();
    let shown: Vec<JobId> = preview.sample.iter().map(store::reads::JobRecord::id).collect();
    let newest: Vec<JobId> = all.iter().rev().take(10).copied().collect();
    assert_eq!((preview.count, shown), (30, newest));
}

#[tokio::test]
async fn a_running_job_is_told_from_one_that_waits() {
    let world = World::new().await;
    world.many(5).await;
    let running = world.claim(2).await;
    assert_eq!(world.count(&in_states(&[State::Running])).await, 2);
    assert_eq!(world.count(&in_states(&[State::Available])).await, 3);
    world.settle_all(&running, &retry_now()).await;
    assert_eq!(world.count(&in_states(&[State::Retryable])).await, 2);
}

#[tokio::test]
async fn a_count_that_moved_is_told_before_anything_is_done() {
    let world = World::new().await;
    world.many(100).await;
    let wish = wanted(Action::Cancel, in_states(&[State::Available]));
    let ask = async |expected| {
        let answer = |_: &Operation| Answer::of(202, None, &json!(null));
        let expected = Some(Expected(expected));
        bulk::begin(&world.api, world.tenant, &wish, expected, by("key_x", None), 10, None, answer)
            .await
            .unwrap()
    };
    assert_eq!(ask(80).await, Begun::Moved { count: 100, is_exact: true });
    assert_eq!(ask(120).await, Begun::Moved { count: 100, is_exact: true });
    assert!(bulk::list(&world.api, world.tenant, None, 10).await.unwrap().is_empty());
    assert!(matches!(ask(95).await, Begun::New(_)));
}

#[tokio::test]
async fn there_are_only_so_many_at_once() {
    let world = World::new().await;
    for _ in 0..10 {
        world.begin(&retry_discarded()).await;
    }
    assert_eq!(world.ask(&retry_discarded()).await, Begun::TooMany);
    bulk::step(&world.worker).await.unwrap();
    world.begin(&retry_discarded()).await;
}

#[tokio::test]
async fn what_a_request_cannot_count_is_counted_on() {
    let world = World::new().await;
    world.many(700).await;
    let id = world.begin(&wanted(Action::Cancel, in_states(&[State::Available]))).await;
    let cut = "with cut as (update bulk_operation set matched = 5, matched_exactly = false returning 1) select count(*) from cut";
    world.database.number(cut).await.unwrap();
    let stepped = bulk::step(&world.worker).await.unwrap().unwrap();
    assert_eq!((stepped.changed, stepped.state), (0, OperationState::Running));
    let stands = world.operation(id).await;
    assert_eq!((stands.matched, stands.matched_exactly, stands.processed), (700, true, 0));
    world.rested().await;
    assert_eq!(world.finish(id).await, [700, 700, 0, 0]);
}

#[tokio::test]
async fn what_another_version_wrote_is_given_up_rather_than_misread() {
    let world = World::new().await;
    world.many(3).await;
    let id = world.begin(&wanted(Action::Cancel, in_states(&[State::Available]))).await;
    let widened = r#"with w as (update bulk_operation set filter = filter || '{"color": "blue"}' returning 1) select count(*) from w"#;
    world.database.number(widened).await.unwrap();
    let stepped = bulk::step(&world.worker).await.unwrap().unwrap();
    assert_eq!(stepped.state, OperationState::Failed);
    let stands = world.operation(id).await;
    assert_eq!(stands.state().unwrap(), OperationState::Failed);
    assert!(stands.error.unwrap().0.message.contains("color"));
    assert_eq!(world.claim(10).await.len(), 3);
}

#[tokio::test]
async fn operations_take_turns_and_are_listed_newest_first() {
    let world = World::new().await;
    world.many(300).await;
    let low = |priority| Wanted {
        priority: Priority::new(priority),
        ..wanted(Action::Reprioritise, in_states(&[State::Available]))
    };
    let (first, second) = (world.begin(&low(3)).await, world.begin(&low(4)).await);
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(bulk::step(&world.worker).await.unwrap().unwrap().operation);
        world.rested().await;
    }
    assert_eq!(order, [first, second, first, second]);
    let page = bulk::list(&world.api, world.tenant, None, 1).await.unwrap();
    assert_eq!(page[0].id(), second);
    let page = bulk::list(&world.api, world.tenant, Some(second), 5).await.unwrap();
    assert_eq!(page.iter().map(Operation::id).collect::<Vec<_>>(), [first]);
}
