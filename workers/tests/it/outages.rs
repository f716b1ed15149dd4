//! Redis wiped, killed and absent; Postgres restarted under load; nobody at work for a while.

use std::time::{Duration, Instant};

use jobs::{Queue, State};
use store::{
    Role,
    enqueue::NewJob,
    limits::{self, Algorithm, Limit, Rate},
    pauses::{self, Scope},
    testing::TestDatabase,
};
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
async fn what_was_used_of_a_rate_stays_used_whatever_is_restarted() {
    let postgres = PostgresServer::start().unwrap();
    let mut world = World::on(TestDatabase::create_at(postgres.url()).await).await;
    let rate = Rate { algorithm: Algorithm::Bucket, count: 3, period_s: 2_678_400.0, burst: 3 };
    let limit = Limit {
        name: "slowly".into(),
        queue: None,
        kind: None,
        key: Some("slow".into()),
        concurrency: None,
        rate: Some(rate),
    };
    assert!(limits::set(&world.api, world.tenant, &limit, "tester", 100).await.unwrap());
    let slow = || NewJob { concurrency_key: Some("slow".into()), ..NewJob::of(&working(0)).unwrap() };
    world.enqueue(&[slow(), slow(), slow(), slow(), slow()]).await;
    let worker = world.start(&[]);
    let completed = "select count(*) from attempt where final_state = 'completed'";
    eventually("the rate to be used up", SOON, || async {
        (world.database.number(completed).await.unwrap() == 3).then_some(())
    })
    .await;
    worker.kill();
    world.redis.kill();
    postgres.stop().unwrap();
    postgres.begin().unwrap();
    world.redis.begin().unwrap();
    // Its connections are as dead as the server that they led to.
    world.api = world.database.db(Role::Api).unwrap();
    let _worker = world.start(&[]);
    // Whoever claims this one would have claimed the others with it.
    let other = world.probe(working(0)).await;
    world.reaches(other, State::Completed).await;
    assert_eq!(world.database.number(completed).await.unwrap(), 4);
    assert!(limits::remove(&world.api, world.tenant, "slowly").await.unwrap());
    world.all_done(6, SOON).await;
}

#[tokio::test]
async fn a_pause_holds_whatever_is_restarted() {
    let postgres = PostgresServer::start().unwrap();
    let mut world = World::on(TestDatabase::create_at(postgres.url()).await).await;
    let media = Scope { queue: Some(Queue::Media), kind: None };
    let pause = pauses::pause(&world.api, Some(world.tenant), &media, "audit", "tester", None).await.unwrap();
    let held = NewJob { queue: Queue::Media, ..NewJob::of(&working(0)).unwrap() };
    let held = world.enqueue(&[held]).await[0];
    let worker = world.start(&[]);
    worker.ready().await;
    worker.kill();
    world.redis.kill();
    postgres.stop().unwrap();
    postgres.begin().unwrap();
    world.redis.begin().unwrap();
    world.api = world.database.db(Role::Api).unwrap();
    let _worker = world.start(&[]);
    let other = world.probe(working(0)).await;
    world.reaches(other, State::Completed).await;
    assert_eq!(world.state(held).await, State::Available);
    assert!(pauses::resume(&world.api, world.tenant, pause).await.unwrap());
    world.reaches(held, State::Completed).await;
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
