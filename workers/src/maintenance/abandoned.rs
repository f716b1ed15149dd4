//! Removes what uploads left behind: those nobody completed, the copies of those whose completing broke off, and the parts of
//! objects that a worker was writing when it died.

use std::{sync::Arc, time::Duration};

use blob::{BlobError, Key, UploadId};
use chrono::{TimeDelta, Utc};
use jobs::TenantId;
use store::{StoreError, housekeeping, uploads, uploads::Upload};
use tokio_util::sync::CancellationToken;

use super::chain;
use crate::deps::Deps;

/// How often to look for uploads whose time is over.
const EVERY: Duration = Duration::from_mins(1);
/// How often to look for files that no row names. It lists objects, tenant by tenant.
const LEFTOVERS_EVERY_ROUNDS: u32 = 60;
/// Files looked at for one tenant in one round.
const LEFTOVERS_MAX: u32 = 1_000;
/// A file on its way in that is older than this is nobody's: the longest an upload may take is well below.
const LEFTOVER_AGE: TimeDelta = TimeDelta::hours(3);
/// Objects that are written in parts, looked at for one tenant in one round.
const MULTIPARTS_MAX: u32 = 1_000;
/// One that began longer ago is nobody's: no attempt lasts so long.
const MULTIPART_AGE: TimeDelta = TimeDelta::hours(24);

/// Cleans until `stop`.
pub async fn run(deps: Arc<Deps>, stop: CancellationToken) {
    let mut round = 0_u32;
    while !stop.is_cancelled() {
        if let Err(error) = expired(&deps).await {
            tracing::warn!(
                error = chain(&error),
                "Could not remove abandoned uploads; trying again in a minute"
            );
        }
        if round.is_multiple_of(LEFTOVERS_EVERY_ROUNDS)
            && let Err(error) = all_leftovers(&deps).await
        {
            tracing::warn!(
                error = chain(&error),
                "Could not look for leftovers of uploads; trying again in an hour"
            );
        }
        round = round.wrapping_add(1);
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn expired(deps: &Deps) -> Result<(), StoreError> {
    for upload in uploads::expired_uploads(&deps.db).await? {
        match remove(deps, &upload).await {
            Ok(()) => uploads::forget_upload(&deps.db, upload.id()).await?,
            Err(error) => tracing::warn!(error = chain(&error), "Could not remove {}", upload.id()),
        }
    }
    Ok(())
}

async fn remove(deps: &Deps, upload: &Upload) -> Result<(), BlobError> {
    // A key or an id that cannot be read names nothing that could be removed.
    let Ok(key) = Key::parse(&upload.object_key) else { return Ok(()) };
    if let Some(Ok(multipart)) = upload.multipart_id.as_deref().map(UploadId::parse) {
        deps.blobs.multipart_abort(&key, &multipart).await?;
    }
    deps.blobs.delete(&key).await
}

async fn all_leftovers(deps: &Deps) -> Result<(), StoreError> {
    for tenant in housekeeping::tenants(&deps.db).await? {
        match leftovers(deps, tenant).await {
            Ok(0) => {}
            Ok(removed) => {
                tracing::info!(tenant.id = %tenant, files = removed, "Removed leftovers of uploads");
            }
            Err(error) => tracing::warn!(error = chain(&error), "Could not remove leftovers of uploads"),
        }
    }
    Ok(())
}

async fn leftovers(deps: &Deps, tenant: TenantId) -> Result<u32, BlobError> {
    let (oldest_kept, oldest_begun) = (Utc::now() - LEFTOVER_AGE, Utc::now() - MULTIPART_AGE);
    let mut removed = 0;
    for object in deps.blobs.list(&format!("{tenant}/u/"), LEFTOVERS_MAX).await?.objects {
        if object.modified_at.is_some_and(|modified_at| modified_at < oldest_kept) {
            deps.blobs.delete(&object.key).await?;
            removed += 1;
        }
    }
    for begun in deps.blobs.multipart_list(&format!("{tenant}/"), MULTIPARTS_MAX).await? {
        if begun.begun_at.is_some_and(|begun_at| begun_at < oldest_begun) {
            deps.blobs.multipart_abort(&begun.key, &begun.upload_id).await?;
            removed += 1;
        }
    }
    Ok(removed)
}
