//! The sweep: takes back jobs whose worker stopped renewing its lease, and puts lanes to sleep.

use std::time::Duration;

use store::{Db, cancel, lanes, rescue};
use tokio_util::sync::CancellationToken;

use super::chain;

/// Sweeps every `every` until `stop`.
pub async fn run(db: Db, every: Duration, stop: CancellationToken) {
    while !stop.is_cancelled() {
        sweep(&db).await;
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn sweep(db: &Db) {
    loop {
        match rescue::rescue(db, rescue::From::Anyone).await {
            Ok(rescued) if rescued.is_empty() => break,
            Ok(rescued) => report(&rescued),
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "Could not rescue jobs; trying again at the next sweep"
                );
                break;
            }
        }
    }
    if let Err(error) = lanes::tidy(db).await {
        tracing::warn!(error = chain(&error), "Could not tidy the lanes; trying again at the next sweep");
    }
    if let Err(error) = cancel::finish_requested(db).await {
        tracing::warn!(
            error = chain(&error),
            "Could not finish cancelled jobs; trying again at the next sweep"
        );
    }
}

/// Logs and counts what was rescued.
pub(super) fn report(rescued: &[rescue::Rescued]) {
    for job in rescued {
        metrics::counter!(telemetry::metrics::JOBS_RESCUED_TOTAL, "outcome" => job.outcome.clone())
            .increment(1);
        tracing::warn!(job.id = %job.job, worker.name = job.worker, job.outcome = job.outcome, "Rescued {}", job.job);
    }
}
