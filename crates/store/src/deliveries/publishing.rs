//! From what was put into a delivery to what its link shows.

use std::collections::HashMap;

use jobs::{AssetId, DeliveryId, TenantId};
use serde_json::json;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, types::Json};
use uuid::Uuid;

use super::{Item, manifest::Manifest};
use crate::{
    db::Db,
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
    let data = json!({ "delivery": id, "manifest_sha256": manifest_sha256, "files": manifest.files.len() });
    outbox::tell(tx, tenant, "delivery.published", &id.to_string(), &data).await
}
