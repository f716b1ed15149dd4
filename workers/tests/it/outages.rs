//! Redis wiped, killed and absent; Postgres restarted under load; nobody at work for a while.

use std::time::{Duration, Instant};

use jobs::State;
use store::testing::TestDatabase;
use testkit::{PostgresServer, RedisServer, eventually};

use crate::world::{SOON, World, probes, working};

async fn flush(redis: &RedisServer) {
    let mut wipe = tokio::process::Command::new("redis-cli");
    let port = redis.url().rsplit(':').next().unwrap().to_owned();
    let wiped = wipe.args(["-p", &port, "flushall"]).output().await.unwrap();
    assert!(wiped.status.success());
}

#[tokio::test]
async fn ten_thousand_waiting_jobs_survive_a_wiped_redis() {
    let world = World::new().await;
    let slots = ["--queues", "default", "--concurrency", "default=50"];
    let _workers = [world.start(&slots), world.start(&slots)];
    world.enqueue(&probes(10_000, &working(10))).await;
    for done in [1_000, 3_000, 5_000] {
        eventually("progress", SOON, || async {
            (world.database.number("select count(*) from attempt").await.unwrap() >= done).then_some(())
        })
        .await;
        flush(&world.redis).await;
    }
    world.all_done(10_000, SOON).await;
}

#[tokio::test]
async fn work_goes_on_while_redis_is_dead_and_when_it_is_back() {
    let mut world = World::new().await;
    let worker = world.start(&["--queues", "default", "--concurrency", "default=50"]);
    worker.ready().await;
    world.redis.kill();
    world.enqueue(&probes(200, &working(5))).await;
    world.all_done(200, SOON).await;
    world.redis.begin().unwrap();
    worker.ready().await;
    world.enqueue(&probes(200, &working(5))).await;
    world.all_done(400, SOON).await;
}

#[tokio::test]
async fn work_goes_on_while_tickets_wait_that_nobody_can_take() {
    let world = World::new().await;
    let worker = world.start(&["--queues", "default", "--concurrency", "default=50"]);
    worker.ready().await;
    // More jobs than one claim takes: tickets wait already, so a top-up has nothing to write and does not notice.
    let ring = world.ring();
    world.enqueue(&probes(1_200, &working(100))).await;
    eventually("tickets", SOON, || async {
        (ring.waiting(jobs::Queue::Default).await.unwrap() > 0).then_some(())
    })
    .await;
    world.redis.tell("CONFIG SET maxmemory 1").unwrap();
    world.all_done(1_200, SOON).await;
    world.redis.tell("CONFIG SET maxmemory 0").unwrap();
    worker.ready().await;
    world.enqueue(&probes(100, &working(5))).await;
    world.all_done(1_300, SOON).await;
}

#[tokio::test]
async fn postgres_restarted_under_load_loses_nothing() {
    let postgres = PostgresServer::start().unwrap();
    let world = World::on(TestDatabase::create_at(postgres.url()).await).await;
    let slots = ["--queues", "default", "--concurrency", "default=50"];
    let _workers = [world.start(&slots), world.start(&slots)];
    world.enqueue(&probes(3_000, &working(20))).await;
    for done in [500, 1_500] {
        eventually("progress", SOON, || async {
            (world.database.number("select count(*) from attempt").await.ok()? >= done).then_some(())
        })
        .await;
        postgres.stop().unwrap();
        postgres.begin().unwrap();
    }
    world.all_done(3_000, SOON).await;
}

#[tokio::test]
async fn twenty_thousand_jobs_wait_for_the_first_worker() {
    let world = World::new().await;
    world.enqueue(&probes(10_000, &working(0))).await;
    let mut due_together = probes(10_000, &working(0));
    let when = chrono::Utc::now() + chrono::Duration::seconds(1);
    for job in &mut due_together {
        job.scheduled_at = when;
    }
    world.enqueue(&due_together).await;
    let _worker = world.start(&["--queues", "default", "--concurrency", "default=256"]);
    world.all_done(20_000, SOON).await;
}

#[tokio::test]
async fn an_idle_worker_in_another_process_picks_up_at_once() {
    let world = World::new().await;
    let worker = world.start(&[]);
    worker.ready().await;
    let mut took = Vec::new();
    for _ in 0..31 {
        let began = Instant::now();
        let job = world.probe(working(0)).await;
        world.reaches(job, State::Completed).await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    // Woken by the bell, not by a timer, whose shortest is a second. The middle one, because a machine may be busy.
    assert!(took[15] < Duration::from_millis(400), "{took:?}");
}
