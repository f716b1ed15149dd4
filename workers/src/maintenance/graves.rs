//! Deletes originals whose time is over, and removes the objects of those that were deleted, and archives that nobody may
//! have any more.

use std::{sync::Arc, time::Duration};

use blob::{BlobError, Key};
use store::{StoreError, assets, deliveries, graves};
use tokio_util::sync::CancellationToken;

use super::chain;
use crate::deps::Deps;

/// How often to look.
const EVERY: Duration = Duration::from_mins(1);
/// Objects of one original that are removed at once: its own, and what presets made of it.
const OBJECTS_MAX: u32 = 1_000;
/// Longest time to remove them in: a lock is held meanwhile, which Postgres takes away after 30 s of silence.
const REMOVE_MAX: Duration = Duration::from_secs(15);

/// Removes until `stop`.
pub async fn run(deps: Arc<Deps>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match round(&deps).await {
            Ok((0, 0)) => {}
            Ok((assets, removed)) => {
                tracing::info!(
                    assets,
                    removed,
                    "Deleted originals whose time is over, objects of deleted ones, and archives"
                );
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "Could not delete originals; trying again in a minute");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn round(deps: &Deps) -> Result<(u64, u32), StoreError> {
    let (assets, mut removed) = (assets::delete_due(&deps.db).await?, 0);
    for name in graves::due(&deps.db).await? {
        let Some(removal) = graves::remove(&deps.db, &name).await? else { continue };
        match tokio::time::timeout(REMOVE_MAX, objects(deps, &name)).await {
            Ok(Ok(true)) => {
                removal.done().await?;
                removed += 1;
            }
            // There are more; the next round goes on.
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = chain(&error), "Could not remove objects of an original");
            }
            Err(_) => tracing::warn!("Removing the objects of an original took too long"),
        }
    }
    Ok((assets, removed + archives(deps).await?))
}

async fn archives(deps: &Deps) -> Result<u32, StoreError> {
    let mut removed = 0;
    for grave in deliveries::due_archives(&deps.db).await? {
        let Some(burial) = deliveries::bury_archive(&deps.db, &grave).await? else { continue };
        match tokio::time::timeout(REMOVE_MAX, archive(deps, &grave.1)).await {
            Ok(Ok(())) => {
                burial.done().await?;
                removed += 1;
            }
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "Could not remove an archive"),
            Err(_) => tracing::warn!("Removing an archive took too long"),
        }
    }
    Ok(removed)
}

async fn archive(deps: &Deps, object_key: &str) -> Result<(), BlobError> {
    // A name that is no key names nothing that could be removed.
    let Ok(key) = Key::parse(object_key) else { return Ok(()) };
    deps.blobs.delete(&key).await
}

/// What was made of the original goes before the original. Answers whether nothing is left.
async fn objects(deps: &Deps, (tenant, sha256): &graves::Name) -> Result<bool, BlobError> {
    let tenant = tenant.to_string();
    // A name that is no key names nothing that could be removed.
    let Ok(original) = Key::original(&tenant, sha256) else { return Ok(true) };
    let made = deps.blobs.list(&format!("{tenant}/r/{sha256}/"), OBJECTS_MAX).await?;
    for object in made.objects {
        deps.blobs.delete(&object.key).await?;
    }
    if made.has_more {
        return Ok(false);
    }
    deps.blobs.delete(&original).await?;
    Ok(true)
}
