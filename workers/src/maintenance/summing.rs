//! Sums up each minute of work once it is over, for those who look at the last hour.

use std::time::Duration;

use store::{
    Db,
    observing::{self, MINUTES_MAX},
};
use tokio_util::sync::CancellationToken;

use super::chain;

/// How often to look.
const EVERY: Duration = Duration::from_secs(5);

/// Sums up until `stop`. Where many minutes are behind, one goes on without rest.
pub async fn run(db: Db, stop: CancellationToken) {
    let mut most = MINUTES_MAX;
    while !stop.is_cancelled() {
        let summed = observing::sum_up(&db, most).await;
        // Many minutes of much work may take longer than a statement may: one of them may not.
        most = if summed.is_ok() { MINUTES_MAX } else { 1 };
        if let Err(error) = &summed {
            tracing::warn!(error = chain(error), "Could not sum up the last minutes; trying again");
        }
        if summed.is_ok_and(|minutes| minutes > 1) {
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}
