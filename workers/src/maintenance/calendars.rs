//! Looks after calendars: has them read when they are due, and bookings and feeds written when they moved.

use std::time::Duration;

use store::{Db, calendars};
use tokio_util::sync::CancellationToken;

use super::chain;

/// How often to look; at once again while there is more.
const EVERY: Duration = Duration::from_secs(1);

/// Looks once a second until `stop`.
pub async fn run(db: Db, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match calendars::ask(&db).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(error = chain(&error), "Could not look after calendars; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}
