//! Ringing: putting tickets where consumers find them.

use std::time::Duration;

use apalis_redis::Config;
use jobs::Queue;
use redis::{
    AsyncCommands, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use ulid::Ulid;

use crate::{OrFailed, QueueError, redis_name, wake_channel};

/// Most tickets that wait in one queue. The window is small on purpose: order is decided in the ledger, as late as
/// possible.
const WINDOW_MAX: usize = 64;

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct RingOptions {
    /// `redis://[:password@]host:port[/db]`.
    pub url: String,
    /// Starts every key, so that several installations can share a server. No colons.
    pub namespace: String,
    /// How long one command may take, in milliseconds.
    pub command_ms: u64,
}

/// Puts tickets into Redis. Cheap to clone.
#[derive(Clone)]
pub struct Ring {
    connection: ConnectionManager,
    namespace: String,
    script: Script,
}

impl Ring {
    /// Connects lazily: an unreachable server shows at the first ring, and is tried again at each.
    pub fn connect(options: &RingOptions) -> Result<Self, QueueError> {
        let client = redis::Client::open(options.url.as_str()).or_failed("read the Redis address")?;
        let connection = ConnectionManager::new_lazy_with_config(client, manager_config(options))
            .or_failed("reach Redis")?;
        let script = Script::new(include_str!("top_up.lua"));
        Ok(Self { connection, namespace: options.namespace.clone(), script })
    }

    /// Makes sure that `want` tickets of `queue` wait, at most 64; answers how many were added.
    pub async fn top_up(&self, queue: Queue, want: usize) -> Result<usize, QueueError> {
        let want = want.min(WINDOW_MAX);
        let keys = Config::default().queue(redis_name(&self.namespace, queue));
        let mut call = self.script.prepare_invoke();
        call.key(keys.active_jobs_list())
            .key(keys.job_data_hash())
            .key(keys.job_meta_hash())
            .key(keys.done_jobs_set())
            .key(keys.dead_jobs_set())
            .arg(want)
            .arg(wake_channel(&self.namespace, queue))
            .arg("null");
        for _ in 0..want {
            call.arg(Ulid::new().to_string());
        }
        call.invoke_async(&mut self.connection.clone()).await.or_failed("put tickets into Redis")
    }

    /// Tickets of `queue` that nobody has taken.
    pub async fn waiting(&self, queue: Queue) -> Result<u64, QueueError> {
        let keys = Config::default().queue(redis_name(&self.namespace, queue));
        self.connection.clone().llen(keys.active_jobs_list()).await.or_failed("count tickets")
    }

    /// Whether Redis answers.
    pub async fn check(&self) -> Result<(), QueueError> {
        redis::cmd("PING").query_async::<()>(&mut self.connection.clone()).await.or_failed("reach Redis")
    }
}

/// Bounded in every way: the driver's default gives up on a slow answer after half a second and lets retries grow long.
pub(crate) fn manager_config(options: &RingOptions) -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_response_timeout(Some(Duration::from_millis(options.command_ms)))
        .set_connection_timeout(Some(Duration::from_secs(2)))
        .set_number_of_retries(2)
        .set_max_delay(Duration::from_millis(500))
}
