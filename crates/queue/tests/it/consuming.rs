use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jobs::Queue;
use testkit::eventually;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::world::{SOON, World};

#[tokio::test(flavor = "multi_thread")]
async fn every_ticket_is_heard_once() {
    let world = World::new();
    let ears = [world.listen("a"), world.listen("b")];
    for _ in 0..10 {
        world.ring.top_up(Queue::Default, 50).await.unwrap();
        eventually("the window to empty", SOON, || async {
            (world.ring.waiting(Queue::Default).await.unwrap() == 0).then_some(())
        })
        .await;
    }
    eventually("all 500 tickets", SOON, || async {
        (ears[0].heard() + ears[1].heard() == 500).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_consumer_hears_at_once() {
    let world = World::new();
    // It looks by itself once an hour: whatever it hears, it was woken by an announcement.
    let ear = world.listen_looking_every(3_600_000, "w");
    world.is_listened_to().await;
    for tickets in 1..=20 {
        world.ring.top_up(Queue::Default, 1).await.unwrap();
        ear.hears(tickets).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_cannot_take_tickets_says_so_until_it_can() {
    let world = World::new();
    let ear = world.listen("w");
    world.ring.top_up(Queue::Default, 1).await.unwrap();
    ear.hears(1).await;
    assert!(!ear.health.is_failing());
    world.redis.tell("CONFIG SET maxmemory 1").unwrap();
    eventually("it to say so", SOON, || async { ear.health.is_failing().then_some(()) }).await;
    world.redis.tell("CONFIG SET maxmemory 0").unwrap();
    eventually("it to be well", SOON, || async { (!ear.health.is_failing()).then_some(()) }).await;
    world.ring.top_up(Queue::Default, 1).await.unwrap();
    ear.hears(2).await;
}

/// An announcement may come in the very moment in which a fetch finds nothing. It was for a ticket put after that.
#[tokio::test(flavor = "multi_thread")]
async fn no_announcement_is_swallowed() {
    let world = World::new();
    // Neither a look nor a sign of life comes to its help.
    let ear = world.listen_patiently(3_600_000, 3_600, "w");
    world.is_listened_to().await;
    for round in 0..100 {
        let before = ear.heard();
        let rings = (0..40).map(|ring| {
            let bell = world.ring.clone();
            async move {
                tokio::time::sleep(Duration::from_micros(300 * ring)).await;
                bell.top_up(Queue::Default, 1).await.unwrap()
            }
        });
        let tickets: usize = futures::future::join_all(rings).await.into_iter().sum();
        let heard = || async { (ear.heard() == before + tickets).then_some(()) };
        eventually(&format!("{tickets} tickets of round {round}"), SOON, heard).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_redis_is_survived() {
    let world = World::new();
    let ear = world.listen("w");
    world.ring.top_up(Queue::Default, 1).await.unwrap();
    ear.hears(1).await;
    redis::cmd("FLUSHALL").query_async::<()>(&mut world.connection().await).await.unwrap();
    let before = ear.heard();
    eventually("tickets after the wipe", SOON, || async {
        world.ring.top_up(Queue::Default, 1).await.unwrap();
        (ear.heard() > before).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_goes_on_when_the_loop_around_it_ends() {
    let world = World::new();
    let (begun, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (go, stop) = (Arc::new(Semaphore::new(0)), CancellationToken::new());
    let on_ticket = {
        let (begun, go, done) = (begun.clone(), go.clone(), done.clone());
        move || {
            let (begun, go, done) = (begun.clone(), go.clone(), done.clone());
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                go.acquire().await.unwrap().forget();
                done.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let running = tokio::spawn(world.consumer(1_000, 1, "w").run(on_ticket, stop.clone()));
    let begins = async |tickets: usize| {
        eventually("a ticket to begin", SOON, || async {
            let _ = world.ring.top_up(Queue::Default, 1).await;
            (begun.load(Ordering::SeqCst) >= tickets).then_some(())
        })
        .await;
    };
    begins(1).await;
    redis::cmd("FLUSHALL").query_async::<()>(&mut world.connection().await).await.unwrap();
    let before = begun.load(Ordering::SeqCst);
    begins(before + 1).await;
    assert_eq!(done.load(Ordering::SeqCst), 0);
    go.add_permits(1_000);
    eventually("all that was begun to be done", SOON, || async {
        let begun = begun.load(Ordering::SeqCst);
        (begun > before && done.load(Ordering::SeqCst) == begun).then_some(())
    })
    .await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_redis_is_survived() {
    let mut world = World::new();
    let ear = world.listen("w");
    world.ring.top_up(Queue::Default, 1).await.unwrap();
    ear.hears(1).await;
    world.redis.kill();
    world.redis.begin().unwrap();
    let before = ear.heard();
    let ring = world.ring.clone();
    eventually("tickets after the restart", SOON, || async {
        // Until it has reconnected the ring may fail.
        let _ = ring.top_up(Queue::Default, 1).await;
        (ear.heard() > before).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pulse_stops_with_the_loop() {
    let world = World::new();
    let ear = world.listen("w");
    world.ring.top_up(Queue::Default, 1).await.unwrap();
    ear.hears(1).await;
    assert!(ear.health.silent_for() < Duration::from_secs(2));
    ear.stop.cancel();
    ear.task.await.unwrap();
    let silent = ear.health.silent_for();
    eventually("silence", SOON, || async {
        (ear.health.silent_for() > silent + Duration::from_millis(50)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_may_come_back_at_once() {
    let world = World::new();
    for _ in 0..2 {
        let ear = world.listen("same");
        world.ring.top_up(Queue::Default, 1).await.unwrap();
        ear.hears(1).await;
        ear.stop.cancel();
        ear.task.await.unwrap();
    }
}
