//! Files on their way in, verified originals, and pictures made from them.

use chrono::{DateTime, Utc};
use jobs::{AssetId, RenditionId, TenantId, UploadId, failure::Problem};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
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

/// A verified original.
#[derive(Debug, Clone, FromRow)]
pub struct Asset {
    id: Uuid,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: i64,
    /// What it is, by its magic bytes.
    pub media_type: String,
    /// What the client called it.
    pub filename: Option<String>,
    /// Where it lies.
    pub object_key: String,
    /// As displayed, once something has looked inside.
    pub width: Option<i32>,
    /// As displayed.
    pub height: Option<i32>,
    /// A placeholder of about 25 bytes.
    pub thumbhash: Option<Vec<u8>>,
    /// What else was learned.
    pub details: Option<Json<Value>>,
    /// When it was verified.
    pub created_at: DateTime<Utc>,
}

impl Asset {
    /// Which it is.
    pub fn id(&self) -> AssetId {
        AssetId::from_uuid(self.id)
    }
}

/// An asset that is about to be.
#[derive(Debug, Clone)]
pub struct NewAsset {
    /// Which it will be.
    pub id: AssetId,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// What it is, by its magic bytes.
    pub media_type: &'static str,
    /// What the client called it.
    pub filename: Option<String>,
    /// Where it lies.
    pub object_key: String,
}

/// Turns a pending upload into an asset. False when somebody else completed or rejected it first.
pub async fn complete_upload(
    db: &Db,
    tenant: TenantId,
    upload: UploadId,
    new: &NewAsset,
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
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

/// The asset of `tenant` with this id.
pub async fn asset(db: &Db, tenant: TenantId, asset: AssetId) -> Result<Option<Asset>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select id, sha256, bytes, media_type, filename, object_key, width, height, thumbhash, details, created_at
         from asset where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(asset.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read an asset")
}

/// A picture made from an asset.
#[derive(Debug, Clone, FromRow)]
pub struct Rendition {
    id: Uuid,
    /// Which ladder: `name@version`.
    pub preset: String,
    /// Which rung.
    pub rung: String,
    /// `jpeg`, `webp` or `avif`.
    pub format: String,
    /// In pixels.
    pub width: i32,
    /// In pixels.
    pub height: i32,
    /// Size of the file.
    pub bytes: i64,
    /// Where it lies.
    pub object_key: String,
}

impl Rendition {
    /// Which it is.
    pub fn id(&self) -> RenditionId {
        RenditionId::from_uuid(self.id)
    }
}

/// The pictures of an asset, by preset, largest first.
pub async fn renditions(db: &Db, tenant: TenantId, asset: AssetId) -> Result<Vec<Rendition>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select id, preset, rung, format, width, height, bytes, object_key from rendition
         where tenant_id = $1 and asset_id = $2 order by preset, width desc, height desc, rung, format",
    )
    .bind(tenant.as_uuid())
    .bind(asset.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("read renditions")
}

/// What is known of pictures with this content and preset, whichever asset of the tenant they were made for.
#[derive(Debug, Clone)]
pub struct Made {
    /// The pictures.
    pub renditions: Vec<Rendition>,
    /// The asset they were made for.
    pub asset: Asset,
}

/// Pictures of the same content and preset that this tenant has already.
pub async fn made_before(
    db: &Db,
    tenant: TenantId,
    sha256: &str,
    preset: &str,
) -> Result<Option<Made>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let source: Option<Uuid> = sqlx::query_scalar(
        "select asset_id from rendition where tenant_id = $1 and source_sha256 = $2 and preset = $3 order by id limit 1",
    )
    .bind(tenant.as_uuid())
    .bind(sha256)
    .bind(preset)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("look for pictures made before")?;
    drop(tx);
    let Some(source) = source.map(AssetId::from_uuid) else { return Ok(None) };
    let Some(asset) = asset(db, tenant, source).await? else { return Ok(None) };
    let mut renditions = renditions(db, tenant, source).await?;
    renditions.retain(|rendition| rendition.preset == preset);
    Ok(Some(Made { renditions, asset }))
}

/// Pictures to store with a job's result.
#[derive(Debug, Clone)]
pub struct NewRenditions {
    /// Made from this asset.
    pub asset: AssetId,
    /// Whose bytes have this hash.
    pub source_sha256: String,
    /// With this ladder.
    pub preset: String,
    /// Width of the source as displayed.
    pub width: u32,
    /// Height of the source as displayed.
    pub height: u32,
    /// Its placeholder.
    pub thumbhash: Vec<u8>,
    /// What else was learned of the source.
    pub details: Value,
    /// The pictures.
    pub renditions: Vec<NewRendition>,
}

/// One picture to store.
#[derive(Debug, Clone)]
pub struct NewRendition {
    /// Which it will be.
    pub id: RenditionId,
    /// Which rung.
    pub rung: String,
    /// `jpeg`, `webp` or `avif`.
    pub format: &'static str,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Size of the file.
    pub bytes: u64,
    /// Where it lies.
    pub object_key: String,
}

pub(crate) async fn insert_renditions(
    tx: &mut PgConnection,
    tenant: TenantId,
    new: &NewRenditions,
) -> Result<(), StoreError> {
    sqlx::query(
        "update asset set width = $3, height = $4, thumbhash = $5, details = $6 where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(new.asset.as_uuid())
    .bind(new.width as i32)
    .bind(new.height as i32)
    .bind(&new.thumbhash)
    .bind(Json(&new.details))
    .execute(&mut *tx)
    .await
    .or_failed("store what was learned of an asset")?;
    let each = |pick: fn(&NewRendition) -> i32| new.renditions.iter().map(pick).collect::<Vec<_>>();
    // Joined with the asset: one that was deleted meanwhile gets no pictures, and the job is none the worse.
    sqlx::query(
        "insert into rendition (id, tenant_id, asset_id, source_sha256, preset, rung, format, width, height, bytes, object_key)
         select x.id, $1, asset.id, $3, $4, x.rung, x.format, x.width, x.height, x.bytes, x.object_key
         from unnest($5::uuid[], $6::text[], $7::text[], $8::int[], $9::int[], $10::bigint[], $11::text[])
              as x (id, rung, format, width, height, bytes, object_key)
         join asset on asset.tenant_id = $1 and asset.id = $2
         on conflict (tenant_id, asset_id, preset, rung, format) do nothing",
    )
    .bind(tenant.as_uuid())
    .bind(new.asset.as_uuid())
    .bind(&new.source_sha256)
    .bind(&new.preset)
    .bind(new.renditions.iter().map(|r| r.id.as_uuid()).collect::<Vec<_>>())
    .bind(new.renditions.iter().map(|r| r.rung.as_str()).collect::<Vec<_>>())
    .bind(new.renditions.iter().map(|r| r.format).collect::<Vec<_>>())
    .bind(each(|r| r.width as i32))
    .bind(each(|r| r.height as i32))
    .bind(new.renditions.iter().map(|r| r.bytes as i64).collect::<Vec<_>>())
    .bind(new.renditions.iter().map(|r| r.object_key.as_str()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .or_failed("store renditions")?;
    Ok(())
}
