//! Jobs that were given up: what puts them there, what takes them out, and who looks after them.

use chrono::{Days, TimeDelta, Utc};
use jobs::{JobId, failure::Problem};
use store::{
    bulk::{Action, Filter, Wanted},
    cancel,
    dead_letters::{self, Care, DeadLetters},
    housekeeping,
    retention::{self, Rules},
    retry,
    verdict::Verdict,
};

use crate::world::{World, done, probe};

async fn given_up(world: &World) -> JobId {
    let id = world.enqueue(probe()).await;
    let job = world.claim_one().await;
    assert!(world.settle(&job, Verdict::Discarded { problem: Problem::new("odd", "x") }).await);
    id
}

async fn dead(world: &World) -> Vec<DeadLetters> {
    dead_letters::list(&world.api, world.tenant).await.unwrap()
}

async fn count(world: &World) -> i64 {
    dead(world).await.iter().map(|of| of.jobs).sum()
}

#[tokio::test]
async fn a_job_that_is_given_up_lies_there_until_it_begins_again() {
    let world = World::new().await;
    world.enqueue(probe()).await;
    let job = world.claim_one().await;
    assert!(world.settle(&job, done()).await);
    let cancelled = world.enqueue(probe()).await;
    cancel::cancel(&world.api, world.tenant, cancelled, &Problem::new("cancelled", "x")).await.unwrap();
    assert!(dead(&world).await.is_empty(), "neither was given up");
    let (first, second) = (given_up(&world).await, given_up(&world).await);
    let found = dead(&world).await;
    assert_eq!((found.len(), found[0].kind.as_str(), found[0].jobs), (1, "probe.work", 2));
    assert_eq!(found[0].oldest_job(), Some(first));
    assert_eq!((found[0].due_at(), found[0].said()), (None, None));

    retry::retry(&world.api, world.tenant, first).await.unwrap();
    assert_eq!((count(&world).await, dead(&world).await[0].oldest_job()), (1, Some(second)));
    let again = world.claim_one().await;
    assert!(world.settle(&again, Verdict::Discarded { problem: Problem::new("odd", "y") }).await);
    assert_eq!((count(&world).await, dead(&world).await[0].oldest_job()), (2, Some(second)), "it died later");
    let other = world.tenant("other").await;
    assert!(dead_letters::list(&world.api, other).await.unwrap().is_empty());
}

#[tokio::test]
async fn many_that_are_discarded_lie_there_and_many_that_are_retried_do_not() {
    let world = World::new().await;
    for _ in 0..3 {
        world.enqueue(probe()).await;
    }
    let operate = async |action, states| {
        let filter = Filter { states, ..Filter::default() };
        world.apply(&Wanted { action, filter, priority: None }).await
    };
    operate(Action::Discard, vec![jobs::State::Available]).await;
    assert_eq!(count(&world).await, 3);
    operate(Action::Retry, vec![jobs::State::Discarded]).await;
    assert_eq!(count(&world).await, 0);
}

#[tokio::test]
async fn what_history_forgets_lies_there_no_more() {
    let world = World::new().await;
    given_up(&world).await;
    let kept = given_up(&world).await;
    let one_day = Rules { days: Some(1), ..Rules::default() };
    retention::set(&world.api, world.tenant, &one_day).await.unwrap();
    // Into the partition of that day: the row goes away from one and comes into another, and so does what lies dead.
    let long_ago = format!(
        "update attempt set finished_at = finished_at - interval '3 days' where job_id <> '{}'",
        kept.as_uuid()
    );
    world.database.execute(&long_ago).await.unwrap();
    assert_eq!(count(&world).await, 2);
    let day = Utc::now().date_naive() - Days::new(3);
    retention::prune(&world.worker, world.tenant, day, None).await.unwrap();
    assert_eq!((count(&world).await, dead(&world).await[0].oldest_job()), (1, Some(kept)));
    let tomorrow = Utc::now().date_naive() + Days::new(2);
    housekeeping::drop_partitions(&world.worker, tomorrow).await.unwrap();
    assert!(dead(&world).await.is_empty());
}

#[tokio::test]
async fn who_looks_after_a_kind_and_within_what_time_is_said_and_taken_back() {
    let world = World::new().await;
    let care = Care {
        owner: Some("media team".to_owned()),
        runbook: Some("https://wiki.test/x".to_owned()),
        look_after_s: Some(3_600),
    };
    dead_letters::set_care(&world.api, world.tenant, "probe.work", &care, "ann").await.unwrap();
    let found = dead(&world).await;
    assert_eq!((found[0].jobs, found[0].oldest_at, found[0].due_at()), (0, None, None), "nothing lies there");
    given_up(&world).await;
    let found = dead(&world).await;
    assert_eq!((&found[0].care, found[0].said().map(|(by, _)| by)), (&care, Some("ann")));
    assert_eq!(found[0].due_at(), found[0].oldest_at.map(|at| at + TimeDelta::hours(1)));
    let other = world.tenant("other").await;
    assert!(dead_letters::list(&world.api, other).await.unwrap().is_empty());
    let remove = async |tenant| dead_letters::remove_care(&world.api, tenant, "probe.work").await.unwrap();
    assert!(!remove(other).await && remove(world.tenant).await && !remove(world.tenant).await);
    assert_eq!(dead(&world).await[0].care, Care::default());
}
