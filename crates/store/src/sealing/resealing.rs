//! Sealing anew what waits: after a tenant was encrypted, and after it got a new data key. History stays as it is; its old
//! keys stay too, and it goes with its time.

use jobs::{JobId, TenantId};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::Place;
use crate::{
    db::Db,
    error::{OrFailed, StoreError},
    payload::{Field, Object, Payload},
};

/// Live rows looked at in one statement.
const PAGE_MAX: i64 = 200;
/// By then every process knows of a new key, and nothing is written under an older one any more.
const KNOWN_EVERYWHERE_S: i32 = 60;

/// A tenant that is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encrypted {
    /// Whose.
    pub tenant: TenantId,
    /// The data key that seals.
    pub newest: i32,
    /// Whether every process knows it.
    pub is_everywhere: bool,
}

/// The tenants that are encrypted. For workers.
pub async fn encrypted(db: &Db) -> Result<Vec<Encrypted>, StoreError> {
    let rows: Vec<(Uuid, i32, bool)> = sqlx::query_as(
        "select tenant_id, max(number), max(created_at) < clock_timestamp() - make_interval(secs => $1)
         from tenant_key group by tenant_id order by tenant_id",
    )
    .bind(KNOWN_EVERYWHERE_S)
    .fetch_all(db.pool())
    .await
    .or_failed("see which tenants are encrypted")?;
    Ok(rows
        .into_iter()
        .map(|(tenant, newest, is_everywhere)| Encrypted {
            tenant: TenantId::from_uuid(tenant),
            newest,
            is_everywhere,
        })
        .collect())
}

/// Arguments of a live job that are not sealed under the newest key.
#[derive(Debug, Clone, PartialEq)]
pub enum Stale {
    /// In the row, opened.
    Row(JobId, Payload),
    /// In an object.
    Object(JobId, Object),
}

/// Some live jobs, in the order of their ids.
#[derive(Debug, Default)]
pub struct Page {
    /// What is to be sealed anew.
    pub stale: Vec<Stale>,
    /// Go on from here; none at the end.
    pub next: Option<JobId>,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    /// None when it is up to date.
    args: Option<Json<Payload>>,
}

/// What is not sealed under `newest` among the live jobs of `tenant` after `after`.
///
/// # Errors
/// When the ledger does not answer, or what is there cannot be opened.
pub async fn stale(db: &Db, tenant: TenantId, newest: i32, after: Option<JobId>) -> Result<Page, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "with page as materialized (
             select id, args from job where tenant_id = $1 and id > $2 order by id limit $4
         )
         select id, case when coalesce(case args ->> '$crewline' when 'sealed' then args ->> 'under'
                                       when 'object' then args ->> 'sealed_under' end, '') <> $3::text then args end as args
         from page order by id",
    )
    .bind(tenant.as_uuid())
    .bind(after.map_or(Uuid::nil(), |after| after.as_uuid()))
    .bind(newest.to_string())
    .bind(PAGE_MAX)
    .fetch_all(db.pool())
    .await
    .or_failed("look for what is to be sealed anew")?;
    let is_full = rows.len() as i64 == PAGE_MAX;
    let next = rows.last().filter(|_| is_full).map(|row| JobId::from_uuid(row.id));
    let mut stale = Vec::new();
    for row in rows {
        let (job, Some(Json(args))) = (JobId::from_uuid(row.id), row.args) else { continue };
        match db.open(tenant, &Place::of_job(job, Field::Args), args).await? {
            Payload::Object(object) => stale.push(Stale::Object(job, object)),
            args @ Payload::Inline(_) => stale.push(Stale::Row(job, args)),
            Payload::Unopened(_) => {}
        }
    }
    Ok(Page { stale, next })
}

/// Writes the arguments of live jobs anew, sealed under the newest key; answers how many. What somebody else has in hand
/// at this moment is left as it is.
///
/// # Errors
/// When the ledger does not answer, or the arguments cannot be sealed.
pub async fn replace(db: &Db, tenant: TenantId, args: &[(JobId, Payload)]) -> Result<u64, StoreError> {
    let Some(ring) = db.ring(tenant).await? else { return Ok(0) };
    let mut sealed = Vec::with_capacity(args.len());
    for (job, args) in args {
        let anew = ring.seal_payload(&Place::of_job(*job, Field::Args), args)?;
        sealed.push(Json(anew.unwrap_or_else(|| args.clone())));
    }
    let replaced = sqlx::query(
        "with free as materialized (
             select id from job where tenant_id = $1 and id = any ($2) for update skip locked
         )
         update job set args = x.args from unnest($2::uuid[], $3::jsonb[]) as x (id, args), free
         where job.tenant_id = $1 and job.id = x.id and free.id = x.id",
    )
    .bind(tenant.as_uuid())
    .bind(args.iter().map(|(job, _)| job.as_uuid()).collect::<Vec<_>>())
    .bind(sealed)
    .execute(db.pool())
    .await
    .or_failed("seal arguments anew")?;
    Ok(replaced.rows_affected())
}
