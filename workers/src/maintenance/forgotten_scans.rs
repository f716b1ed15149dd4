//! Has originals scanned that wait in quarantine though nobody is at it: their scan was cancelled, or given up.

use std::time::Duration;

use jobs::AssetId;
use store::{Db, StoreError, scans};
use tokio_util::sync::CancellationToken;

use super::chain;

/// How often to look. An original whose scan ends without a verdict again and again is scanned no more often than that.
const EVERY: Duration = Duration::from_hours(1);

/// Looks until `stop`.
pub async fn run(db: Db, stop: CancellationToken) {
    let mut after = None;
    while !stop.is_cancelled() {
        match round(&db, after).await {
            Ok((next, 0)) => after = next,
            Ok((next, scans)) => {
                tracing::warn!(scans, "Originals waited in quarantine without a scan, and have one now");
                after = next;
            }
            Err(error) => tracing::warn!(error = chain(&error), "Could not look for forgotten scans"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Answers after which original to go on, and how many scans were missing.
async fn round(db: &Db, after: Option<AssetId>) -> Result<(Option<AssetId>, u64), StoreError> {
    let waiting = scans::waiting(db, after).await?;
    let mut missing = 0;
    for (tenant, asset) in &waiting {
        missing += u64::from(scans::scan_again(db, *tenant, *asset).await?);
    }
    Ok((waiting.last().map(|(_, asset)| *asset), missing))
}
