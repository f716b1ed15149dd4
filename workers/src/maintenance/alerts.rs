//! Looks at what people want to be told of, and has them told.

use std::time::Duration;

use store::{Db, StoreError, alerts, turns};
use telemetry::metrics as names;
use tokio_util::sync::CancellationToken;

use super::chain;

/// How often rules are looked at, in seconds, by whichever process takes the turn.
const EVERY_S: u32 = 15;
/// How often a process asks for the turn.
const ASK: Duration = Duration::from_secs(5);

/// Looks until `stop`.
pub async fn run(db: Db, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = turn(&db, &stop).await {
            tracing::warn!(error = chain(&error), "Could not look at the rules for alerts; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(ASK) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Looks at every rule, if nobody else has just done so.
async fn turn(db: &Db, stop: &CancellationToken) -> Result<(), StoreError> {
    if !turns::take(db, "alerts", EVERY_S).await? {
        return Ok(());
    }
    let mut after = None;
    while !stop.is_cancelled() {
        let round = alerts::look(db, after).await?;
        tell("firing", round.fired);
        tell("resolved", round.resolved);
        after = round.next;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

fn tell(turn: &'static str, count: u64) {
    if count > 0 {
        metrics::counter!(names::ALERTS_TOTAL, names::LABEL_OUTCOME => turn).increment(count);
        tracing::info!(count, "Alerts are {turn}");
    }
}
