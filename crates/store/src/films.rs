//! What was made of films: the streams, and the files that hold them.

use std::collections::HashMap;

use jobs::{AssetId, DeliveryId, TenantId};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
    graves,
};

/// What was made of a film.
#[derive(Debug, Clone, FromRow)]
pub struct Film {
    asset_id: Uuid,
    /// By which ladder.
    pub preset: String,
    /// Width as shown.
    pub width: i32,
    /// Height as shown.
    pub height: i32,
    /// How long it plays.
    pub duration_ms: i64,
    /// The streams, largest first.
    pub rungs: Json<Value>,
    /// What was learned of the source.
    pub details: Json<Value>,
    /// Why it may show or sound damaged.
    pub degraded: Option<String>,
}

impl Film {
    /// Which asset it was made for.
    pub fn asset(&self) -> AssetId {
        AssetId::from_uuid(self.asset_id)
    }
}

/// One file of a film.
#[derive(Debug, Clone, FromRow)]
pub struct FilmFile {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: String,
    /// The stream it belongs to.
    pub rung: Option<String>,
    /// Its media type.
    pub media_type: String,
    /// Its size.
    pub bytes: i64,
    /// In pixels, if it shows something.
    pub width: Option<i32>,
    /// In pixels, if it shows something.
    pub height: Option<i32>,
    /// Where it lies.
    pub object_key: String,
}

/// The files of an asset's film, by name.
pub async fn files(
    db: &Db,
    tenant: TenantId,
    asset: AssetId,
    preset: &str,
) -> Result<Vec<FilmFile>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select name, kind, rung, media_type, bytes, width, height, object_key from film_file
         where tenant_id = $1 and asset_id = $2 and preset = $3 order by name",
    )
    .bind(tenant.as_uuid())
    .bind(asset.as_uuid())
    .bind(preset)
    .fetch_all(&mut *tx)
    .await
    .or_failed("read the files of a film")
}

/// The films that were made of an asset, and their files.
pub async fn of_asset(
    db: &Db,
    tenant: TenantId,
    asset: AssetId,
) -> Result<Vec<(Film, Vec<FilmFile>)>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let made: Vec<Film> = sqlx::query_as(
        "select asset_id, preset, width, height, duration_ms, rungs, details, degraded from film
         where tenant_id = $1 and asset_id = $2 order by preset",
    )
    .bind(tenant.as_uuid())
    .bind(asset.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("read the films of an asset")?;
    drop(tx);
    let mut all = Vec::with_capacity(made.len());
    for film in made {
        let files = files(db, tenant, asset, &film.preset).await?;
        all.push((film, files));
    }
    Ok(all)
}

/// The film of the same content and preset that this tenant has already, and its files.
pub async fn made_before(
    db: &Db,
    tenant: TenantId,
    sha256: &str,
    preset: &str,
) -> Result<Option<(Film, Vec<FilmFile>)>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let film: Option<Film> = sqlx::query_as(
        "select asset_id, preset, width, height, duration_ms, rungs, details, degraded from film
         where tenant_id = $1 and source_sha256 = $2 and preset = $3 order by created_at, asset_id limit 1",
    )
    .bind(tenant.as_uuid())
    .bind(sha256)
    .bind(preset)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("look for a film made before")?;
    drop(tx);
    let Some(film) = film else { return Ok(None) };
    let files = files(db, tenant, film.asset(), preset).await?;
    Ok(Some((film, files)))
}

#[derive(FromRow)]
struct FileRow {
    asset_id: Uuid,
    #[sqlx(flatten)]
    file: FilmFile,
}

/// The films that were made by `preset` of what is in a delivery, and their files, by asset.
pub(crate) async fn of_delivery(
    db: &Db,
    tenant: TenantId,
    delivery: DeliveryId,
    preset: &str,
) -> Result<HashMap<AssetId, (Film, Vec<FilmFile>)>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let films: Vec<Film> = sqlx::query_as(
        "select asset_id, preset, width, height, duration_ms, rungs, details, degraded from film
         where tenant_id = $1 and preset = $3 and asset_id in (select asset_id from delivery_item where delivery_id = $2)",
    )
    .bind(tenant.as_uuid())
    .bind(delivery.as_uuid())
    .bind(preset)
    .fetch_all(&mut *tx)
    .await
    .or_failed("read the films of a delivery")?;
    let rows: Vec<FileRow> = sqlx::query_as(
        "select asset_id, name, kind, rung, media_type, bytes, width, height, object_key from film_file
         where tenant_id = $1 and preset = $3 and asset_id in (select asset_id from delivery_item where delivery_id = $2)
         order by name",
    )
    .bind(tenant.as_uuid())
    .bind(delivery.as_uuid())
    .bind(preset)
    .fetch_all(&mut *tx)
    .await
    .or_failed("read the files of a delivery's films")?;
    let mut by_asset: HashMap<AssetId, (Film, Vec<FilmFile>)> =
        films.into_iter().map(|film| (film.asset(), (film, Vec::new()))).collect();
    for FileRow { asset_id, file } in rows {
        if let Some((_, files)) = by_asset.get_mut(&AssetId::from_uuid(asset_id)) {
            files.push(file);
        }
    }
    Ok(by_asset)
}

/// A film to store with a job's result.
#[derive(Debug, Clone)]
pub struct NewFilm {
    /// Made from this asset.
    pub asset: AssetId,
    /// Whose bytes have this hash.
    pub source_sha256: String,
    /// With this ladder.
    pub preset: String,
    /// Width as shown.
    pub width: u32,
    /// Height as shown.
    pub height: u32,
    /// How long it plays.
    pub duration_ms: u64,
    /// The streams, largest first.
    pub rungs: Value,
    /// What was learned of the source.
    pub details: Value,
    /// Why it may show or sound damaged.
    pub degraded: Option<String>,
    /// The files.
    pub files: Vec<NewFilmFile>,
}

/// One file to store.
#[derive(Debug, Clone)]
pub struct NewFilmFile {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: String,
    /// The stream it belongs to.
    pub rung: Option<String>,
    /// Its media type.
    pub media_type: String,
    /// Its size.
    pub bytes: u64,
    /// In pixels, if it shows something.
    pub width: Option<u32>,
    /// In pixels, if it shows something.
    pub height: Option<u32>,
    /// Where it lies.
    pub object_key: String,
}

pub(crate) async fn insert_film(
    tx: &mut PgConnection,
    tenant: TenantId,
    new: &NewFilm,
) -> Result<(), StoreError> {
    // Joined with the asset: one that was deleted meanwhile gets no film, and the job is none the worse.
    let stored = sqlx::query(
        "insert into film (tenant_id, asset_id, preset, source_sha256, width, height, duration_ms, rungs, details, degraded)
         select $1, asset.id, $3, $4, $5, $6, $7, $8, $9, $10 from asset where asset.tenant_id = $1 and asset.id = $2
         on conflict (tenant_id, asset_id, preset) do nothing",
    )
    .bind(tenant.as_uuid())
    .bind(new.asset.as_uuid())
    .bind(&new.preset)
    .bind(&new.source_sha256)
    .bind(new.width as i32)
    .bind(new.height as i32)
    .bind(new.duration_ms as i64)
    .bind(Json(&new.rungs))
    .bind(Json(&new.details))
    .bind(&new.degraded)
    .execute(&mut *tx)
    .await
    .or_failed("store a film")?;
    if stored.rows_affected() == 0 {
        // Of an asset that was deleted meanwhile, nothing else would remove the files. Of another the grave closes again.
        return graves::open(tx, tenant, &new.source_sha256).await;
    }
    sqlx::query("update asset set width = $3, height = $4, details = $5 where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(new.asset.as_uuid())
        .bind(new.width as i32)
        .bind(new.height as i32)
        .bind(Json(&new.details))
        .execute(&mut *tx)
        .await
        .or_failed("store what was learned of a film")?;
    let side = |pick: fn(&NewFilmFile) -> Option<u32>| -> Vec<Option<i32>> {
        new.files.iter().map(|file| pick(file).map(|side| side as i32)).collect()
    };
    let text = |pick: fn(&NewFilmFile) -> &str| new.files.iter().map(pick).collect::<Vec<_>>();
    sqlx::query(
        "insert into film_file (tenant_id, asset_id, preset, name, kind, rung, media_type, bytes, width, height, object_key)
         select $1, $2, $3, x.* from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::int[],
             $10::int[], $11::text[]) as x (name, kind, rung, media_type, bytes, width, height, object_key)",
    )
    .bind(tenant.as_uuid())
    .bind(new.asset.as_uuid())
    .bind(&new.preset)
    .bind(text(|file| &file.name))
    .bind(text(|file| &file.kind))
    .bind(new.files.iter().map(|file| file.rung.as_deref()).collect::<Vec<_>>())
    .bind(text(|file| &file.media_type))
    .bind(new.files.iter().map(|file| file.bytes as i64).collect::<Vec<_>>())
    .bind(side(|file| file.width))
    .bind(side(|file| file.height))
    .bind(text(|file| &file.object_key))
    .execute(tx)
    .await
    .or_failed("store the files of a film")?;
    Ok(())
}
