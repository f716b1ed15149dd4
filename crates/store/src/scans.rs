//! What the virus scanner thinks of originals, and what operators think of that.

use jobs::{AssetId, AssetState, Priority, Queue, TenantId, kinds::media_scan::MediaScan};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Db,
    db::commit,
    enqueue::{self, Enqueued, NewJob},
    error::{OrFailed, StoreError},
    outbox,
};

/// Longest text that is kept of what a scanner says.
const SAID_CHARS_MAX: i32 = 500;
/// How long an original is in quarantine before somebody asks whether it is scanned at all, in minutes.
const WAITING_MIN_LEAST: i32 = 60;
/// Originals in quarantine that are looked at in a round.
const WAITING_MAX: i64 = 500;
/// How long after its scan an original may be shown to a scanner that knows more, in days.
const OLD_DAYS_LEAST: i32 = 7;
/// Originals that are shown to it again in a round.
const OLD_MAX: i64 = 200;

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

/// An operator's word stands as long as the scanner says nothing new. Endpoints are told when a file is held that was not.
pub(crate) async fn record(tx: &mut PgConnection, tenant: TenantId, new: &NewScan) -> Result<(), StoreError> {
    let scanned: Option<(String, bool)> = sqlx::query_as(
        "with before as (select id, state from asset where tenant_id = $1 and id = $2 for update)
         update asset set
             state = case when $3 in ('infected', 'unscannable') and asset.released_finding = left($4, $6) then 'clean' else $3 end,
             finding = left($4, $6), scanner = left($5, $6), scanned_at = now()
         from before where asset.tenant_id = $1 and asset.id = before.id
         returning asset.state, asset.state in ('infected', 'unscannable') and asset.state <> before.state",
    )
    .bind(tenant.as_uuid())
    .bind(new.asset.as_uuid())
    .bind(new.verdict.name())
    .bind(&new.finding)
    .bind(&new.scanner)
    .bind(SAID_CHARS_MAX)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("store what a scanner thinks of an asset")?;
    let Some((state, true)) = scanned else { return Ok(()) };
    let data = json!({ "asset": new.asset, "finding": new.finding });
    outbox::tell(tx, tenant, &format!("asset.{state}"), &new.asset.to_string(), &data).await
}

/// Originals that have been in quarantine for an hour, after the one `after`, up to 500 of all tenants.
///
/// # Errors
/// When the database fails.
pub async fn waiting(db: &Db, after: Option<AssetId>) -> Result<Vec<(TenantId, AssetId)>, StoreError> {
    let waiting: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "select tenant_id, id from asset
         where state = 'quarantined' and created_at < now() - $2 * interval '1 min' and ($1::uuid is null or id > $1)
         order by id limit $3",
    )
    .bind(after.map(|after| after.as_uuid()))
    .bind(WAITING_MIN_LEAST)
    .bind(WAITING_MAX)
    .fetch_all(db.pool())
    .await
    .or_failed("look for assets that wait in quarantine")?;
    let named = |(tenant, asset)| (TenantId::from_uuid(tenant), AssetId::from_uuid(asset));
    Ok(waiting.into_iter().map(named).collect())
}

/// Clean originals that another scanner than `scanner`, or the same with other signatures, saw more than a week ago: of the
/// 200 of all tenants that were seen longest ago.
///
/// # Errors
/// When the database fails.
pub async fn outdated(db: &Db, scanner: &str) -> Result<Vec<(TenantId, AssetId)>, StoreError> {
    let old: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "select tenant_id, id from (
             select tenant_id, id, scanner from asset
             where state = 'clean' and scanned_at < now() - make_interval(days => $2) order by scanned_at limit $3
         ) oldest
         where scanner is distinct from left($1, $4)",
    )
    .bind(scanner)
    .bind(OLD_DAYS_LEAST)
    .bind(OLD_MAX)
    .bind(SAID_CHARS_MAX)
    .fetch_all(db.pool())
    .await
    .or_failed("look for assets that were scanned long ago")?;
    let named = |(tenant, asset)| (TenantId::from_uuid(tenant), AssetId::from_uuid(asset));
    Ok(old.into_iter().map(named).collect())
}

/// Has an original scanned, unless it will be anyway. Answers whether nobody would have.
///
/// # Errors
/// When the database fails.
pub async fn scan_again(db: &Db, tenant: TenantId, asset: AssetId) -> Result<bool, StoreError> {
    insert(db, tenant, scan_of(asset)?).await
}

/// As [`scan_again`], where it delays nobody.
///
/// # Errors
/// When the database fails.
pub async fn scan_when_idle(db: &Db, tenant: TenantId, asset: AssetId) -> Result<bool, StoreError> {
    let scan = NewJob { queue: Queue::MediaBulk, priority: Priority::LOW, ..scan_of(asset)? };
    insert(db, tenant, scan).await
}

fn scan_of(asset: AssetId) -> Result<NewJob, StoreError> {
    NewJob::of(&MediaScan { asset })
        .map_err(|error| StoreError::Unreadable { table: "job", found: error.to_string() })
}

async fn insert(db: &Db, tenant: TenantId, scan: NewJob) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let enqueued = enqueue::insert(db, &mut tx, tenant, &[scan]).await?;
    commit(tx, "scan an asset again").await?;
    Ok(enqueued == [Enqueued::Inserted])
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
