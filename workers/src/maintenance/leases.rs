//! Keeping this process's leases, and stopping what somebody wants stopped.

use std::{sync::Arc, time::Duration};

use store::{
    Db, cancel, claim,
    notices::{For, Notice, Notices},
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{chain, door::Door};
use crate::{held::Held, stop::Reason};

/// How often to ask which running jobs should stop, in case a notice was missed.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Renews every lease three times in its life, until `stop`. When the ledger cannot be reached for the length of a lease,
/// everything is stopped at its end and not later: from then on another worker may have it.
pub async fn renew(db: Db, held: Arc<Held>, ttl: Duration, stop: CancellationToken) {
    let mut renewed = Instant::now();
    while !stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(within(ttl, renewed)) => {}
            () = stop.cancelled() => return,
        }
        let leases = held.leases();
        if leases.is_empty() {
            renewed = Instant::now();
            continue;
        }
        stop_if_over(&held, renewed, ttl);
        let asked = Instant::now();
        match tokio::time::timeout(within(ttl, renewed), claim::renew(&db, &leases, ttl)).await {
            Ok(Ok(standing)) => {
                held.stop_unless(&leases, &standing);
                renewed = asked;
            }
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "Could not renew leases; trying again"),
            Err(_) => tracing::warn!("The database takes too long to renew leases; trying again"),
        }
        stop_if_over(&held, renewed, ttl);
    }
}

/// Stops everything when the leases that were `renewed` last are over.
fn stop_if_over(held: &Held, renewed: Instant, ttl: Duration) {
    if renewed.elapsed() >= ttl {
        tracing::error!("No lease could be renewed in time; stopping every job");
        held.stop_all(Reason::LeaseLost);
    }
}

/// A third of a lease, but not past the end of those that were `renewed` last; a third again when that is over.
fn within(ttl: Duration, renewed: Instant) -> Duration {
    match ttl.saturating_sub(renewed.elapsed()) {
        Duration::ZERO => ttl / 3,
        left => left.min(ttl / 3),
    }
}

/// Listens for work, for bulk operations and for jobs to stop, until `stop`.
pub async fn listen(db: Db, held: Arc<Held>, door: Door, bulk: Arc<Notify>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let heard = tokio::select! {
            heard = hear(&db, &held, &door, &bulk) => heard,
            () = stop.cancelled() => return,
        };
        if let Err(error) = heard {
            tracing::warn!(error = chain(&error), "Cannot hear notices; looking once a second");
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

async fn hear(db: &Db, held: &Held, door: &Door, bulk: &Notify) -> Result<(), store::StoreError> {
    let mut notices = Notices::listen(db, For::Workers).await?;
    loop {
        match notices.next().await {
            Notice::Cancel(job) => {
                if let Ok(job) = job.parse() {
                    held.stop_job(job, Reason::Requested);
                }
            }
            Notice::Bulk => bulk.notify_one(),
            Notice::Jobs(queue) => door.knock(queue),
            Notice::Resumed | Notice::Moved(_) => door.knock(None),
        }
    }
}

/// Asks once a second which of the running jobs should stop, until `stop`.
pub async fn ask(db: Db, held: Arc<Held>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            () = stop.cancelled() => return,
        }
        let running = held.jobs();
        if running.is_empty() {
            continue;
        }
        match cancel::requested(&db, &running).await {
            Ok(wanted) => wanted.into_iter().for_each(|job| held.stop_job(job, Reason::Requested)),
            Err(error) => tracing::debug!(error = chain(&error), "Could not ask which jobs should stop"),
        }
    }
}
