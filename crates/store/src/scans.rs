//! What the virus scanner thinks of originals, and what operators think of that.

use jobs::{AssetId, AssetState, TenantId};
use sqlx::PgConnection;

use crate::{
    Db,
    db::commit,
    enqueue::{self, NewJob},
    error::{OrFailed, StoreError},
};

/// Longest text that is kept of what a scanner says.
const SAID_CHARS_MAX: i32 = 500;

/// What a scanner thinks of an original, to be stored with the job's result.
#[derive(Debug, Clone)]
pub struct NewScan {
    /// The original.
    pub asset: AssetId,
    /// What it thinks.
    pub verdict: AssetState,
    /// What it found, or why it could not scan.
    pub finding: Option<String>,
    /// Which scanner it was.
    pub scanner: String,
}

/// An operator's word stands as long as the scanner says nothing new.
pub(crate) async fn record(tx: &mut PgConnection, tenant: TenantId, new: &NewScan) -> Result<(), StoreError> {
    sqlx::query(
        "update asset set
             state = case when $3 in ('infected', 'unscannable') and released_finding = left($4, $6) then 'clean' else $3 end,
             finding = left($4, $6), scanner = left($5, $6), scanned_at = now()
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(new.asset.as_uuid())
    .bind(new.verdict.name())
    .bind(&new.finding)
    .bind(&new.scanner)
    .bind(SAID_CHARS_MAX)
    .execute(tx)
    .await
    .or_failed("store what a scanner thinks of an asset")?;
    Ok(())
}

/// An operator's word.
#[derive(Debug, Clone, Copy)]
pub struct Release<'a> {
    /// The original.
    pub asset: AssetId,
    /// Who says so: the key.
    pub by: &'a str,
    /// Why.
    pub because: &'a str,
}

/// Lets a held original go, and enqueues `next` with it. False when it is not held.
pub async fn release(
    db: &Db,
    tenant: TenantId,
    release: Release<'_>,
    next: &[NewJob],
) -> Result<bool, StoreError> {
    // Not of the pool that lanes are looked up with.
    let mut tx = db.busy_tenant(tenant).await?;
    let released = sqlx::query(
        "update asset set state = 'clean', released_finding = finding, released_by = $3, released_because = $4,
             released_at = now()
         where tenant_id = $1 and id = $2 and state in ('infected', 'unscannable')",
    )
    .bind(tenant.as_uuid())
    .bind(release.asset.as_uuid())
    .bind(release.by)
    .bind(release.because)
    .execute(&mut *tx)
    .await
    .or_failed("release an asset")?;
    if released.rows_affected() == 0 {
        return Ok(false);
    }
    enqueue::insert(db, &mut tx, tenant, next).await?;
    commit(tx, "release an asset").await?;
    Ok(true)
}
