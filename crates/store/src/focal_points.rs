//! What photographs are about, and the pictures that change with it.

use jobs::{
    AssetId, FocalPoint, TenantId, Unique, UniqueFor, kinds::media_rendition::MediaRendition, preset,
};

use crate::{
    brands,
    db::{Db, commit},
    enqueue::{self, Enqueued, NewJob},
    error::{OrFailed, StoreError},
};

/// What to say of a photograph.
#[derive(Debug, Clone)]
pub struct NewFocalPoint {
    /// Which photograph.
    pub asset: AssetId,
    /// What it is about; none for its middle.
    pub point: Option<FocalPoint>,
    /// The trace that the jobs belong to.
    pub traceparent: Option<String>,
}

/// Says what a photograph is about, and enqueues the making of those of its pictures that keep a part of it. None when
/// there is no such photograph; else how many jobs were enqueued.
///
/// # Errors
/// When the database fails.
pub async fn set(db: &Db, tenant: TenantId, new: &NewFocalPoint) -> Result<Option<usize>, StoreError> {
    // Not of the pool that lanes are looked up with.
    let mut tx = db.busy_tenant(tenant).await?;
    let side = |pick: fn(FocalPoint) -> u16| new.point.map(|point| pick(point) as i16);
    let set = sqlx::query(
        "update asset set focal_x_permille = $3, focal_y_permille = $4
         where tenant_id = $1 and id = $2 and media_type like 'image/%'",
    )
    .bind(tenant.as_uuid())
    .bind(new.asset.as_uuid())
    .bind(side(|point| point.x_permille))
    .bind(side(|point| point.y_permille))
    .execute(&mut *tx)
    .await
    .or_failed("set a focal point")?;
    if set.rows_affected() == 0 {
        return Ok(None);
    }
    let made: Vec<String> = sqlx::query_scalar(
        "select distinct preset from rendition where tenant_id = $1 and asset_id = $2 order by preset",
    )
    .bind(tenant.as_uuid())
    .bind(new.asset.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("read which pictures a focal point changes")?;
    let mut again: Vec<MediaRendition> =
        made.iter().filter_map(|made_as| made_again(new.asset, made_as)).collect();
    again.dedup();
    let jobs = again.iter().map(|args| job(args, new)).collect::<Result<Vec<_>, _>>()?;
    let enqueued = enqueue::insert(db, &mut tx, tenant, &jobs).await?;
    commit(tx, "set a focal point").await?;
    Ok(Some(enqueued.iter().filter(|enqueued| **enqueued == Enqueued::Inserted).count()))
}

/// What makes pictures like those that were made as `made_as`, if they keep a part only.
fn made_again(asset: AssetId, made_as: &str) -> Option<MediaRendition> {
    let preset = preset::of_pictures(made_as).filter(|preset| preset.shape.is_some())?;
    Some(MediaRendition { asset, preset: preset.id(), branded: brands::is_on(made_as) })
}

/// Its unique key has the point in it: a job that runs has read the one before.
fn job(args: &MediaRendition, new: &NewFocalPoint) -> Result<NewJob, StoreError> {
    let mut job = NewJob::of(args)
        .map_err(|error| StoreError::Unreadable { table: "job", found: error.to_string() })?;
    let key = job.unique.map(|unique| unique.key).unwrap_or_default();
    let key = new.point.map_or_else(|| format!("{key}-middle"), |point| point.on(&key));
    job.unique = Some(Unique { key, lasts: UniqueFor::UntilDone });
    job.traceparent.clone_from(&new.traceparent);
    Ok(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_that_keep_a_part_are_made_again() {
        let again = |made_as| made_again(AssetId::new(), made_as).map(|args| (args.preset, args.branded));
        let social = |branded| Some(("social@1".to_owned(), branded));
        assert_eq!(again("social@1"), social(false));
        assert_eq!(again("social@1-at350x600"), social(false));
        assert_eq!(again("social@1-0123456789abcdef"), social(true));
        assert_eq!(again("social@1-at350x600-0123456789abcdef"), social(true));
        assert_eq!(again("listing@1"), None);
        assert_eq!(again("social@999"), None, "nobody can make these any more");
    }
}
