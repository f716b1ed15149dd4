//! Making deliveries, taking them back, and noting their archives.

use chrono::{DateTime, Utc};
use jobs::{AssetId, DeliveryId, Job, TenantId, Variant, kinds::delivery_publish::DeliveryPublish};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::{COLUMNS, Delivery, burying::discard_archives, publishing::set_publisher};
use crate::{
    db::{Db, Tx, commit},
    enqueue::{self, NewJob},
    error::{OrFailed, StoreError},
    graves,
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// A delivery that is about to be.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Which it will be.
    pub id: DeliveryId,
    /// What it is called.
    pub title: String,
    /// What its links will be signed with.
    pub link_secret: [u8; 32],
    /// When its link ends.
    pub expires_at: DateTime<Utc>,
    /// The files and what each is called; none means as it was uploaded.
    pub items: Vec<(AssetId, Option<String>)>,
    /// Who made it.
    pub by: String,
}

/// What became of the wish for a new delivery.
#[derive(Debug, Clone)]
pub enum Created {
    /// It is there; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
    /// The tenant has no such file: the place among the items, from 0.
    NoAsset(usize),
}

/// Makes a delivery together with the jobs that complete and publish it.
///
/// `jobs` is asked which, given the media type of each file.
///
/// # Errors
/// When the database fails, or `jobs` does.
pub async fn create<E: From<StoreError>>(
    db: &Db,
    tenant: TenantId,
    new: &NewDelivery,
    key: Option<&Idempotency>,
    jobs: impl FnOnce(&[String]) -> Result<Vec<NewJob>, E>,
    answer: impl FnOnce(&Delivery) -> Answer,
) -> Result<Created, E> {
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Created::Replayed(answer)),
        Taken::ForAnother => return Ok(Created::Mismatch),
    }
    let made = insert(&mut tx, tenant, new).await?;
    let media_types = insert_items(&mut tx, tenant, new).await?;
    if let Some(missing) = media_types.iter().position(Option::is_none) {
        return Ok(Created::NoAsset(missing));
    }
    let media_types: Vec<String> = media_types.into_iter().flatten().collect();
    let jobs = jobs(&media_types)?;
    enqueue::insert(db, &mut tx, tenant, &jobs).await?;
    if let Some(publisher) = jobs.iter().find(|job| job.kind == DeliveryPublish::KIND) {
        set_publisher(&mut tx, tenant, new.id, publisher.id).await?;
    }
    let answer = answer(&made);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "make a delivery").await?;
    Ok(Created::New(answer))
}

async fn insert(tx: &mut Tx, tenant: TenantId, new: &NewDelivery) -> Result<Delivery, StoreError> {
    let sql = format!(
        "insert into delivery (id, tenant_id, title, link_secret, expires_at, created_by)
         values ($1, $2, $3, $4, $5, $6) returning {COLUMNS}"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(new.id.as_uuid())
        .bind(tenant.as_uuid())
        .bind(&new.title)
        .bind(new.link_secret.as_slice())
        .bind(new.expires_at)
        .bind(&new.by)
        .fetch_one(&mut **tx)
        .await
        .or_failed("make a delivery")
}

/// The media type of each item's file; none where the tenant has no such file, which is then not put in.
async fn insert_items(
    tx: &mut Tx,
    tenant: TenantId,
    new: &NewDelivery,
) -> Result<Vec<Option<String>>, StoreError> {
    let (assets, names): (Vec<Uuid>, Vec<Option<&str>>) =
        new.items.iter().map(|(asset, name)| (asset.as_uuid(), name.as_deref())).unzip();
    sqlx::query_scalar(
        "with wanted as (
             select x.place, x.asset_id, a.media_type,
                    coalesce(x.name, nullif(a.filename, ''), 'file ' || x.place) as name
             from unnest($3::uuid[], $4::text[]) with ordinality as x (asset_id, name, place)
             left join asset a on a.tenant_id = $1 and a.id = x.asset_id
         ),
         put as (
             insert into delivery_item (tenant_id, delivery_id, place, asset_id, name)
             select $1, $2, place, asset_id, name from wanted where media_type is not null
         )
         select media_type from wanted order by place",
    )
    .bind(tenant.as_uuid())
    .bind(new.id.as_uuid())
    .bind(assets)
    .bind(names)
    .fetch_all(&mut **tx)
    .await
    .or_failed("put files into a delivery")
}

/// Takes the link of a delivery back. False when this tenant has no such delivery.
///
/// # Errors
/// When the database fails.
pub async fn revoke(db: &Db, tenant: TenantId, id: DeliveryId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let revoked = sqlx::query(
        "update delivery set revoked_at = coalesce(revoked_at, clock_timestamp()) where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .execute(&mut *tx)
    .await
    .or_failed("revoke a delivery")?;
    discard_archives(&mut tx, tenant, id, None).await?;
    commit(tx, "revoke a delivery").await?;
    Ok(revoked.rows_affected() > 0)
}

/// Removes a delivery, and has its archives removed. False when this tenant has no such delivery. The files in it stay.
///
/// # Errors
/// When the database fails.
pub async fn remove(db: &Db, tenant: TenantId, id: DeliveryId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    discard_archives(&mut tx, tenant, id, None).await?;
    let removed = sqlx::query("delete from delivery where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("remove a delivery")?;
    commit(tx, "remove a delivery").await?;
    Ok(removed.rows_affected() > 0)
}

/// An archive that was made.
#[derive(Debug, Clone)]
pub struct NewArchive {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Which file of each photograph.
    pub variant: Variant,
    /// Of what it was made.
    pub manifest_sha256: String,
    /// Where it lies.
    pub object_key: String,
    /// Its size.
    pub bytes: u64,
    /// Files in it.
    pub files: u32,
    /// SHA-256 of it, hexadecimal.
    pub sha256: String,
    /// What was packed.
    pub assets: Vec<AssetId>,
}

/// Notes an archive, unless its delivery was removed, was taken back or shows something else meanwhile, or a file in it was
/// deleted: then it stays in the grave that was announced. Part of the transaction that settles the job.
///
/// # Errors
/// When the database fails.
pub async fn insert_archive(
    tx: &mut PgConnection,
    tenant: TenantId,
    new: &NewArchive,
) -> Result<(), StoreError> {
    sqlx::query(
        "with noted as (
             insert into delivery_archive
                 (tenant_id, delivery_id, variant, manifest_sha256, object_key, bytes, files, sha256)
             select d.tenant_id, d.id, $3, $4, $5, $6, $7, $8 from delivery d
             where d.tenant_id = $1 and d.id = $2 and d.manifest_sha256 = $4 and d.revoked_at is null and not exists (
                 select from unnest($9::uuid[]) as packed (id)
                 left join asset on asset.tenant_id = $1 and asset.id = packed.id where asset.id is null
             )
             for share
             on conflict (delivery_id, variant) do update set
                 manifest_sha256 = excluded.manifest_sha256, object_key = excluded.object_key, bytes = excluded.bytes,
                 files = excluded.files, sha256 = excluded.sha256, created_at = now()
             returning tenant_id, delivery_id, object_key
         )
         insert into archive_grave (tenant_id, delivery_id, object_key, due_at)
         select n.tenant_id, n.delivery_id, n.object_key, greatest(now(), d.expires_at) + $10 * interval '1 s'
         from noted n join delivery d on d.id = n.delivery_id
         on conflict (tenant_id, object_key) do update set due_at = excluded.due_at",
    )
    .bind(tenant.as_uuid())
    .bind(new.delivery.as_uuid())
    .bind(new.variant.name())
    .bind(&new.manifest_sha256)
    .bind(&new.object_key)
    .bind(new.bytes as i64)
    .bind(new.files as i32)
    .bind(&new.sha256)
    .bind(new.assets.iter().map(AssetId::as_uuid).collect::<Vec<_>>())
    .bind(graves::REST.as_secs() as f64)
    .execute(tx)
    .await
    .or_failed("note an archive")?;
    Ok(())
}
