//! Stops the parts of films that nobody waits for, and removes what was made of parts that were joined or abandoned.

use std::{sync::Arc, time::Duration};

use blob::BlobError;
use store::{StoreError, film_parts};
use tokio_util::sync::CancellationToken;

use super::chain;
use crate::deps::Deps;

/// How often to look.
const EVERY: Duration = Duration::from_secs(30);
/// Objects removed at once.
const OBJECTS_MAX: u32 = 1_000;

/// Removes until `stop`.
pub async fn run(deps: Arc<Deps>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match round(&deps).await {
            Ok(0) => {}
            Ok(removed) => {
                tracing::info!(removed, "Removed the parts of films that were joined or abandoned");
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "Could not remove parts of films; trying again soon");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn round(deps: &Deps) -> Result<usize, StoreError> {
    film_parts::abandon_orphans(&deps.db).await?;
    let mut removed = 0;
    for (tenant, workflow) in film_parts::removable(&deps.db).await? {
        match objects(deps, &format!("{tenant}/f/{workflow}/")).await {
            Ok(true) => {
                film_parts::forget(&deps.db, workflow).await?;
                removed += 1;
            }
            // There are more; the next round goes on.
            Ok(false) => {}
            Err(error) => tracing::warn!(error = chain(&error), "Could not remove the parts of a film"),
        }
    }
    Ok(removed)
}

/// Answers whether nothing is left.
async fn objects(deps: &Deps, prefix: &str) -> Result<bool, BlobError> {
    let found = deps.blobs.list(prefix, OBJECTS_MAX).await?;
    for object in found.objects {
        deps.blobs.delete(&object.key).await?;
    }
    Ok(!found.has_more)
}
