//! From what was put into a delivery to what its link shows.

use std::collections::{HashMap, HashSet};

use jobs::{AssetId, DeliveryId, JobId, TenantId};
use serde_json::json;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, types::Json};
use uuid::Uuid;

use super::{Item, burying::discard_archives, manifest::Manifest};
use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
    films::{self, Film, FilmFile},
    media::{ASSET, Asset, Rendition},
    outbox,
};

/// A file of a delivery with what was made from it so far.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What it is called in the delivery.
    pub name: String,
    /// The original.
    pub asset: Asset,
    /// The pictures of it.
    pub renditions: Vec<Rendition>,
    /// The film made of it, and its files.
    pub film: Option<(Film, Vec<FilmFile>)>,
}

#[derive(FromRow)]
struct RenditionRow {
    asset_id: Uuid,
    #[sqlx(flatten)]
    rendition: Rendition,
}

/// What is in a delivery, in order, with everything that was made from it; of films, by `film_preset`.
///
/// # Errors
/// When the database fails.
pub async fn candidates(
    db: &Db,
    tenant: TenantId,
    id: DeliveryId,
    film_preset: &str,
) -> Result<Vec<Candidate>, StoreError> {
    let items = super::items(db, tenant, id).await?;
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "{ASSET} where tenant_id = $1 and id in (select asset_id from delivery_item where delivery_id = $2)"
    );
    let assets: Vec<Asset> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_all(&mut *tx)
        .await
        .or_failed("read the files of a delivery")?;
    let renditions: Vec<RenditionRow> = sqlx::query_as(
        "select asset_id, id, preset, rung, format, width, height, bytes, object_key from rendition
         where tenant_id = $1 and asset_id in (select asset_id from delivery_item where delivery_id = $2)",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("read the pictures of a delivery")?;
    drop(tx);
    let films = films::of_delivery(db, tenant, id, film_preset).await?;
    let mut made: HashMap<AssetId, Vec<Rendition>> = HashMap::new();
    for row in renditions {
        made.entry(AssetId::from_uuid(row.asset_id)).or_default().push(row.rendition);
    }
    let assets: HashMap<AssetId, Asset> = assets.into_iter().map(|asset| (asset.id(), asset)).collect();
    // An asset may be in it twice, so nothing is taken out.
    let candidate = |item: Item| {
        let asset = assets.get(&item.asset())?.clone();
        let renditions = made.get(&item.asset()).cloned().unwrap_or_default();
        let film = films.get(&item.asset()).cloned();
        Some(Candidate { name: item.name, asset, renditions, film })
    };
    Ok(items.into_iter().filter_map(candidate).collect())
}

/// A job that would make something of an asset.
#[derive(Debug, Clone)]
pub struct Maker {
    /// Of which asset.
    pub asset: AssetId,
    /// The kind of the job.
    pub kind: &'static str,
    /// Its unique key.
    pub unique_key: String,
}

/// The assets that one of `makers` is at work on, or will be.
///
/// # Errors
/// When the database fails.
pub async fn being_made(db: &Db, tenant: TenantId, makers: &[Maker]) -> Result<HashSet<AssetId>, StoreError> {
    let assets: Vec<Uuid> = makers.iter().map(|maker| maker.asset.as_uuid()).collect();
    let kinds: Vec<&str> = makers.iter().map(|maker| maker.kind).collect();
    let keys: Vec<&str> = makers.iter().map(|maker| maker.unique_key.as_str()).collect();
    let mut tx = db.tenant(tenant).await?;
    let found: Vec<Uuid> = sqlx::query_scalar(
        "select distinct x.asset_id from unnest($2::uuid[], $3::text[], $4::text[]) as x (asset_id, kind, unique_key)
         join job j on j.tenant_id = $1 and j.kind = x.kind and j.unique_key = x.unique_key",
    )
    .bind(tenant.as_uuid())
    .bind(&assets)
    .bind(&kinds)
    .bind(&keys)
    .fetch_all(&mut *tx)
    .await
    .or_failed("see what is being made for a delivery")?;
    Ok(found.into_iter().map(AssetId::from_uuid).collect())
}

/// Notes that `job` publishes this delivery, so that whoever waits for it can see how that goes.
///
/// # Errors
/// When the database fails.
pub async fn note_publisher(db: &Db, tenant: TenantId, id: DeliveryId, job: JobId) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    set_publisher(&mut tx, tenant, id, job).await?;
    commit(tx, "note who publishes a delivery").await
}

pub(super) async fn set_publisher(
    tx: &mut Tx,
    tenant: TenantId,
    id: DeliveryId,
    job: JobId,
) -> Result<(), StoreError> {
    sqlx::query(
        "update delivery set publish_job = $3 where tenant_id = $1 and id = $2 and publish_job is distinct from $3",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(job.as_uuid())
    .execute(&mut **tx)
    .await
    .or_failed("note who publishes a delivery")?;
    Ok(())
}

/// Makes `manifest` what the link of `id` shows. Part of the transaction that settles the job.
///
/// # Errors
/// When the database fails.
pub async fn publish(
    tx: &mut PgConnection,
    tenant: TenantId,
    id: DeliveryId,
    manifest: &Manifest,
    manifest_sha256: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "update delivery set manifest = $3, manifest_sha256 = $4, published_at = clock_timestamp()
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(Json(manifest))
    .bind(manifest_sha256)
    .execute(&mut *tx)
    .await
    .or_failed("publish a delivery")?;
    discard_archives(tx, tenant, id, Some(manifest_sha256)).await?;
    let data = json!({ "delivery": id, "manifest_sha256": manifest_sha256, "files": manifest.files.len() });
    outbox::tell(tx, tenant, "delivery.published", &id.to_string(), &data).await
}
