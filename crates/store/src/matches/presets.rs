//! Rules of a house, under names. A request keeps its own copy of them and the version it is of, so no change of a preset reaches
//! those who are being looked for.

use chrono::{DateTime, Utc};
use jobs::TenantId;
use matching::Terms;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, types::Json};

use super::NewMatchRequest;
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// Rules under a name.
#[derive(Debug, Clone, FromRow)]
pub struct Preset {
    /// The name.
    pub name: String,
    /// Rises with each change. No two rules under a name ever have the same.
    pub version: i32,
    /// The rules.
    pub terms: Json<Terms>,
    /// Who changed them last.
    pub updated_by: String,
    /// When.
    pub updated_at: DateTime<Utc>,
}

const COLUMNS: &str = "name, version, terms, updated_by, updated_at";

/// What became of the wish to change rules.
#[derive(Debug, Clone)]
pub enum PresetSet {
    /// They are so.
    Done(Preset),
    /// Another version than the one that was seen is there.
    Moved(Preset),
    /// The version that was seen is gone.
    Missing,
    /// The tenant has as many as it may.
    TooMany,
}

/// Writes rules down under `name`: anew, or in place of the version that was `seen`. At most `max` names.
///
/// # Errors
/// When the database fails.
pub async fn set_preset(
    db: &Db,
    tenant: TenantId,
    (name, seen): (&str, Option<i32>),
    terms: &Terms,
    by: &str,
    max: i64,
) -> Result<PresetSet, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    hold(&mut tx, tenant).await?;
    let sql = format!(
        "insert into match_preset (tenant_id, name, terms, updated_by, version)
         select $1, $2, $3, $4, 1 + coalesce((select version from match_preset_past where tenant_id = $1), 0) where case when $5::int is null
             then (select count(*) from match_preset where tenant_id = $1) < $6
             else exists (select from match_preset where tenant_id = $1 and name = $2) end
         on conflict (tenant_id, name) do update set terms = $3, updated_by = $4, version = match_preset.version + 1,
             updated_at = clock_timestamp()
         where match_preset.version = $5
         returning {COLUMNS}"
    );
    let set: Option<Preset> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(name)
        .bind(Json(terms))
        .bind(by)
        .bind(seen)
        .bind(max)
        .fetch_optional(&mut *tx)
        .await
        .or_failed("change rules")?;
    if let Some(set) = set {
        commit(tx, "change rules").await?;
        return Ok(PresetSet::Done(set));
    }
    Ok(match read(&mut tx, tenant, name).await? {
        Some(current) => PresetSet::Moved(current),
        None if seen.is_some() => PresetSet::Missing,
        None => PresetSet::TooMany,
    })
}

/// Lets one at a time change what is there: whoever makes rules sees which version was the last.
async fn hold(tx: &mut PgConnection, tenant: TenantId) -> Result<(), StoreError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1::text || '/match-presets', 0))")
        .bind(tenant.as_uuid())
        .execute(tx)
        .await
        .or_failed("hold rules")?;
    Ok(())
}

/// The rules of a request, and of which version of its preset they are; none when there is no such preset.
pub(super) async fn pinned(
    tx: &mut PgConnection,
    tenant: TenantId,
    new: &NewMatchRequest,
) -> Result<Option<(Terms, Option<i32>)>, StoreError> {
    let Some(name) = &new.preset else { return Ok(Some((new.terms, None))) };
    let preset = read(tx, tenant, name).await?;
    Ok(preset.map(|preset| (preset.terms.0, Some(preset.version))))
}

async fn read(tx: &mut PgConnection, tenant: TenantId, name: &str) -> Result<Option<Preset>, StoreError> {
    let sql = format!("select {COLUMNS} from match_preset where tenant_id = $1 and name = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(name)
        .fetch_optional(tx)
        .await
        .or_failed("read rules")
}

/// The rules of `tenant`, by name, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn presets(db: &Db, tenant: TenantId, max: i64) -> Result<Vec<Preset>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from match_preset where tenant_id = $1 order by name limit $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list rules")
}

/// Forgets rules; who is looked for by them still is. False when there are none under this name.
///
/// # Errors
/// When the database fails.
pub async fn remove_preset(db: &Db, tenant: TenantId, name: &str) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    hold(&mut tx, tenant).await?;
    let removed = sqlx::query(
        "with removed as (delete from match_preset where tenant_id = $1 and name = $2 returning version)
         insert into match_preset_past as past (tenant_id, version) select $1, version from removed
         on conflict (tenant_id) do update set version = greatest(past.version, excluded.version)",
    )
    .bind(tenant.as_uuid())
    .bind(name)
    .execute(&mut *tx)
    .await
    .or_failed("forget rules")?;
    commit(tx, "forget rules").await?;
    Ok(removed.rows_affected() > 0)
}
