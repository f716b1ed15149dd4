//! What is known of an original from its bytes; apart from that, where it was taken.

use jobs::{AssetId, TenantId};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, types::Json};

use crate::{
    Db,
    error::{OrFailed, StoreError},
};

/// What was learned of an original, to be stored with the job's result.
#[derive(Debug, Clone)]
pub struct NewProbe {
    /// The original.
    pub asset: AssetId,
    /// Width as displayed.
    pub width: u32,
    /// Height as displayed.
    pub height: u32,
    /// What everybody may know who sees the original.
    pub probe: Value,
    /// Where it was taken.
    pub position: Option<Position>,
}

/// Where an original was taken.
#[derive(Debug, Clone, Copy, PartialEq, FromRow)]
pub struct Position {
    /// In degrees, north of the equator.
    pub latitude: f64,
    /// In degrees, east of Greenwich.
    pub longitude: f64,
    /// In metres above the sea.
    pub altitude_m: Option<f64>,
}

pub(crate) async fn record(
    tx: &mut PgConnection,
    tenant: TenantId,
    new: &NewProbe,
) -> Result<(), StoreError> {
    sqlx::query("update asset set width = $3, height = $4, probe = $5 where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(new.asset.as_uuid())
        .bind(new.width as i32)
        .bind(new.height as i32)
        .bind(Json(&new.probe))
        .execute(&mut *tx)
        .await
        .or_failed("store what is in an asset")?;
    let Some(position) = new.position else { return Ok(()) };
    // Joined with the asset: one that was deleted meanwhile is nowhere.
    sqlx::query(
        "insert into asset_position (asset_id, tenant_id, latitude, longitude, altitude_m)
         select asset.id, $1, $3, $4, $5 from asset where asset.tenant_id = $1 and asset.id = $2
         on conflict (asset_id) do update set latitude = excluded.latitude, longitude = excluded.longitude,
             altitude_m = excluded.altitude_m",
    )
    .bind(tenant.as_uuid())
    .bind(new.asset.as_uuid())
    .bind(position.latitude)
    .bind(position.longitude)
    .bind(position.altitude_m)
    .execute(tx)
    .await
    .or_failed("store where an asset was taken")?;
    Ok(())
}

/// Where an original was taken, if that is known.
pub async fn position(db: &Db, tenant: TenantId, asset: AssetId) -> Result<Option<Position>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select latitude, longitude, altitude_m from asset_position where tenant_id = $1 and asset_id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(asset.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read where an asset was taken")
}
