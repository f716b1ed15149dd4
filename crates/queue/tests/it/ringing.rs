use jobs::Queue;
use redis::AsyncCommands;
use testkit::eventually;

use crate::world::{SOON, World};

#[tokio::test]
async fn the_window_is_filled_and_never_overfilled() {
    let world = World::new();
    assert_eq!(world.ring.top_up(Queue::Default, 10).await.unwrap(), 10);
    assert_eq!(world.ring.top_up(Queue::Default, 10).await.unwrap(), 0);
    assert_eq!(world.ring.top_up(Queue::Default, 12).await.unwrap(), 2);
    assert_eq!(world.ring.top_up(Queue::Default, 100_000).await.unwrap(), 52);
    assert_eq!(world.ring.waiting(Queue::Default).await.unwrap(), 64);
    assert_eq!(world.ring.waiting(Queue::Media).await.unwrap(), 0);
}

#[tokio::test]
async fn many_ringers_together_ring_no_more_than_one() {
    let world = World::new();
    let ringers = (0..20).map(|_| world.ring.top_up(Queue::Default, 30));
    let added: usize = futures::future::join_all(ringers).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(added, 30);
}

#[tokio::test]
async fn redis_holds_nothing_of_tickets_that_are_done() {
    let world = World::new();
    let ear = world.listen("w");
    for round in 1..=5 {
        world.ring.top_up(Queue::Default, 60).await.unwrap();
        ear.hears(round * 60).await;
    }
    let mut connection = world.connection().await;
    eventually("done tickets to be cleared away", SOON, || {
        let (ring, mut connection) = (world.ring.clone(), connection.clone());
        async move {
            ring.top_up(Queue::Default, 0).await.unwrap();
            let left: usize = connection.hlen("test.default:data").await.unwrap();
            (left == 0).then_some(())
        }
    })
    .await;
    let keys: Vec<String> = connection.keys("test.default:*").await.unwrap();
    assert!(keys.len() < 12, "{keys:?}");
}

#[tokio::test]
async fn an_unreachable_redis_is_an_error_in_bounded_time_and_passes() {
    let mut world = World::new();
    world.redis.kill();
    let began = std::time::Instant::now();
    assert!(world.ring.top_up(Queue::Default, 1).await.is_err());
    assert!(began.elapsed() < SOON);
    world.redis.begin().unwrap();
    eventually("the ring to reconnect", SOON, || async { world.ring.top_up(Queue::Default, 1).await.ok() })
        .await;
}
