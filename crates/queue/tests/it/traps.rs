//! What we found in apalis-redis 1.0.0 and stepped around. Each test describes the library, not us: when an upgrade
//! makes one fail, the library has changed, and the way around it may be dropped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use apalis::prelude::*;
use apalis_core::backend::{TaskSink, ext::BackendExt, factory::BackendFactory};
use apalis_redis::{Config, RedisStorage};
use redis::AsyncCommands;
use testkit::eventually;

use crate::world::{SOON, World};

#[derive(Debug, thiserror::Error)]
#[error("as asked")]
struct Refused;

async fn storage(world: &World, config: Config) -> RedisStorage<u32> {
    let connection = apalis_redis::connect(world.redis.url()).await.unwrap();
    RedisStorage::new(connection).with_config(config)
}

fn config() -> Config {
    Config::default().queue("trap").batch_size(10).lock_tasks(false).emit_events(false)
}

async fn push(storage: &mut RedisStorage<u32>, count: u32) {
    for n in 0..count {
        storage.push(n).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_with_more_than_8_000_due_tasks_can_never_be_fetched_again() {
    let world = World::new();
    let mut storage = storage(&world, config()).await;
    let tasks: Vec<u32> = (0..9_000).collect();
    for chunk in tasks.chunks(1_000) {
        storage.push_bulk(chunk.to_vec()).await.unwrap();
    }
    for attempt in 0..2 {
        let worker = WorkerBuilder::new(format!("w{attempt}"))
            .backend(storage.clone())
            .build(|_: u32| async { Ok::<(), Refused>(()) });
        let ended = tokio::time::timeout(SOON, tokio::spawn(worker.run())).await.unwrap().unwrap();
        let words = format!("{:?}", ended.unwrap_err());
        assert!(words.contains("unpack"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_is_not_woken_by_a_push_from_elsewhere() {
    let world = World::new();
    let mut pusher = storage(&world, config()).await;
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = heard.clone();
    let worker = WorkerBuilder::new("w").backend(storage(&world, config()).await).build(move |_: u32| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok::<(), Refused>(()) }
    });
    let running = tokio::spawn(worker.run());
    let mut connection = world.connection().await;
    eventually("the worker to register", SOON, || {
        let mut connection = connection.clone();
        async move { (connection.zcard::<_, usize>("trap:workers").await.unwrap() == 1).then_some(()) }
    })
    .await;
    // Let its first, empty fetch pass; then it looks again only at its heartbeat, half a minute later.
    tokio::time::sleep(Duration::from_millis(300)).await;
    push(&mut pusher, 1).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(heard.load(Ordering::SeqCst), 0, "the library wakes idle workers now");
    assert_eq!(connection.zcard::<_, usize>("trap:scheduled").await.unwrap(), 1);
    running.abort();
}

#[tokio::test]
async fn an_idempotency_key_means_nothing_by_default() {
    let world = World::new();
    let mut storage = storage(&world, config()).await;
    for n in 0..3 {
        let task = apalis_core::task::builder::TaskBuilder::new(n).idempotency_key("same").build();
        storage.push_task(task).await.unwrap();
    }
    let tasks: usize = world.connection().await.hlen("trap:data").await.unwrap();
    assert_eq!(tasks, 3, "the library honours keys now");
}

#[tokio::test(flavor = "multi_thread")]
async fn max_attempts_is_not_honoured() {
    let world = World::new();
    let mut pusher = storage(&world, config()).await;
    let task = apalis_core::task::builder::TaskBuilder::new(1).max_attempts(1).build();
    pusher.push_task(task).await.unwrap();
    let backend = storage(&world, config()).await.poll_with_interval(Duration::from_millis(50));
    let worker = WorkerBuilder::new("w").backend(backend).build(|_: u32| async { Err::<(), _>(Refused) });
    let running = tokio::spawn(worker.run());
    let connection = world.connection().await;
    eventually("a task of one attempt to be scheduled again", SOON, || {
        let mut connection = connection.clone();
        async move {
            let attempts: Vec<String> = connection.keys("trap:meta:*").await.unwrap();
            let done: Option<u32> = connection.hget(&attempts[0], "attempts").await.unwrap();
            let waits: usize = connection.zcard("trap:scheduled").await.unwrap();
            (done >= Some(1) && waits == 1).then_some(())
        }
    })
    .await;
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_stays_taken_after_a_clean_stop() {
    let world = World::new();
    let run = |backend| {
        let worker =
            WorkerBuilder::new("same").backend(backend).build(|_: u32| async { Ok::<(), Refused>(()) });
        tokio::spawn(worker.run_until(async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok::<(), WorkerError>(())
        }))
    };
    run(storage(&world, config()).await.poll_with_interval(Duration::from_millis(50)))
        .await
        .unwrap()
        .unwrap();
    let again =
        run(storage(&world, config()).await.poll_with_interval(Duration::from_millis(50))).await.unwrap();
    assert!(format!("{:?}", again.unwrap_err()).contains("still active"), "the library forgets names now");
}

#[tokio::test(flavor = "multi_thread")]
async fn locking_tasks_searches_the_whole_list_for_each() {
    let world = World::new();
    let mut counts = Vec::new();
    for lock in [true, false] {
        let mut connection = world.connection().await;
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.unwrap();
        redis::cmd("CONFIG").arg("RESETSTAT").query_async::<()>(&mut connection).await.unwrap();
        let mut pusher = storage(&world, config()).await;
        push(&mut pusher, 5).await;
        let backend =
            storage(&world, config().lock_tasks(lock)).await.poll_with_interval(Duration::from_millis(50));
        let worker = WorkerBuilder::new(format!("w-{lock}"))
            .backend(backend)
            .build(|_: u32| async { Ok::<(), Refused>(()) });
        let running = tokio::spawn(worker.run());
        eventually("five tasks to be done", SOON, || {
            let mut connection = connection.clone();
            async move { (connection.scard::<_, usize>("trap:done").await.unwrap() == 5).then_some(()) }
        })
        .await;
        running.abort();
        let stats: String =
            redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
        counts.push(stats.contains("cmdstat_lrem"));
    }
    assert_eq!(counts, [true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_redis_ends_a_worker_for_good() {
    let world = World::new();
    let backend = storage(&world, config().heartbeat_interval(Duration::from_secs(1))).await;
    let worker = WorkerBuilder::new("w")
        .backend(backend.poll_with_interval(Duration::from_millis(50)))
        .build(|_: u32| async { Ok::<(), Refused>(()) });
    let running = tokio::spawn(worker.run());
    let mut connection = world.connection().await;
    eventually("the worker to register", SOON, || {
        let mut connection = connection.clone();
        async move { (connection.zcard::<_, usize>("trap:workers").await.unwrap() == 1).then_some(()) }
    })
    .await;
    redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.unwrap();
    let ended = tokio::time::timeout(SOON, running).await.unwrap().unwrap();
    assert!(format!("{:?}", ended.unwrap_err()).contains("not registered"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_that_a_layer_caught_is_never_retried() {
    let world = World::new();
    let mut pusher = storage(&world, config()).await;
    push(&mut pusher, 1).await;
    let backend = storage(&world, config()).await.poll_with_interval(Duration::from_millis(50));
    let worker = WorkerBuilder::new("w").backend(backend).catch_panic().build(|n: u32| async move {
        assert_eq!(n, 7, "as asked");
        Ok::<(), Refused>(())
    });
    let running = tokio::spawn(worker.run());
    let connection = world.connection().await;
    eventually("the task to be dead", SOON, || {
        let mut connection = connection.clone();
        async move { (connection.scard::<_, usize>("trap:dead").await.unwrap() == 1).then_some(()) }
    })
    .await;
    running.abort();
    let waits: usize = world.connection().await.zcard("trap:scheduled").await.unwrap();
    assert_eq!(waits, 0, "the library tries again after a panic now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_does_not_count_as_an_attempt() {
    let world = World::new();
    let mut pusher = storage(&world, config()).await;
    push(&mut pusher, 1).await;
    let short = || config().heartbeat_interval(Duration::from_secs(1)).missed_heartbeats(1);
    let started = Arc::new(AtomicUsize::new(0));
    for name in ["first", "second"] {
        let before = started.load(Ordering::SeqCst);
        let counter = started.clone();
        let backend = storage(&world, short()).await.poll_with_interval(Duration::from_millis(50));
        let worker = WorkerBuilder::new(name).backend(backend).build(move |_: u32| {
            counter.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<Result<(), Refused>>()
        });
        let running = tokio::spawn(worker.run());
        eventually("the task to start", SOON, || async {
            (started.load(Ordering::SeqCst) > before).then_some(())
        })
        .await;
        running.abort();
    }
    let mut connection = world.connection().await;
    let meta: Vec<String> = connection.keys("trap:meta:*").await.unwrap();
    let attempts: u32 = connection.hget(&meta[0], "attempts").await.unwrap();
    assert_eq!(attempts, 0, "the library counts crashes now");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_factorys_announcements_wake_nobody() {
    let world = World::new();
    let client = apalis_redis::Client::open(format!("{}?protocol=resp3", world.redis.url())).unwrap();
    let mut factory = apalis_redis::factory::RedisStorageFactory::new(client).await.unwrap();
    let backend = BackendFactory::<u32>::create_with_config(&mut factory, config()).unwrap();
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = heard.clone();
    let worker = WorkerBuilder::new("w").backend(backend).build(move |_: u32| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok::<(), Refused>(()) }
    });
    let running = tokio::spawn(worker.run());
    let connection = world.connection().await;
    eventually("the worker to register", SOON, || {
        let mut connection = connection.clone();
        async move { (connection.zcard::<_, usize>("trap:workers").await.unwrap() == 1).then_some(()) }
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut pusher = storage(&world, config()).await;
    push(&mut pusher, 1).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(heard.load(Ordering::SeqCst), 0, "the factory wakes idle workers now");
    running.abort();
}
