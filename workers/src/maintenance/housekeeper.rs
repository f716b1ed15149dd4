//! Once in a while: partitions ahead of time, old history out, expired keys forgotten.

use std::time::Duration;

use chrono::Utc;
use store::{
    Db, alerts, bulk, housekeeping, inbox, messages, observing, outbox, pauses, presence, relatives,
    schedules, weights, workflows,
};
use tokio_util::sync::CancellationToken;

use super::chain;

/// How often to clean.
const EVERY: Duration = Duration::from_mins(1);
/// Partitions made ahead of time.
const PARTITION_DAYS_AHEAD: i32 = 7;

/// Cleans once a minute until `stop`, keeping history for `history_days`.
pub async fn run(db: Db, history_days: u32, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = clean(&db, history_days).await {
            tracing::warn!(error = chain(&error), "Could not clean up; trying again in a minute");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn clean(db: &Db, history_days: u32) -> Result<(), store::StoreError> {
    housekeeping::ensure_partitions(db, PARTITION_DAYS_AHEAD).await?;
    let keep_from = Utc::now().date_naive() - chrono::Days::new(u64::from(history_days));
    let dropped = housekeeping::drop_partitions(db, keep_from).await?;
    let forgotten = housekeeping::forget_expired(db).await?
        + pauses::forget_expired(db).await?
        + bulk::forget(db).await?
        + presence::forget_silent(db).await?
        + observing::forget_sums(db, Utc::now().date_naive()).await?
        + schedules::prune(db, keep_from).await?
        + inbox::prune(db, keep_from).await?
        + outbox::prune(db, keep_from).await?
        + messages::prune(db, keep_from).await?
        + relatives::prune(db, keep_from).await?
        + weights::end_those_over(db).await?
        + alerts::prune(db, keep_from).await?
        + workflows::forget_ended(db, history_days).await?;
    if dropped > 0 || forgotten > 0 {
        tracing::info!(partitions = dropped, keys = forgotten, "Cleaned up");
    }
    Ok(())
}
