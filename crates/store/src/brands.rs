//! The mark that a tenant has laid over some of its pictures.

use chrono::{DateTime, Utc};
use jobs::{AssetId, TenantId};
use sha2::{Digest, Sha256};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// Characters of a brand's tag.
const TAG_CHARS: usize = 16;

/// A tenant's mark, and how it is laid over pictures.
#[derive(Debug, Clone, FromRow)]
pub struct Brand {
    asset_id: Uuid,
    sha256: String,
    /// Where it goes: a [`jobs::brand::Corner`]'s name.
    pub corner: String,
    /// Its width, in percent of the picture's.
    pub width_percent: i16,
    /// How much it covers, in percent.
    pub opacity_percent: i16,
    /// When it was set.
    pub updated_at: DateTime<Utc>,
}

impl Brand {
    /// The mark.
    pub fn asset(&self) -> AssetId {
        AssetId::from_uuid(self.asset_id)
    }

    /// A word that is another one as soon as pictures would look otherwise.
    pub fn tag(&self) -> String {
        let Self { sha256, corner, width_percent, opacity_percent, .. } = self;
        let said = format!("{sha256}/{corner}/{width_percent}/{opacity_percent}");
        let mut tag = hex::encode(Sha256::digest(said));
        tag.truncate(TAG_CHARS);
        tag
    }

    /// `preset` with this mark over its pictures, as it stands in keys and rows.
    pub fn on(&self, preset: &str) -> String {
        format!("{preset}-{}", self.tag())
    }
}

/// Whether pictures made as `made_as` have a mark.
pub(crate) fn is_on(made_as: &str) -> bool {
    made_as
        .split('-')
        .skip(1)
        .any(|word| word.len() == TAG_CHARS && word.chars().all(|c| c.is_ascii_hexdigit()))
}

/// The brand of `tenant`.
///
/// # Errors
/// When the database fails.
pub async fn brand(db: &Db, tenant: TenantId) -> Result<Option<Brand>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select b.asset_id, a.sha256, b.corner, b.width_percent, b.opacity_percent, b.updated_at
         from brand b join asset a on a.tenant_id = b.tenant_id and a.id = b.asset_id where b.tenant_id = $1",
    )
    .bind(tenant.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read a brand")
}

/// A brand that is about to be.
#[derive(Debug, Clone)]
pub struct NewBrand {
    /// The mark: a clean picture of this tenant.
    pub asset: AssetId,
    /// Where it goes.
    pub corner: &'static str,
    /// Its width, in percent of the picture's: 1 to 100.
    pub width_percent: i16,
    /// How much it covers, in percent: 1 to 100.
    pub opacity_percent: i16,
    /// Who said so.
    pub by: String,
}

/// Sets the brand of `tenant`. False when the asset is no clean picture of that tenant.
///
/// # Errors
/// When the database fails.
pub async fn set(db: &Db, tenant: TenantId, new: &NewBrand) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let set = sqlx::query(
        "insert into brand (tenant_id, asset_id, corner, width_percent, opacity_percent, updated_by)
         select $1, id, $3, $4, $5, $6 from asset
         where tenant_id = $1 and id = $2 and state = 'clean' and media_type like 'image/%'
         on conflict (tenant_id) do update set asset_id = excluded.asset_id, corner = excluded.corner,
             width_percent = excluded.width_percent, opacity_percent = excluded.opacity_percent,
             updated_by = excluded.updated_by, updated_at = clock_timestamp()",
    )
    .bind(tenant.as_uuid())
    .bind(new.asset.as_uuid())
    .bind(new.corner)
    .bind(new.width_percent)
    .bind(new.opacity_percent)
    .bind(&new.by)
    .execute(&mut *tx)
    .await
    .or_failed("set a brand")?;
    commit(tx, "set a brand").await?;
    Ok(set.rows_affected() > 0)
}

/// Ends the brand of `tenant`. False when there is none.
///
/// # Errors
/// When the database fails.
pub async fn remove(db: &Db, tenant: TenantId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from brand where tenant_id = $1")
        .bind(tenant.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("end a brand")?;
    commit(tx, "end a brand").await?;
    Ok(removed.rows_affected() > 0)
}
