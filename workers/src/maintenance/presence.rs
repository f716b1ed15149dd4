//! Says that this process is there, so that others can tell a queue nobody listens to from one that is busy.

use std::{sync::Arc, time::Duration};

use jobs::Queue;
use store::{Db, presence};
use tokio_util::sync::CancellationToken;

use super::chain;

/// How often. Whoever was silent for 30 s does not count.
const EVERY: Duration = Duration::from_secs(5);

/// Says so every five seconds until `stop`, and then that it is gone.
pub async fn run(db: Db, worker: Arc<str>, listens_to: Vec<(Queue, usize)>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = presence::here(&db, &worker, env!("CARGO_PKG_VERSION"), &listens_to).await {
            tracing::debug!(error = chain(&error), "Could not say that this worker is there");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
    if let Err(error) = presence::gone(&db, &worker).await {
        tracing::debug!(error = chain(&error), "Could not say that this worker is gone");
    }
}
