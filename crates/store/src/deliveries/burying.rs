//! Archives that nobody may have any more. Where each lies is written down before it is packed, so that none is left in S3
//! when a worker dies, its delivery ends, is taken back, is removed or shows something else, or a file in it is deleted.

use jobs::{AssetId, DeliveryId, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
    graves,
};

/// Graves looked at in a round.
const DUE_MAX: i64 = 100;

/// Notes where an archive will lie. If nothing comes to name it, it is removed: later than any packing lasts.
///
/// # Errors
/// When the database fails.
pub async fn announce_archive(
    db: &Db,
    tenant: TenantId,
    delivery: DeliveryId,
    object_key: &str,
) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query(
        "insert into archive_grave (tenant_id, delivery_id, object_key, due_at)
         values ($1, $2, $3, now() + $4 * interval '1 s')
         on conflict (tenant_id, object_key) do update set due_at = greatest(archive_grave.due_at, excluded.due_at)",
    )
    .bind(tenant.as_uuid())
    .bind(delivery.as_uuid())
    .bind(object_key)
    .bind(graves::REST.as_secs() as f64)
    .execute(&mut *tx)
    .await
    .or_failed("note where an archive will lie")?;
    commit(tx, "note where an archive will lie").await
}

/// Takes the archives of a delivery away, but for those of the manifest `kept`.
pub(super) async fn discard_archives(
    tx: &mut PgConnection,
    tenant: TenantId,
    delivery: DeliveryId,
    kept: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query(
        "with gone as (
             delete from delivery_archive
             where tenant_id = $1 and delivery_id = $2 and manifest_sha256 is distinct from $3
             returning tenant_id, delivery_id, object_key
         )
         insert into archive_grave (tenant_id, delivery_id, object_key, due_at)
         select tenant_id, delivery_id, object_key, now() + $4 * interval '1 s' from gone
         on conflict (tenant_id, object_key) do update set due_at = excluded.due_at",
    )
    .bind(tenant.as_uuid())
    .bind(delivery.as_uuid())
    .bind(kept)
    .bind(graves::REST.as_secs() as f64)
    .execute(tx)
    .await
    .or_failed("take the archives of a delivery away")?;
    Ok(())
}

/// Takes the archives away that hold `asset`, which is about to be deleted.
pub(crate) async fn discard_archives_with(
    tx: &mut PgConnection,
    tenant: TenantId,
    asset: AssetId,
) -> Result<(), StoreError> {
    sqlx::query(
        "with gone as (
             delete from delivery_archive a using delivery_item i
             where i.tenant_id = $1 and i.asset_id = $2 and a.tenant_id = $1 and a.delivery_id = i.delivery_id
             returning a.tenant_id, a.delivery_id, a.object_key
         )
         insert into archive_grave (tenant_id, delivery_id, object_key, due_at)
         select tenant_id, delivery_id, object_key, now() + $3 * interval '1 s' from gone
         on conflict (tenant_id, object_key) do update set due_at = excluded.due_at",
    )
    .bind(tenant.as_uuid())
    .bind(asset.as_uuid())
    .bind(graves::REST.as_secs() as f64)
    .execute(tx)
    .await
    .or_failed("take away the archives that hold an asset")?;
    Ok(())
}

/// Whose archive, and where it lies.
pub type Grave = (TenantId, String);

/// Archives whose time may be over, up to 100 of all tenants.
///
/// # Errors
/// When the database fails.
pub async fn due_archives(db: &Db) -> Result<Vec<Grave>, StoreError> {
    let due: Vec<(Uuid, String)> = sqlx::query_as(
        "select tenant_id, object_key from archive_grave where due_at < now() order by due_at limit $1",
    )
    .bind(DUE_MAX)
    .fetch_all(db.pool())
    .await
    .or_failed("look for archives to remove")?;
    Ok(due.into_iter().map(|(tenant, object_key)| (TenantId::from_uuid(tenant), object_key)).collect())
}

/// An archive that nobody has, and that nobody packs before this is dropped.
pub struct Burial {
    tx: Tx,
    grave: Grave,
}

/// Takes the lock on an archive whose time is over. None when somebody may have it still, or somebody else is at it.
///
/// # Errors
/// When the database fails.
pub async fn bury_archive(db: &Db, grave: &Grave) -> Result<Option<Burial>, StoreError> {
    let (tenant, object_key) = grave;
    let mut tx = graves::begin_in_silence(db).await?;
    let locked: Option<bool> = sqlx::query_scalar(
        "select exists (
             select from delivery_archive a join delivery d on d.id = a.delivery_id
             where a.delivery_id = g.delivery_id and a.object_key = g.object_key and d.revoked_at is null
                 and d.expires_at > now()
         )
         from archive_grave g where tenant_id = $1 and object_key = $2 and due_at < now() for update skip locked",
    )
    .bind(tenant.as_uuid())
    .bind(object_key)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("lock an archive to remove")?;
    match locked {
        None => Ok(None),
        Some(false) => Ok(Some(Burial { tx, grave: grave.clone() })),
        Some(true) => {
            postpone(&mut tx, grave).await?;
            commit(tx, "keep an archive").await?;
            Ok(None)
        }
    }
}

async fn postpone(tx: &mut PgConnection, (tenant, object_key): &Grave) -> Result<(), StoreError> {
    sqlx::query(
        "update archive_grave set due_at = now() + $3 * interval '1 s' where tenant_id = $1 and object_key = $2",
    )
    .bind(tenant.as_uuid())
    .bind(object_key)
    .bind(graves::REST.as_secs() as f64)
    .execute(tx)
    .await
    .or_failed("keep an archive")?;
    Ok(())
}

impl Burial {
    /// The object is gone. Without this it is looked at again in the next round.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn done(mut self) -> Result<(), StoreError> {
        let (tenant, object_key) = &self.grave;
        sqlx::query(
            "with filled as (
                 delete from archive_grave where tenant_id = $1 and object_key = $2
                 returning delivery_id, object_key
             )
             delete from delivery_archive a using filled
             where a.delivery_id = filled.delivery_id and a.object_key = filled.object_key",
        )
        .bind(tenant.as_uuid())
        .bind(object_key)
        .execute(&mut *self.tx)
        .await
        .or_failed("forget an archive that was removed")?;
        commit(self.tx, "forget an archive that was removed").await
    }
}
