//! Redis: the only crate that names apalis, apalis-redis and redis.
//!
//! A *ticket* says "this queue has work that may run now". It names no job and carries no payload: whoever hears it asks
//! the ledger. So a ticket may ring twice, late, or never, and Redis may be wiped while running.
//!
//! apalis 1.0 is used for what it does well, which is delivering messages to a bounded number of async handlers. Its
//! retries, results, events, locks and scheduling are not used; `tests/it/traps.rs` pins what we found there.
//!
//! **Invariant:** nothing of apalis or redis appears in this crate's public API.

mod consumer;
mod health;
mod ring;

pub use consumer::{Consumer, ConsumerOptions};
pub use health::Health;
pub use ring::{Ring, RingOptions};

/// A Redis operation failed.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation}")]
pub struct QueueError {
    operation: &'static str,
    #[source]
    source: redis::RedisError,
}

/// Names the operation that failed.
trait OrFailed<T> {
    fn or_failed(self, operation: &'static str) -> Result<T, QueueError>;
}

impl<T> OrFailed<T> for Result<T, redis::RedisError> {
    fn or_failed(self, operation: &'static str) -> Result<T, QueueError> {
        self.map_err(|source| QueueError { operation, source })
    }
}

/// The name of a queue in Redis. apalis builds its keys as `name:part`, so a name must not contain a colon.
fn redis_name(namespace: &str, queue: jobs::Queue) -> String {
    format!("{namespace}.{queue}")
}

/// Where tickets are announced.
fn wake_channel(namespace: &str, queue: jobs::Queue) -> String {
    format!("{namespace}.{queue}.wake")
}
