//! Removes objects that no row names: of jobs that did not get in, of attempts that did not get through, and of history
//! that is gone.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use blob::{BlobError, Blobs, Key, Listed};
use chrono::{TimeDelta, Utc};
use jobs::{JobId, TenantId};
use store::{Db, StoreError, housekeeping, objects};
use tokio_util::sync::CancellationToken;

use super::chain;
use crate::deps::Deps;

/// How often to look. It lists objects, tenant by tenant.
const EVERY: Duration = Duration::from_hours(1);
/// Objects in one listing.
const PAGE_MAX: u32 = 1_000;
/// Listings for one tenant in one round; the next round goes on from there.
const PAGES_MAX: u32 = 20;
/// An object that no row names and that is older than this is nobody's: from an object to its row takes less.
const UNNAMED_AGE: TimeDelta = TimeDelta::hours(3);

/// Why a round broke off.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The ledger does not say what is named.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store does not answer.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// Collects until `stop`.
pub async fn run(deps: Arc<Deps>, stop: CancellationToken) {
    let mut reached = HashMap::new();
    while !stop.is_cancelled() {
        if let Err(error) = everybody(&deps, &mut reached).await {
            tracing::warn!(
                error = chain(&error),
                "Could not look for objects that no row names; trying again in an hour"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// `reached` keeps how far the last round came, where it did not come to the end.
async fn everybody(deps: &Deps, reached: &mut HashMap<TenantId, String>) -> Result<(), StoreError> {
    for tenant in housekeeping::tenants(&deps.db).await? {
        let mut after = reached.remove(&tenant);
        match collect(&deps.db, &deps.blobs, tenant, UNNAMED_AGE, &mut after).await {
            Ok(0) => {}
            Ok(removed) => {
                tracing::info!(tenant.id = %tenant, files = removed, "Removed objects that no row names");
            }
            Err(error) => tracing::warn!(error = chain(&error), "Could not remove objects that no row names"),
        }
        if let Some(after) = after {
            reached.insert(tenant, after);
        }
    }
    Ok(())
}

/// Removes the objects of `tenant` that no row names and that are older than `age`, from the first name after `after`
/// on; answers how many. `after` is none again when the end was reached.
///
/// # Errors
/// When the ledger or the object store does not answer. What was removed until then is gone.
pub async fn collect(
    db: &Db,
    blobs: &Blobs,
    tenant: TenantId,
    age: TimeDelta,
    after: &mut Option<String>,
) -> Result<usize, CollectError> {
    let prefix = format!("{tenant}/p/");
    let mut removed = 0;
    for _ in 0..PAGES_MAX {
        let page = match after.as_deref() {
            Some(after) => blobs.list_after(&prefix, after, PAGE_MAX).await?,
            None => blobs.list(&prefix, PAGE_MAX).await?,
        };
        let oldest_kept = Utc::now() - age;
        let is_old = |object: &&Listed| object.modified_at.is_some_and(|at| at < oldest_kept);
        let old: Vec<&Key> = page.objects.iter().filter(is_old).map(|object| &object.key).collect();
        let jobs: HashSet<JobId> = old.iter().filter_map(|key| job_of(key)).collect();
        let named = objects::named(db, tenant, &jobs.into_iter().collect::<Vec<_>>()).await?;
        for key in old.into_iter().filter(|key| !named.contains(key.as_str())) {
            blobs.delete(key).await?;
            removed += 1;
        }
        *after = page.last_key.filter(|_| page.has_more);
        if after.is_none() {
            break;
        }
    }
    Ok(removed)
}

fn job_of(key: &Key) -> Option<JobId> {
    key.as_str().split('/').nth(2)?.parse().ok()
}
