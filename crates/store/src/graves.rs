//! Bytes in S3 that no original names any more. They are removed under a lock, so that an upload of the same bytes either
//! keeps them or finds out that they are gone.

use std::time::Duration;

use jobs::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Db, Tx,
    db::commit,
    error::{OrFailed, StoreError},
};

/// How long the objects of a deleted original stay: longer than an address for them works, and than any attempt that began
/// before may still be writing beside them.
pub(crate) const REST: Duration = Duration::from_hours(3);
/// How long the lock may be held in silence, whatever is set for other transactions: S3 is spoken to meanwhile.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Graves looked at in a round.
const DUE_MAX: i64 = 100;

/// Notes that the bytes may have lost their last name.
pub(crate) async fn open(tx: &mut PgConnection, tenant: TenantId, sha256: &str) -> Result<(), StoreError> {
    sqlx::query(
        "insert into asset_grave (tenant_id, sha256, due_at) values ($1, $2, now() + $3 * interval '1 s')
         on conflict (tenant_id, sha256) do update set due_at = greatest(asset_grave.due_at, excluded.due_at)",
    )
    .bind(tenant.as_uuid())
    .bind(sha256)
    .bind(REST.as_secs() as f64)
    .execute(tx)
    .await
    .or_failed("note objects to remove")?;
    Ok(())
}

/// The bytes are named again. Waits for whoever is removing them at this moment: afterwards they may be gone.
pub(crate) async fn close(tx: &mut PgConnection, tenant: TenantId, sha256: &str) -> Result<(), StoreError> {
    sqlx::query("delete from asset_grave where tenant_id = $1 and sha256 = $2")
        .bind(tenant.as_uuid())
        .bind(sha256)
        .execute(tx)
        .await
        .or_failed("keep objects that were to be removed")?;
    Ok(())
}

/// Whose bytes, and which.
pub type Name = (TenantId, String);

/// Bytes whose time has come, up to 100 of all tenants.
pub async fn due(db: &Db) -> Result<Vec<Name>, StoreError> {
    let due: Vec<(Uuid, String)> = sqlx::query_as(
        "select tenant_id, sha256 from asset_grave where due_at < now() order by due_at limit $1",
    )
    .bind(DUE_MAX)
    .fetch_all(db.pool())
    .await
    .or_failed("look for objects to remove")?;
    Ok(due.into_iter().map(|(tenant, sha256)| (TenantId::from_uuid(tenant), sha256)).collect())
}

/// Bytes that nobody names and nobody can name before this is dropped.
pub struct Removal {
    tx: Tx,
    name: Name,
}

/// A transaction that may hold a lock while S3 is spoken to.
pub(crate) async fn begin_in_silence(db: &Db) -> Result<Tx, StoreError> {
    let mut tx = db.begin().await?;
    sqlx::query("select set_config('idle_in_transaction_session_timeout', $1, true)")
        .bind(SILENCE_MAX.as_millis().to_string())
        .execute(&mut *tx)
        .await
        .or_failed("keep a lock in silence")?;
    Ok(tx)
}

/// Takes the lock on bytes whose time has come. None when they are named again, or somebody else is at it.
pub async fn remove(db: &Db, name: &Name) -> Result<Option<Removal>, StoreError> {
    let (tenant, sha256) = name;
    let mut tx = begin_in_silence(db).await?;
    let locked: Option<bool> = sqlx::query_scalar(
        "select exists (select from asset where asset.tenant_id = $1 and asset.sha256 = $2)
         from asset_grave where tenant_id = $1 and sha256 = $2 and due_at < now() for update skip locked",
    )
    .bind(tenant.as_uuid())
    .bind(sha256)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("lock objects to remove")?;
    let Some(is_named) = locked else { return Ok(None) };
    let removal = Removal { tx, name: name.clone() };
    if is_named {
        removal.done().await?;
        return Ok(None);
    }
    Ok(Some(removal))
}

impl Removal {
    /// The objects are gone. Without this they are looked at again in the next round.
    pub async fn done(mut self) -> Result<(), StoreError> {
        close(&mut self.tx, self.name.0, &self.name.1).await?;
        commit(self.tx, "forget objects that were removed").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_stay_longer_than_any_attempt_lasts() {
        for spec in jobs::specs() {
            assert!(Duration::from_secs(spec.policy.timeout_s.into()) < REST, "{}", spec.kind);
        }
    }
}
