//! Bulk operations, a batch at a time.
//!
//! Every process looks for them and none is in charge: the row says how far an operation is, so whoever comes by goes on
//! from there. A process that dies takes nothing with it but the batch that it did not commit.

use std::{sync::Arc, time::Duration};

use store::{
    Db,
    bulk::{self, OperationState, Stepped},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::chain;

/// How often to look although nobody called.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Does batches until `stop`, resting between them.
pub async fn run(db: Db, called: Arc<Notify>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match bulk::step(&db).await {
            Ok(Some(stepped)) => {
                report(&stepped);
                tokio::select! {
                    () = tokio::time::sleep(stepped.rest) => {}
                    () = stop.cancelled() => {}
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "Could not do a batch of a bulk operation; trying again"
                );
            }
        }
        tokio::select! {
            () = called.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

fn report(stepped: &Stepped) {
    for (outcome, jobs) in
        [("changed", stepped.changed), ("skipped", stepped.skipped), ("failed", stepped.failed)]
    {
        if jobs > 0 {
            metrics::counter!(
                telemetry::metrics::BULK_JOBS_TOTAL, "action" => stepped.action.clone(), "outcome" => outcome
            )
            .increment(jobs as u64);
        }
    }
    let (operation, action) = (stepped.operation, &stepped.action);
    match (&stepped.error, stepped.state) {
        (Some(problem), _) => tracing::error!(
            tenant.id = %stepped.tenant, bulk.id = %operation, error = problem.message, "{operation} ({action}) cannot go on"
        ),
        (None, OperationState::Completed) => tracing::info!(
            tenant.id = %stepped.tenant, bulk.id = %operation, "{operation} ({action}) has met every job"
        ),
        _ => {}
    }
}
