//! A Redis, and a consumer that counts what it hears.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jobs::Queue;
use queue::{Consumer, ConsumerOptions, Health, Ring, RingOptions};
use testkit::{RedisServer, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) redis: RedisServer,
    pub(crate) options: RingOptions,
    pub(crate) ring: Ring,
}

impl World {
    pub(crate) fn new() -> Self {
        let redis = RedisServer::start().unwrap();
        let options = RingOptions { url: redis.url(), namespace: "test".into(), command_ms: 2_000 };
        let ring = Ring::connect(&options).unwrap();
        Self { redis, options, ring }
    }

    pub(crate) async fn connection(&self) -> redis::aio::MultiplexedConnection {
        redis::Client::open(self.redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    /// Waits until somebody hears announcements.
    pub(crate) async fn is_listened_to(&self) {
        eventually("the consumer to listen", SOON, || async {
            let mut redis = self.connection().await;
            let (_, listeners): (String, u64) = redis::cmd("PUBSUB")
                .arg("NUMSUB")
                .arg("test.default.wake")
                .query_async(&mut redis)
                .await
                .unwrap();
            (listeners > 0).then_some(())
        })
        .await;
    }

    pub(crate) fn listen(&self, name: &str) -> Ear {
        self.listen_looking_every(1_000, name)
    }

    /// As [`Self::listen`], looking for tickets by itself only this often.
    pub(crate) fn listen_looking_every(&self, look_ms: u64, name: &str) -> Ear {
        self.listen_patiently(look_ms, 1, name)
    }

    /// As [`Self::listen_looking_every`], saying that it lives only this often.
    pub(crate) fn listen_patiently(&self, look_ms: u64, heartbeat_s: u64, name: &str) -> Ear {
        let (heard, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let consumer = self.consumer(look_ms, heartbeat_s, name);
        let (health, counter) = (consumer.health(), heard.clone());
        let on_ticket = move || {
            let counter = counter.clone();
            async move {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        };
        let task = tokio::spawn(consumer.run(on_ticket, stop.clone()));
        Ear { heard, stop, health, task }
    }

    pub(crate) fn consumer(&self, look_ms: u64, heartbeat_s: u64, name: &str) -> Consumer {
        Consumer::new(ConsumerOptions {
            redis: self.options.clone(),
            queue: Queue::Default,
            concurrency: 4,
            name: name.into(),
            heartbeat_s,
            missed_max: 4,
            look_ms,
        })
    }
}

pub(crate) struct Ear {
    heard: Arc<AtomicUsize>,
    pub(crate) stop: CancellationToken,
    pub(crate) health: Health,
    pub(crate) task: JoinHandle<()>,
}

impl Ear {
    pub(crate) fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }

    pub(crate) async fn hears(&self, tickets: usize) {
        let look = || async { (self.heard() >= tickets).then_some(()) };
        eventually(&format!("{tickets} tickets"), SOON, look).await;
    }
}
