//! Bulk operations among processes that die, hurry and get in each other's way: exact counts, nothing twice.

use std::{
    collections::HashSet,
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
    time::Duration,
};

use futures::future::{join, join_all};
use jobs::{BulkOperationId, JobId, Priority, Queue, State};
use rand::{Rng, SeedableRng, rngs::StdRng};
use store::{
    Db,
    bulk::{self, Action, OperationState, Steered, Wanted},
    claim::{self, Pick},
    release,
};

use crate::{
    bulk::{counts, given_up, in_states, retry_discarded, wanted},
    world::{LEASE, World, done},
};

impl World {
    async fn is_running(&self, id: BulkOperationId) -> bool {
        self.operation(id).await.state().unwrap() == OperationState::Running
    }

    /// A process that does bulk operations and dies every now and then, at no particular place.
    async fn mortal(&self, id: BulkOperationId, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        while self.is_running(id).await {
            let life = Duration::from_micros(rng.random_range(0..20_000));
            // Dropped at whatever it was waiting for: the transaction is rolled back.
            let _ = tokio::time::timeout(life, pin!(bulk::step(&self.worker))).await;
            // One that lives longer sees to it that the end comes.
            if rng.random_bool(0.2) {
                bulk::step(&self.worker).await.unwrap();
            }
            self.rested().await;
        }
    }

    /// Two jobs at a time, as workers would, until told to stop; and which ran.
    async fn busy(&self, stop: &AtomicBool) -> Vec<JobId> {
        let mut ran = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let claimed = self.claim(2).await;
            self.settle_all(&claimed, &done()).await;
            ran.extend(claimed.iter().map(|job| job.id));
            release::unstrand(&self.worker, release::Passed::Ever).await.unwrap();
        }
        ran
    }
}

#[tokio::test]
async fn processes_that_die_at_it_leave_exact_counts() {
    for seed in 0..3 {
        let world = World::new().await;
        world.many(2_000).await;
        world.work_all(&given_up()).await;
        let id = world.begin(&retry_discarded()).await;
        join_all((0..2).map(|n| world.mortal(id, seed * 10 + n))).await;
        assert_eq!(counts(&world.operation(id).await), [2_000, 2_000, 0, 0]);
        assert_eq!(world.work_all(&done()).await, 2_000);
        let once_more = "select count(*) from (select from attempt group by job_id
            having array_agg(outcome order by attempt) = array['discarded', 'completed']) t";
        assert_eq!(world.database.number(once_more).await.unwrap(), 2_000, "each ran exactly one more time");
    }
}

#[tokio::test]
async fn a_batch_that_was_not_committed_did_not_happen() {
    let world = World::new().await;
    world.many(600).await;
    world.work_all(&given_up()).await;
    let id = world.begin(&retry_discarded()).await;
    // Dies one wait later each time, until a batch is through.
    for waits in 1.. {
        let mut step = pin!(bulk::step(&world.worker));
        let mut left = waits;
        poll_fn(|cx| {
            left -= 1;
            if step.as_mut().poll(cx).is_ready() || left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        // Whoever dies while it waits to hear of the commit may have committed; so both are read at once.
        let apart = "select (select count(*) from job) - (select processed from bulk_operation)";
        assert_eq!(world.database.number(apart).await.unwrap(), 0, "after {waits} waits");
        let processed = world.operation(id).await.processed;
        if processed > 0 {
            assert!(waits > 3, "{waits}");
            break;
        }
    }
    world.rested().await;
    assert_eq!(world.finish(id).await, [600, 600, 0, 0]);
}

#[tokio::test]
async fn many_processes_do_each_batch_once() {
    let world = World::new().await;
    world.many(3_000).await;
    world.work_all(&given_up()).await;
    let ids = [world.begin(&retry_discarded()).await, world.begin(&retry_discarded()).await];
    let process = async || {
        while world.is_running(ids[0]).await || world.is_running(ids[1]).await {
            bulk::step(&world.worker).await.unwrap();
            world.rested().await;
        }
    };
    join_all((0..4).map(|_| process())).await;
    // Whichever came first to a job retried it; the other passed it by without meeting it.
    let changed: i64 = join_all(ids.map(|id| world.operation(id))).await.iter().map(|of| of.changed).sum();
    assert_eq!(changed, 3_000);
    assert_eq!(world.work_all(&done()).await, 3_000);
}

#[tokio::test]
async fn jobs_that_arrive_during_the_walk_are_not_met() {
    let world = World::new().await;
    let old: HashSet<JobId> = world.many(400).await.into_iter().collect();
    let id = world.begin(&wanted(Action::Cancel, in_states(Action::Cancel.takes()))).await;
    let mut new = Vec::new();
    while world.is_running(id).await {
        new.extend(world.many(5).await);
        bulk::step(&world.worker).await.unwrap();
        world.rested().await;
    }
    assert_eq!(counts(&world.operation(id).await), [400, 400, 0, 0]);
    for job in &new {
        assert_eq!(world.state(*job).await, State::Available);
    }
    assert_eq!(world.work_all(&done()).await, new.len());
    for job in old.iter().take(20) {
        assert_eq!(world.story(*job).await, "0:cancelled");
    }
}

#[tokio::test]
async fn jobs_that_end_during_the_walk_are_not_retried() {
    let world = World::new().await;
    world.many(1_100).await;
    world.work_all(&given_up()).await;
    // Begun before the operation, ending after it began.
    world.many(50).await;
    let held = world.claim(50).await;
    let id = world.begin(&retry_discarded()).await;
    bulk::step(&world.worker).await.unwrap();
    world.settle_all(&held, &given_up()).await;
    world.rested().await;
    assert_eq!(world.finish(id).await, [1_100, 1_100, 0, 0]);
}

#[tokio::test]
async fn workers_go_on_while_jobs_are_cancelled_under_them() {
    let world = World::new().await;
    let all = world.many(1_000).await;
    let id = world.begin(&wanted(Action::Cancel, in_states(&[State::Available]))).await;
    let stop = AtomicBool::new(false);
    let cancelling = async {
        while world.is_running(id).await {
            bulk::step(&world.worker).await.unwrap();
            world.rested().await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let ((), ran) = join(cancelling, world.busy(&stop)).await;
    let [_, changed, _, failed] = counts(&world.operation(id).await);
    let distinct: HashSet<&JobId> = ran.iter().collect();
    assert_eq!(distinct.len(), ran.len(), "a job ran twice");
    assert_eq!(
        (changed as usize + ran.len(), failed),
        (all.len(), 0),
        "every job ran or was cancelled, none both"
    );
    assert_eq!(world.database.number("select count(*) from job").await.unwrap(), 0);
}

#[tokio::test]
async fn workers_go_on_while_jobs_change_lines_under_them() {
    let world = World::new().await;
    let all = world.many(1_000).await;
    let low = Wanted {
        priority: Some(Priority::LOW),
        ..wanted(Action::Reprioritise, in_states(Action::Reprioritise.takes()))
    };
    let id = world.begin(&low).await;
    let stop = AtomicBool::new(false);
    let moving = async {
        while world.is_running(id).await {
            bulk::step(&world.worker).await.unwrap();
            world.rested().await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let ((), mut ran) = join(moving, world.busy(&stop)).await;
    release::unstrand(&world.worker, release::Passed::Ever).await.unwrap();
    loop {
        let claimed = world.claim(200).await;
        if claimed.is_empty() {
            break;
        }
        assert_eq!(world.settle_all(&claimed, &done()).await, claimed.len());
        ran.extend(claimed.iter().map(|job| job.id));
    }
    let distinct: HashSet<&JobId> = ran.iter().collect();
    assert_eq!((ran.len(), distinct.len()), (all.len(), all.len()), "each ran once");
}

#[tokio::test]
async fn retried_jobs_run_while_more_are_retried() {
    let world = World::new().await;
    world.many(1_500).await;
    world.work_all(&given_up()).await;
    let id = world.begin(&retry_discarded()).await;
    let stop = AtomicBool::new(false);
    let retrying = async {
        while world.is_running(id).await {
            bulk::step(&world.worker).await.unwrap();
            world.rested().await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let claimer = async |db: Db, name: &'static str| {
        let mut ran = 0;
        while !stop.load(Ordering::Relaxed) {
            let some = claim::claim(&db, Queue::Default, Pick::Regular, 7, name, LEASE).await.unwrap();
            ran += world.settle_all(&some, &given_up()).await;
        }
        ran
    };
    let claimers = join(claimer(world.worker.clone(), "w1"), claimer(world.worker.clone(), "w2"));
    let ((), (one, two)) = join(retrying, claimers).await;
    release::unstrand(&world.worker, release::Passed::Ever).await.unwrap();
    let rest = world.work_all(&given_up()).await;
    assert_eq!(one + two + rest, 1_500, "each ran exactly one more time");
    assert_eq!(counts(&world.operation(id).await), [1_500, 1_500, 0, 0]);
}

#[tokio::test]
async fn stopping_holds_before_the_next_batch() {
    let world = World::new().await;
    world.many(900).await;
    let id = world.begin(&wanted(Action::Cancel, in_states(&[State::Available]))).await;
    bulk::step(&world.worker).await.unwrap();
    let Steered::Now(stopped) = bulk::cancel(&world.api, world.tenant, id, "key_y").await.unwrap() else {
        panic!("it was not stopped");
    };
    assert_eq!(stopped.state().unwrap(), OperationState::Cancelled);
    assert_eq!(stopped.cancelled_by.as_deref(), Some("key_y"));
    world.rested().await;
    assert!(bulk::step(&world.worker).await.unwrap().is_none());
    assert_eq!(counts(&world.operation(id).await), [100, 100, 0, 0]);
    assert_eq!(world.claim(1_000).await.len(), 800);
    assert!(matches!(bulk::cancel(&world.api, world.tenant, id, "z").await.unwrap(), Steered::Before(_)));
}

#[tokio::test]
async fn nobody_works_while_it_is_time_to_rest() {
    let world = World::new().await;
    world.many(300).await;
    let id = world.begin(&wanted(Action::Cancel, in_states(&[State::Available]))).await;
    let stepped = bulk::step(&world.worker).await.unwrap().unwrap();
    assert!(stepped.rest > Duration::ZERO);
    let long =
        "with l as (update bulk_operation set rest_until = 'infinity' returning 1) select count(*) from l";
    world.database.number(long).await.unwrap();
    let other = world.begin(&wanted(Action::Cancel, in_states(&[State::Available]))).await;
    assert!(bulk::step(&world.worker).await.unwrap().is_none(), "the rest is everybody's");
    world.rested().await;
    world.finish(id).await;
    world.finish(other).await;
}
