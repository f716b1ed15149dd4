//! Originals as a whole: listed, given terms, and deleted.

use chrono::{DateTime, Utc};
use jobs::{AssetId, AssetState, TenantId};
use sqlx::FromRow;

use crate::{
    Db,
    db::commit,
    deliveries,
    error::{OrFailed, StoreError},
    graves,
    media::{ASSET, Asset},
};

/// Originals deleted by one statement because their time is over.
const DUE_MAX: i64 = 500;

/// Which originals to list. What is not said fits all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<AssetState>,
    /// Of this media type.
    pub media_type: Option<String>,
    /// With these bytes.
    pub sha256: Option<String>,
    /// Verified then or later.
    pub since: Option<DateTime<Utc>>,
    /// Verified before.
    pub until: Option<DateTime<Utc>>,
}

/// Originals of `tenant`, newest first, from the one after `after` on.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    filter: &Filter,
    after: Option<AssetId>,
    limit: i64,
) -> Result<Vec<Asset>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{ASSET} where tenant_id = $1 and ($2::uuid is null or id < $2) and ($3::text is null or state = $3)
             and ($4::text is null or media_type = $4) and ($5::text is null or sha256 = $5)
             and ($6::timestamptz is null or created_at >= $6) and ($7::timestamptz is null or created_at < $7)
         order by id desc limit $8"
    )))
    .bind(tenant.as_uuid())
    .bind(after.map(|after| after.as_uuid()))
    .bind(filter.state.map(AssetState::name))
    .bind(&filter.media_type)
    .bind(&filter.sha256)
    .bind(filter.since)
    .bind(filter.until)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .or_failed("list assets")
}

/// On which terms an original is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct Terms {
    /// What may be done with it.
    pub license: Option<String>,
    /// Nobody may delete it before.
    pub retain_until: Option<DateTime<Utc>>,
    /// It is deleted then, by itself.
    pub delete_at: Option<DateTime<Utc>>,
}

/// Sets the terms of an original, unless somebody who may not would shorten the time for which it is kept. False then,
/// or when there is no such original.
pub async fn set_terms(
    db: &Db,
    tenant: TenantId,
    asset: AssetId,
    terms: &Terms,
    may_shorten: bool,
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let set = sqlx::query(
        "update asset set license = $3, retain_until = $4, delete_at = $5
         where tenant_id = $1 and id = $2 and ($6 or retain_until is null or retain_until < now() or $4 >= retain_until)",
    )
    .bind(tenant.as_uuid())
    .bind(asset.as_uuid())
    .bind(&terms.license)
    .bind(terms.retain_until)
    .bind(terms.delete_at)
    .bind(may_shorten)
    .execute(&mut *tx)
    .await
    .or_failed("set the terms of an asset")?;
    commit(tx, "set the terms of an asset").await?;
    Ok(set.rows_affected() > 0)
}

/// What became of a wish to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone, and its objects will be.
    Done,
    /// There is no such original.
    NotFound,
    /// It is held: only some may delete it.
    Held(AssetState),
    /// It is kept until then, whoever asks.
    Retained(DateTime<Utc>),
}

/// Deletes an original with everything that was made from it. Its objects go later, when no running job may still be
/// writing beside them.
pub async fn delete(
    db: &Db,
    tenant: TenantId,
    asset: AssetId,
    may_delete_held: bool,
) -> Result<Deleted, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let found: Option<Asset> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{ASSET} where tenant_id = $1 and id = $2 for update")))
            .bind(tenant.as_uuid())
            .bind(asset.as_uuid())
            .fetch_optional(&mut *tx)
            .await
            .or_failed("look at an asset to delete")?;
    let Some(found) = found else { return Ok(Deleted::NotFound) };
    if let Some(until) = found.terms.retain_until.filter(|until| *until > Utc::now()) {
        return Ok(Deleted::Retained(until));
    }
    let state = found.state()?;
    if state.is_held() && !may_delete_held {
        return Ok(Deleted::Held(state));
    }
    deliveries::discard_archives_with(&mut tx, tenant, asset).await?;
    sqlx::query("delete from asset where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(asset.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("delete an asset")?;
    graves::open(&mut tx, tenant, &found.sha256).await?;
    commit(tx, "delete an asset").await?;
    Ok(Deleted::Done)
}

/// Deletes originals whose time is over, up to 500 of all tenants; answers how many.
pub async fn delete_due(db: &Db) -> Result<u64, StoreError> {
    let deleted: i64 = sqlx::query_scalar(
        "with due as (
             select id from asset where delete_at < now() and (retain_until is null or retain_until < now())
             order by delete_at limit $1 for update skip locked
         ),
         gone as (delete from asset where id = any (array(select id from due)) returning tenant_id, sha256),
         dug as (
             insert into asset_grave (tenant_id, sha256, due_at)
             select distinct tenant_id, sha256, now() + $2 * interval '1 s' from gone
             on conflict (tenant_id, sha256) do update set due_at = greatest(asset_grave.due_at, excluded.due_at)
         ),
         unpacked as (
             delete from delivery_archive a using delivery_item i, due
             where i.asset_id = due.id and a.tenant_id = i.tenant_id and a.delivery_id = i.delivery_id
             returning a.tenant_id, a.delivery_id, a.object_key
         ),
         buried as (
             insert into archive_grave (tenant_id, delivery_id, object_key, due_at)
             select tenant_id, delivery_id, object_key, now() + $2 * interval '1 s' from unpacked
             on conflict (tenant_id, object_key) do update set due_at = excluded.due_at
         )
         select count(*) from gone",
    )
    .bind(DUE_MAX)
    .bind(graves::REST.as_secs() as f64)
    .fetch_one(db.pool())
    .await
    .or_failed("delete assets whose time is over")?;
    Ok(deleted as u64)
}
