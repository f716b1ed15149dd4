//! Workers that are killed, frozen and poisoned. The promise: nothing lost, nothing accepted twice.

use std::time::Duration;

use jobs::{
    State,
    kinds::probe_work::{Ending, ProbeWork},
};
use testkit::eventually;

use crate::world::{LEASE_MS, SOON, World, probes, working};

#[tokio::test]
async fn a_worker_killed_over_1_000_running_jobs_loses_none() {
    let world = World::new().await;
    let slots = ["--queues", "default", "--concurrency", "default=1000"];
    let victim = world.start(&slots);
    world.enqueue(&probes(1_000, &working(4_000))).await;
    eventually("1,000 jobs to run", SOON, || async {
        let running = "select coalesce(sum(cardinality(job_ids)), 0) from lease";
        (world.database.number(running).await.unwrap() == 1_000).then_some(())
    })
    .await;
    victim.kill();
    let _next = world.start(&slots);
    world.all_done(1_000, SOON).await;
    let crashed = "select count(*) from attempt where outcome = 'crashed'";
    assert_eq!(world.database.number(crashed).await.unwrap(), 1_000, "a crash uses up an attempt");
    let slowest = world
        .database
        .number("select max(extract(epoch from again.started_at - lost.finished_at) * 1000)::bigint from attempt lost
                 join attempt again using (tenant_id, job_id) where lost.outcome = 'crashed' and again.attempt = 2")
        .await
        .unwrap();
    assert!(slowest < 20_000, "the last job waited {slowest} ms after its rescue");
    let told = world.replays().await;
    assert_eq!((told.claimed, told.rescued, told.settled, told.live), (2_000, 1_000, 1_000, 0));
}

#[tokio::test]
async fn workers_killed_one_after_the_other_lose_nothing() {
    let world = World::new().await;
    let slots = ["--queues", "default", "--concurrency", "default=20"];
    let mut workers: Vec<_> = (0..3).map(|_| world.start(&slots)).collect();
    world.enqueue(&probes(400, &working(150))).await;
    for enough in [50, 120, 200] {
        eventually("progress", SOON, || async {
            (world.database.number("select count(*) from attempt").await.unwrap() >= enough).then_some(())
        })
        .await;
        workers.remove(0).kill();
        workers.push(world.start(&slots));
    }
    world.all_done(400, SOON).await;
    let told = world.replays().await;
    assert!(told.rescued > 0, "nobody was killed over a running job: {told:?}");
    assert_eq!((told.jobs, told.settled, told.live), (400, 400, 0));
    assert_eq!(told.claimed, told.settled + told.rescued);
}

#[tokio::test]
async fn a_frozen_worker_comes_back_too_late() {
    let world = World::new().await;
    let frozen = world.start(&[]);
    let job = world.probe(working(1_000)).await;
    world.reaches(job, State::Running).await;
    frozen.freeze();
    let other = world.start(&[]);
    world.reaches(job, State::Completed).await;
    frozen.thaw();
    frozen.ready().await;
    // It goes on to work, and what it had to say about the old job was refused.
    other.kill();
    let next = world.probe(working(0)).await;
    world.reaches(next, State::Completed).await;
    assert_eq!(world.story(job).await, "1:crashed 2:completed");
    world.all_done(2, SOON).await;
    world.replays().await;
}

#[tokio::test]
async fn a_poison_job_ends_as_discarded_and_hurts_nobody() {
    let world = World::new().await;
    let slots = ["--queues", "default", "--concurrency", "default=10"];
    let mut victim = world.start(&slots);
    let poison = ProbeWork { work_ms: 300, endings: vec![Ending::Abort; 9], ..ProbeWork::default() };
    let neighbours = world.enqueue(&probes(9, &working(3_000))).await;
    let mut new = store::enqueue::NewJob::of(&poison).unwrap();
    new.max_attempts = 9;
    let poison = world.enqueue(&[new]).await[0];
    assert_eq!(victim.exits().await, None, "the poison did not work");
    // As a supervisor would.
    let _next = world.start(&slots);
    let newcomers = world.enqueue(&probes(20, &working(200))).await;
    world.reaches(poison, State::Discarded).await;
    assert_eq!(world.story(poison).await, "1:crashed 2:crashed 3:discarded");
    for job in newcomers {
        world.reaches(job, State::Completed).await;
        assert_eq!(world.story(job).await, "1:completed", "a regular job was hurt");
    }
    for job in neighbours {
        world.reaches(job, State::Completed).await;
    }
    world.replays().await;
}

#[tokio::test]
async fn a_restarted_worker_takes_work_at_once() {
    let world = World::new().await;
    let mut took = Vec::new();
    for _ in 0..3 {
        let worker = world.start(&[]);
        worker.ready().await;
        let job = world.probe(working(0)).await;
        let began = std::time::Instant::now();
        world.reaches(job, State::Completed).await;
        took.push(began.elapsed());
        worker.kill();
    }
    took.sort_unstable();
    // Without waiting for a lease to run out. The middle one, because a machine may be busy.
    assert!(took[1] < Duration::from_millis(LEASE_MS), "{took:?}");
}
