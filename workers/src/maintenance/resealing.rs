//! Seals what waits under the newest data key of its tenant.

use std::{collections::HashMap, sync::Arc, time::Duration};

use blob::Blobs;
use jobs::TenantId;
use payloads::{Of, PayloadError};
use store::{
    Db, StoreError,
    payload::{Field, Payload},
    sealing::{self, Encrypted, Stale},
};
use tokio_util::sync::CancellationToken;

use super::chain;
use crate::deps::Deps;

/// How often to look for new keys.
const EVERY: Duration = Duration::from_mins(1);
/// Rest after a page in which something was sealed anew, so that it never takes more than a part of a disk.
const REST: Duration = Duration::from_millis(50);

/// Seals anew until `stop`.
pub async fn run(deps: Arc<Deps>, stop: CancellationToken) {
    let mut done = HashMap::new();
    while !stop.is_cancelled() {
        if let Err(error) = everybody(&deps, &mut done, &stop).await {
            tracing::warn!(error = chain(&error), "Could not seal anew what waits; trying again in a minute");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// `done` keeps under which key everything of a tenant was found.
async fn everybody(
    deps: &Deps,
    done: &mut HashMap<TenantId, i32>,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    for Encrypted { tenant, newest, is_everywhere } in sealing::encrypted(&deps.db).await? {
        if done.get(&tenant) == Some(&newest) {
            continue;
        }
        tokio::select! {
            sealed = reseal(&deps.db, &deps.blobs, tenant, newest) => match sealed {
                Ok(0) if is_everywhere => _ = done.insert(tenant, newest),
                Ok(0) => {}
                Ok(jobs) => tracing::info!(tenant.id = %tenant, jobs, "Sealed what waits under a new key"),
                Err(error) => tracing::warn!(error = chain(&error), "Could not seal anew what waits"),
            },
            () = stop.cancelled() => {}
        }
    }
    Ok(())
}

/// Seals the arguments of every live job of `tenant` under `newest` that are not; answers how many were found.
///
/// # Errors
/// When the ledger or the object store does not answer, or something cannot be opened.
pub async fn reseal(db: &Db, blobs: &Blobs, tenant: TenantId, newest: i32) -> Result<usize, PayloadError> {
    let (mut after, mut found) = (None, 0);
    loop {
        let page = sealing::stale(db, tenant, newest, after).await?;
        let mut anew = Vec::with_capacity(page.stale.len());
        for stale in page.stale {
            anew.push(match stale {
                Stale::Row(job, args) => (job, args),
                Stale::Object(job, object) => {
                    let of = Of { tenant, job, field: Field::Args };
                    (job, Payload::Object(payloads::reseal(db, blobs, of, &object).await?))
                }
            });
        }
        if !anew.is_empty() {
            found += anew.len();
            sealing::replace(db, tenant, &anew).await?;
            tokio::time::sleep(REST).await;
        }
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}
