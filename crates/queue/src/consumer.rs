//! Hearing: an apalis worker that is kept running whatever happens to Redis.

use std::{convert::Infallible, pin::Pin, time::Duration};

use apalis::prelude::*;
use apalis_core::backend::ext::BackendExt;
use apalis_redis::{Config, RedisStorage};
use futures::{Stream, StreamExt, stream};
use jobs::Queue;
use redis::aio::ConnectionManager;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Health, OrFailed, QueueError, RingOptions, redis_name, ring::manager_config, wake_channel};

/// How a queue is listened to. There is no default: every number is chosen where the process is configured.
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// How to reach Redis.
    pub redis: RingOptions,
    /// Which queue.
    pub queue: Queue,
    /// Tickets handled at once.
    pub concurrency: usize,
    /// Starts the worker's name; a part that is new with every start and restart is added.
    pub name: String,
    /// How often the worker says that it lives, in seconds.
    pub heartbeat_s: u64,
    /// After how many silent heartbeats others take over its tickets.
    pub missed_max: usize,
    /// How often to look for tickets although nobody called, in milliseconds. At most 1,000.
    pub look_ms: u64,
}

/// Listens to one queue.
pub struct Consumer {
    options: ConsumerOptions,
    health: Health,
}

/// A loop that has lasted so long works: what cannot be fetched, or takes too long, ends it sooner.
const WORKS_AFTER: Duration = Duration::from_secs(3);
/// When an announcement sounds again, each time after the one before, unless there is another.
const ECHOES: [Duration; 4] = [
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(80),
    Duration::from_millis(320),
];

type WakeStream = Pin<Box<dyn Stream<Item = ()> + Send>>;

impl Consumer {
    /// A consumer that is not running yet.
    pub fn new(options: ConsumerOptions) -> Self {
        Self { options, health: Health::new() }
    }

    /// Its pulse.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Calls `on_ticket` for every ticket until `stop`. When the apalis worker ends, for whatever reason, another one is
    /// started under another name: after 50 ms at first, after 2 s at most. Ends when `stop` is cancelled and no
    /// `on_ticket` is under way.
    pub async fn run<F, Fut>(self, on_ticket: F, stop: CancellationToken)
    where
        F: Fn() -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (bell, _) = watch::channel(0_u64);
        let listener = tokio::spawn(listen(self.options.clone(), bell.clone(), stop.clone()));
        let mut pause = Duration::from_millis(50);
        while !stop.is_cancelled() {
            let began = tokio::time::Instant::now();
            let ended = self.run_once(on_ticket.clone(), bell.subscribe(), stop.clone()).await;
            if stop.is_cancelled() {
                break;
            }
            if let Err(error) = ended {
                self.health.set_failing(true);
                tracing::warn!(queue.name = %self.options.queue, error, "The ticket loop ended; starting another");
            }
            if began.elapsed() > Duration::from_secs(10) {
                pause = Duration::from_millis(50);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
            pause = (pause * 2).min(Duration::from_secs(2));
        }
        listener.abort();
    }

    async fn run_once<F, Fut>(
        &self,
        on_ticket: F,
        bell: watch::Receiver<u64>,
        stop: CancellationToken,
    ) -> Result<(), String>
    where
        F: Fn() -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let options = &self.options;
        let connection = connect(&options.redis).await.map_err(|error| chain(&error))?;
        // A name may not return while Redis remembers it, and Redis remembers it even after a clean stop.
        let name = format!("{}-{}", options.name, uuid::Uuid::new_v4().simple());
        let config = Config::default()
            .queue(redis_name(&options.redis.namespace, options.queue))
            // What one fetch takes is in flight at once: never more than can be handled.
            .batch_size(options.concurrency)
            .lock_tasks(false)
            .emit_events(false)
            .persist_results(true)
            .heartbeat_interval(Duration::from_secs(options.heartbeat_s))
            .missed_heartbeats(options.missed_max);
        let storage = RedisStorage::<()>::new(connection.clone()).with_config(config.clone());
        let wake = wake_stream(bell, Duration::from_millis(options.look_ms), self.health.clone());
        let handle = move |(): ()| {
            // A task of its own: when this loop ends around it, what it has begun goes on to its end.
            let call = tokio::spawn(on_ticket());
            async move {
                if let Err(error) = call.await {
                    tracing::error!(error = %error, "A ticket was not answered to the end");
                }
                Ok::<(), Infallible>(())
            }
        };
        let worker = WorkerBuilder::new(name.as_str())
            .backend(storage.poll_with_stream(wake))
            .concurrency(options.concurrency)
            .build(handle);
        // Spawned: polled next to other futures, the worker would be woken by their wake-ups too, and lean on it.
        let running = tokio::spawn(worker.run_until(async move {
            stop.cancelled().await;
            Ok::<(), WorkerError>(())
        }));
        let ended = running.await;
        forget(connection, &config, &name).await;
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(chain(&error)),
            Err(panic) => Err(chain(&panic)),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    jobs::failure::Problem::of("", error).message
}

async fn connect(options: &RingOptions) -> Result<ConnectionManager, QueueError> {
    let client = redis::Client::open(options.url.as_str()).or_failed("read the Redis address")?;
    client.get_connection_manager_with_config(manager_config(options)).await.or_failed("reach Redis")
}

/// Removes what apalis leaves behind of a worker that ended: its name, its metadata, and the tickets it had taken.
/// Those tickets are worth nothing; the ledger's release rings again for whatever still waits.
async fn forget(mut connection: ConnectionManager, config: &Config, name: &str) {
    let context = apalis_core::worker::context::WorkerContext::new(name);
    let cleared: Result<(), _> = redis::pipe()
        .zrem(config.workers_set(), name)
        .del(config.worker_metadata_key(&context))
        .del(config.inflight_set_for(&context))
        .query_async(&mut connection)
        .await;
    if let Err(error) = cleared {
        tracing::debug!(error = %error, "Could not remove a worker's name from Redis; it will be forgotten in time");
    }
}

/// Wakes the worker when tickets were announced, and every `look` in any case. Being asked for the next wake-up is the
/// sign that the loop still turns.
///
/// apalis begins a fetch when it is woken, unless one is under way: then the announcement of a ticket that came too late
/// for that one is forgotten. So an announcement echoes for a moment, until another one comes. And apalis asks for the
/// next wake-up only when it is polled, so each wake-up has it polled once more.
fn wake_stream(bell: watch::Receiver<u64>, look: Duration, health: Health) -> WakeStream {
    let began = tokio::time::Instant::now();
    let mut wakes =
        stream::unfold((bell, health, ECHOES.iter()), move |(mut bell, health, mut echoes)| async move {
            health.beat();
            if began.elapsed() >= WORKS_AFTER {
                health.set_failing(false);
            }
            tokio::select! {
                _ = bell.changed() => echoes = ECHOES.iter(),
                () = tokio::time::sleep(echoes.next().copied().unwrap_or(look)) => {}
            }
            Some(((), (bell, health, echoes)))
        })
        .boxed();
    stream::poll_fn(move |cx| {
        let woken = wakes.poll_next_unpin(cx);
        if woken.is_ready() {
            cx.waker().wake_by_ref();
        }
        woken
    })
    .boxed()
}

/// Turns announcements into wake-ups, reconnecting for as long as it takes.
async fn listen(options: ConsumerOptions, bell: watch::Sender<u64>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = listen_once(&options, &bell).await {
            tracing::debug!(error = %chain(&error), "Cannot hear announcements of tickets; looking once a second");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn listen_once(options: &ConsumerOptions, bell: &watch::Sender<u64>) -> Result<(), QueueError> {
    let client = redis::Client::open(options.redis.url.as_str()).or_failed("read the Redis address")?;
    let mut announcements = client.get_async_pubsub().await.or_failed("listen for announcements")?;
    let channel = wake_channel(&options.redis.namespace, options.queue);
    announcements.subscribe(channel).await.or_failed("listen for announcements")?;
    let mut announcements = announcements.into_on_message();
    while announcements.next().await.is_some() {
        bell.send_modify(|rings| *rings = rings.wrapping_add(1));
    }
    Ok(())
}
