//! Settles messages whose job ended without sending them, so that none waits for ever and none is skipped in silence.

use std::time::Duration;

use store::{Db, messages};
use telemetry::metrics as names;
use tokio_util::sync::CancellationToken;

use super::chain;

/// How often to look; at once again while there is more.
const EVERY: Duration = Duration::from_secs(10);

/// Looks until `stop`.
pub async fn run(db: Db, stop: CancellationToken) {
    let mut after = None;
    while !stop.is_cancelled() {
        after = match messages::settle_stranded(&db, after).await {
            Ok(round) => {
                tell("failed", round.failed);
                tell("unknown", round.unknown);
                round.next
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "Could not settle stranded messages; trying again");
                None
            }
        };
        if after.is_some() {
            continue;
        }
        settle_digests(&db).await;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn settle_digests(db: &Db) {
    match messages::settle_unclosed(db).await {
        Ok(round) => {
            tell("failed", round.failed);
            if round.retried > 0 {
                tracing::warn!(
                    "{} digests whose job ended without closing them are tried again",
                    round.retried
                );
            }
        }
        Err(error) => {
            tracing::warn!(error = chain(&error), "Could not settle stranded digests; trying again");
        }
    }
}

fn tell(outcome: &'static str, count: u64) {
    if count > 0 {
        metrics::counter!(names::MESSAGES_TOTAL, names::LABEL_OUTCOME => outcome).increment(count);
        tracing::warn!("{count} messages whose job ended without sending them are {outcome}");
    }
}
