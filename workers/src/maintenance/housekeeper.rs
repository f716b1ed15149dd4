//! Once in a while: partitions ahead of time, old history out, expired keys and abandoned uploads forgotten.

use std::{sync::Arc, time::Duration};

use blob::Key;
use chrono::Utc;
use store::{housekeeping, uploads};
use tokio_util::sync::CancellationToken;

use super::chain;
use crate::deps::Deps;

/// How often to clean.
const EVERY: Duration = Duration::from_mins(1);
/// Partitions made ahead of time.
const PARTITION_DAYS_AHEAD: i32 = 7;

/// Cleans once a minute until `stop`, keeping history for `history_days`.
pub async fn run(deps: Arc<Deps>, history_days: u32, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = clean(&deps, history_days).await {
            tracing::warn!(error = chain(&error), "Could not clean up; trying again in a minute");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn clean(deps: &Deps, history_days: u32) -> Result<(), store::StoreError> {
    let db = &deps.db;
    housekeeping::ensure_partitions(db, PARTITION_DAYS_AHEAD).await?;
    let keep_from = Utc::now().date_naive() - chrono::Days::new(u64::from(history_days));
    let dropped = housekeeping::drop_partitions(db, keep_from).await?;
    let forgotten = housekeeping::forget_expired(db).await?;
    if dropped > 0 || forgotten > 0 {
        tracing::info!(partitions = dropped, keys = forgotten, "Cleaned up");
    }
    for upload in uploads::expired_uploads(db).await? {
        let Ok(key) = Key::parse(&upload.object_key) else { continue };
        let multipart = upload.multipart_id.as_deref().map(blob::UploadId::parse);
        if let Some(Ok(multipart)) = multipart
            && let Err(error) = deps.blobs.multipart_abort(&key, &multipart).await
        {
            tracing::debug!(error = chain(&error), "An abandoned multipart upload was gone already");
        }
        match deps.blobs.delete(&key).await {
            Ok(()) => uploads::forget_upload(db, upload.id()).await?,
            Err(error) => tracing::warn!(error = chain(&error), "Could not remove an abandoned upload"),
        }
    }
    Ok(())
}
