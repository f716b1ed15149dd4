//! Files on their way in: announced, completed, rejected, forgotten.

use chrono::{DateTime, Utc};
use jobs::{AssetId, TenantId, UploadId, failure::Problem};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    enqueue::{self, NewJob},
    error::{OrFailed, StoreError},
    graves,
    media::NewAsset,
};

/// A file on its way in.
#[derive(Debug, Clone, FromRow)]
pub struct Upload {
    id: Uuid,
    /// `pending`, `completed` or `rejected`.
    pub state: String,
    /// What the client calls it; never trusted.
    pub filename: Option<String>,
    /// What the client says it is; never trusted.
    pub content_type: String,
    /// What the client says it weighs; verified on completion.
    pub bytes: i64,
    /// What the client says its SHA-256 is.
    pub sha256: Option<String>,
    /// Where the client was allowed to put it.
    pub object_key: String,
    /// The multipart upload at the object store; none for a single PUT.
    pub multipart_id: Option<String>,
    /// Size of every part but the last.
    pub part_bytes: Option<i64>,
    asset_id: Option<Uuid>,
    /// Why it was refused, if it was.
    pub rejection: Option<Json<Problem>>,
    /// When it was announced.
    pub created_at: DateTime<Utc>,
    /// When it is too late to complete it.
    pub expires_at: DateTime<Utc>,
}

impl Upload {
    /// Which it is.
    pub fn id(&self) -> UploadId {
        UploadId::from_uuid(self.id)
    }

    /// What became of it.
    pub fn asset(&self) -> Option<AssetId> {
        self.asset_id.map(AssetId::from_uuid)
    }
}

/// An upload that is about to be.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// Which it will be.
    pub id: UploadId,
    /// What the client calls it.
    pub filename: Option<String>,
    /// What the client says it is.
    pub content_type: String,
    /// What the client says it weighs.
    pub bytes: u64,
    /// What the client says its SHA-256 is.
    pub sha256: Option<String>,
    /// Where the client may put it.
    pub object_key: String,
    /// The multipart upload at the object store.
    pub multipart_id: Option<String>,
    /// Size of every part but the last.
    pub part_bytes: Option<u64>,
    /// When it is too late to complete it.
    pub expires_at: DateTime<Utc>,
}

const UPLOAD: &str =
    "select id, state, filename, content_type, bytes, sha256, object_key, multipart_id, part_bytes, asset_id,
    rejection, created_at, expires_at from upload";

/// Announces an upload.
pub async fn create_upload(db: &Db, tenant: TenantId, new: &NewUpload) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query(
        "insert into upload (id, tenant_id, filename, content_type, bytes, sha256, object_key, multipart_id, part_bytes,
                             expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(new.id.as_uuid())
    .bind(tenant.as_uuid())
    .bind(&new.filename)
    .bind(&new.content_type)
    .bind(new.bytes as i64)
    .bind(&new.sha256)
    .bind(&new.object_key)
    .bind(&new.multipart_id)
    .bind(new.part_bytes.map(|bytes| bytes as i64))
    .bind(new.expires_at)
    .execute(&mut *tx)
    .await
    .or_failed("announce an upload")?;
    commit(tx, "announce an upload").await
}

/// The upload of `tenant` with this id.
pub async fn upload(db: &Db, tenant: TenantId, upload: UploadId) -> Result<Option<Upload>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{UPLOAD} where tenant_id = $1 and id = $2")))
        .bind(tenant.as_uuid())
        .bind(upload.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read an upload")
}

/// Uploads nobody completed in time, of all tenants, up to 100: each with the object it may have left behind.
pub async fn expired_uploads(db: &Db) -> Result<Vec<Upload>, StoreError> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{UPLOAD} where state = 'pending' and expires_at < now() order by expires_at limit 100"
    )))
    .fetch_all(db.pool())
    .await
    .or_failed("look for abandoned uploads")
}

/// Forgets an abandoned upload.
pub async fn forget_upload(db: &Db, upload: UploadId) -> Result<(), StoreError> {
    sqlx::query("delete from upload where id = $1 and state = 'pending' and expires_at < now()")
        .bind(upload.as_uuid())
        .execute(db.pool())
        .await
        .or_failed("forget an abandoned upload")?;
    Ok(())
}

/// Turns a pending upload into an asset in quarantine, and enqueues `next` with it. False when somebody else completed or rejected it first.
pub async fn complete_upload(
    db: &Db,
    tenant: TenantId,
    upload: UploadId,
    new: &NewAsset,
    next: &[NewJob],
) -> Result<bool, StoreError> {
    // Not of the pool that lanes are looked up with: uploads completed at once would wait for each other's connections.
    let mut tx = db.busy_tenant(tenant).await?;
    let taken = sqlx::query(
        "update upload set state = 'completed', asset_id = $3 where tenant_id = $1 and id = $2 and state = 'pending'",
    )
    .bind(tenant.as_uuid())
    .bind(upload.as_uuid())
    .bind(new.id.as_uuid())
    .execute(&mut *tx)
    .await
    .or_failed("complete an upload")?;
    if taken.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "insert into asset (id, tenant_id, sha256, bytes, media_type, filename, object_key)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.id.as_uuid())
    .bind(tenant.as_uuid())
    .bind(&new.sha256)
    .bind(new.bytes as i64)
    .bind(new.media_type)
    .bind(&new.filename)
    .bind(&new.object_key)
    .execute(&mut *tx)
    .await
    .or_failed("store an asset")?;
    graves::close(&mut tx, tenant, &new.sha256).await?;
    enqueue::insert(db, &mut tx, tenant, next).await?;
    commit(tx, "complete an upload").await?;
    Ok(true)
}

/// Marks a pending upload as refused, for good.
pub async fn reject_upload(
    db: &Db,
    tenant: TenantId,
    upload: UploadId,
    why: &Problem,
) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query(
        "update upload set state = 'rejected', rejection = $3 where tenant_id = $1 and id = $2 and state = 'pending'",
    )
    .bind(tenant.as_uuid())
    .bind(upload.as_uuid())
    .bind(Json(why))
    .execute(&mut *tx)
    .await
    .or_failed("reject an upload")?;
    commit(tx, "reject an upload").await
}
