use chrono::{Duration, Utc};
use futures::future::join_all;
use jobs::{Priority, Queue, State, Unique, UniqueFor};
use store::{
    claim::{self, Pick},
    enqueue::Enqueued,
    release,
};

use crate::world::{LEASE, World, done, probe};

#[tokio::test]
async fn jobs_run_in_the_order_they_came_and_the_urgent_first() {
    let world = World::new().await;
    let (mut low, normal, mut urgent) = (probe(), probe(), probe());
    low.priority = Priority::LOW;
    urgent.priority = Priority::URGENT;
    let later = probe();
    for job in [&low, &normal, &later, &urgent] {
        world.enqueue(job.clone()).await;
    }
    let order: Vec<_> = world.claim(10).await.into_iter().map(|job| job.id).collect();
    assert_eq!(order, [urgent.id, normal.id, later.id, low.id]);
    assert!(world.claim(10).await.is_empty(), "a claimed job was claimed again");
}

#[tokio::test]
async fn tenants_take_turns() {
    let world = World::new().await;
    let small = world.tenant("small").await;
    world.enqueue_all(world.tenant, &(0..50).map(|_| probe()).collect::<Vec<_>>()).await;
    world.enqueue_all(small, &[probe(), probe()]).await;
    let mut turns = Vec::new();
    for _ in 0..4 {
        turns.push(world.claim_one().await.tenant);
    }
    assert_eq!(turns.iter().filter(|tenant| **tenant == small).count(), 2, "{turns:?}");
}

#[tokio::test]
async fn a_scheduled_job_waits_for_its_time() {
    let world = World::new().await;
    let mut job = probe();
    job.scheduled_at = Utc::now() + Duration::hours(1);
    let id = world.enqueue(job).await;
    release::promote_due(&world.worker).await.unwrap();
    assert!(world.claim(1).await.is_empty());
    assert_eq!(world.state(id).await, State::Scheduled);
    let wait = release::next_due(&world.worker).await.unwrap().unwrap();
    assert!((3_590..=3_600).contains(&wait.as_secs()), "{wait:?}");

    let mut due = probe();
    due.scheduled_at = Utc::now() + Duration::milliseconds(1);
    let due = world.enqueue(due).await;
    // The clock of the database has to pass the millisecond; a statement or two takes longer than that.
    while release::promote_due(&world.worker).await.unwrap() == 0
        && world.state(due).await == State::Scheduled
    {}
    assert_eq!(world.claim_one().await.id, due);
}

#[tokio::test]
async fn the_same_work_is_enqueued_once_until_it_is_done() {
    let world = World::new().await;
    let mut first = probe();
    first.unique = Some(Unique { key: "k".into(), lasts: UniqueFor::UntilDone });
    let mut second = probe();
    second.unique.clone_from(&first.unique);
    world.enqueue(first.clone()).await;
    assert_eq!(
        world.enqueue_all(world.tenant, std::slice::from_ref(&second)).await,
        [Enqueued::Existing(first.id)]
    );
    let other = world.tenant("other").await;
    let mut theirs = probe();
    theirs.unique.clone_from(&first.unique);
    assert_eq!(
        world.enqueue_all(other, &[theirs]).await,
        [Enqueued::Inserted],
        "another tenant's key was in the way"
    );

    for _ in 0..2 {
        let claimed = world.claim_one().await;
        world.settle(&claimed, done()).await;
    }
    assert_eq!(world.enqueue_all(world.tenant, &[second]).await, [Enqueued::Inserted]);
}

#[tokio::test]
async fn the_same_work_is_enqueued_once_within_a_time() {
    let world = World::new().await;
    let unique = |seconds| Some(Unique { key: "k".into(), lasts: UniqueFor::Seconds(seconds) });
    let (mut first, mut second) = (probe(), probe());
    first.unique = unique(3_600);
    second.unique = unique(3_600);
    world.enqueue(first.clone()).await;
    let claimed = world.claim_one().await;
    world.settle(&claimed, done()).await;
    assert_eq!(world.enqueue_all(world.tenant, &[second]).await, [Enqueued::Existing(first.id)]);
    let (mut over, mut next) = (probe(), probe());
    over.unique = Some(Unique { key: "short".into(), lasts: UniqueFor::Seconds(0) });
    next.unique.clone_from(&over.unique);
    world.enqueue(over).await;
    world.enqueue(next).await;
}

#[tokio::test]
async fn two_equal_jobs_in_one_batch_are_one() {
    let world = World::new().await;
    let mut pair = [probe(), probe()];
    for job in &mut pair {
        job.unique = Some(Unique { key: "k".into(), lasts: UniqueFor::UntilDone });
    }
    let fate = world.enqueue_all(world.tenant, &pair).await;
    assert_eq!(fate, [Enqueued::Inserted, Enqueued::Existing(pair[0].id)]);
}

#[tokio::test]
async fn a_job_committed_late_is_not_passed_by_for_ever() {
    let world = World::new().await;
    let (slow, quick) = (probe(), probe());
    // The slow transaction takes its position first and commits last.
    let mut tx = world.api.tenant(world.tenant).await.unwrap();
    store::enqueue::insert(&world.api, &mut tx, world.tenant, std::slice::from_ref(&slow)).await.unwrap();
    world.enqueue(quick.clone()).await;
    let running = world.claim_one().await;
    assert_eq!(running.id, quick.id);
    tx.commit().await.unwrap();
    assert!(world.claim(10).await.is_empty(), "the cursor has passed it");

    assert_eq!(
        release::unstrand(&world.worker, release::Passed::Lately).await.unwrap(),
        1,
        "only the job that was passed by moves"
    );
    assert_eq!(world.claim_one().await.id, slow.id);
    assert_eq!(
        release::unstrand(&world.worker, release::Passed::Ever).await.unwrap(),
        0,
        "a running job is left alone"
    );
    assert!(world.settle(&running, done()).await);
}

#[tokio::test]
async fn many_claimers_never_share_a_job() {
    let world = World::new().await;
    let new: Vec<_> = (0..500).map(|_| probe()).collect();
    world.enqueue_all(world.tenant, &new).await;
    let claimers = (0..8).map(|n| {
        let db = world.worker.clone();
        async move {
            let mut mine = Vec::new();
            loop {
                let worker = format!("w{n}");
                let got = claim::claim(&db, Queue::Default, Pick::Regular, 7, &worker, LEASE).await.unwrap();
                if got.is_empty() {
                    return mine;
                }
                mine.extend(got.into_iter().map(|job| job.id));
            }
        }
    });
    let mut all: Vec<_> = join_all(claimers).await.into_iter().flatten().collect();
    all.sort();
    let mut expected: Vec<_> = new.iter().map(|job| job.id).collect();
    expected.sort();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn what_waits_is_counted_by_queue() {
    let world = World::new().await;
    world.enqueue_all(world.tenant, &[probe(), probe(), probe()]).await;
    world.claim(1).await;
    let waiting = release::waiting(&world.worker).await.unwrap();
    assert_eq!(
        waiting,
        [release::Waiting { queue: Queue::Default, pick: Pick::Regular, jobs: 2, ready_in: None }]
    );
    let depths = store::housekeeping::depths(&world.worker).await.unwrap();
    assert_eq!((depths[0].available, depths[0].running), (2, 1));
    assert!(depths[0].oldest_s < 60.0);
}
