//! Verified originals, and pictures made from them.

use chrono::{DateTime, Utc};
use jobs::{AssetId, AssetState, FocalPoint, RenditionId, TenantId};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    assets::Terms,
    db::Db,
    error::{OrFailed, StoreError},
    graves,
};

/// A verified original.
#[derive(Debug, Clone, FromRow)]
pub struct Asset {
    id: Uuid,
    state: String,
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
    /// What is in it, once something has looked inside.
    pub probe: Option<Json<Value>>,
    /// What the virus scanner found, or why it could not scan.
    pub finding: Option<String>,
    /// Which scanner it was.
    pub scanner: Option<String>,
    /// When it was scanned.
    pub scanned_at: Option<DateTime<Utc>>,
    /// Which key let it go although it was held.
    pub released_by: Option<String>,
    /// Why.
    pub released_because: Option<String>,
    /// When.
    pub released_at: Option<DateTime<Utc>>,
    focal_x_permille: Option<i16>,
    focal_y_permille: Option<i16>,
    /// On which terms it is kept.
    #[sqlx(flatten)]
    pub terms: Terms,
    /// When it was verified.
    pub created_at: DateTime<Utc>,
}

impl Asset {
    /// Which it is.
    pub fn id(&self) -> AssetId {
        AssetId::from_uuid(self.id)
    }

    /// What it is about, if somebody said so.
    pub fn focal_point(&self) -> Option<FocalPoint> {
        let (x, y) = self.focal_x_permille.zip(self.focal_y_permille)?;
        Some(FocalPoint { x_permille: x.unsigned_abs(), y_permille: y.unsigned_abs() })
    }

    /// Whether it may be served.
    ///
    /// # Errors
    /// When its row holds a word that this version does not know.
    pub fn state(&self) -> Result<AssetState, StoreError> {
        let unreadable = |_| StoreError::Unreadable { table: "asset", found: self.state.clone() };
        self.state.parse().map_err(unreadable)
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

pub(crate) const ASSET: &str =
    "select id, state, sha256, bytes, media_type, filename, object_key, width, height, thumbhash, details, probe, finding,
         scanner, scanned_at, released_by, released_because, released_at, focal_x_permille, focal_y_permille, license, retain_until,
         delete_at, created_at
     from asset";

/// The asset of `tenant` with this id.
pub async fn asset(db: &Db, tenant: TenantId, asset: AssetId) -> Result<Option<Asset>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{ASSET} where tenant_id = $1 and id = $2")))
        .bind(tenant.as_uuid())
        .bind(asset.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read an asset")
}

/// Stores originals that were made here, of pictures that the virus scanner has called clean.
pub(crate) async fn insert_made(
    tx: &mut PgConnection,
    tenant: TenantId,
    new: &[NewAsset],
) -> Result<(), StoreError> {
    for asset in new {
        sqlx::query(
            "insert into asset (id, tenant_id, sha256, bytes, media_type, filename, object_key, state, scanned_at, scanner)
             values ($1, $2, $3, $4, $5, $6, $7, 'clean', now(), 'made of what was scanned')",
        )
        .bind(asset.id.as_uuid())
        .bind(tenant.as_uuid())
        .bind(&asset.sha256)
        .bind(asset.bytes as i64)
        .bind(asset.media_type)
        .bind(&asset.filename)
        .bind(&asset.object_key)
        .execute(&mut *tx)
        .await
        .or_failed("store an asset that was made")?;
        graves::close(tx, tenant, &asset.sha256).await?;
    }
    Ok(())
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
    let learned = sqlx::query(
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
    if learned.rows_affected() == 0 {
        // The asset was deleted meanwhile: nothing else would remove the pictures.
        return graves::open(tx, tenant, &new.source_sha256).await;
    }
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
