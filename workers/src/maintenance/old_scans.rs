//! Has clean originals scanned again that the virus scanner saw long ago, when it knows more than it did.

use std::{sync::Arc, time::Duration};

use store::{StoreError, scans};
use tokio_util::sync::CancellationToken;

use super::chain;
use crate::deps::Deps;

/// How often to look.
const EVERY: Duration = Duration::from_mins(10);

/// Looks until `stop`.
pub async fn run(deps: Arc<Deps>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match round(&deps).await {
            Ok(0) => {}
            Ok(scans) => tracing::info!(scans, "Originals that were scanned long ago are scanned again"),
            Err(error) => tracing::warn!(error = chain(&error), "Could not look for old scans"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Answers how many originals will be scanned again.
async fn round(deps: &Deps) -> Result<u64, StoreError> {
    // A scanner that is away is said to be by those who need it now.
    let Ok(scanner) = deps.clamd.version().await else { return Ok(0) };
    let mut again = 0;
    for (tenant, asset) in scans::outdated(&deps.db, &scanner).await? {
        again += u64::from(scans::scan_when_idle(&deps.db, tenant, asset).await?);
    }
    Ok(again)
}
