//! Makes deliveries of what happened, for every endpoint that wants to be told.

use std::time::Duration;

use store::{Db, outbox};
use tokio_util::sync::CancellationToken;
use webhooks::Glob;

use super::chain;

/// How often to look; at once again while there is more.
const EVERY: Duration = Duration::from_millis(500);

/// Looks twice a second until `stop`.
pub async fn run(db: Db, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let fits = |pattern: &str, event_type: &str| Glob::new(pattern).fits(event_type);
        match outbox::fan_out(&db, fits).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(error = chain(&error), "Could not make deliveries; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}
