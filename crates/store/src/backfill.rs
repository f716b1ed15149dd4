//! Finding originals of which something is not made yet, a bounded piece of the library at a time.

use chrono::{DateTime, Utc};
use jobs::{AssetId, Queue, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// How presets end around a focal point, and without a mark.
const AROUND_A_POINT: &str = "^[^-]+-at[0-9]+x[0-9]+$";

/// Which originals are wanted.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Those that lack this ladder.
    pub preset: &'a str,
    /// What their media types begin with: `image/` or `video/`.
    pub family: &'a str,
    /// Of these media types only, unless empty.
    pub media_types: &'a [String],
    /// That came in at this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// That came in before this moment.
    pub until: Option<DateTime<Utc>>,
    /// Those after this one.
    pub after: Option<AssetId>,
}

/// A piece of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Originals that are wanted, in order.
    pub assets: Vec<AssetId>,
    /// The last original that was looked at; none when there are no more.
    pub next: Option<AssetId>,
}

#[derive(FromRow)]
struct Seen {
    id: Uuid,
    is_wanted: bool,
}

/// Looks at the next originals, at most `seen_max`, and stops after `wanted_max` of those that are wanted.
///
/// # Errors
/// When the database fails.
pub async fn piece(
    db: &Db,
    tenant: TenantId,
    wanted: &Wanted<'_>,
    seen_max: i64,
    wanted_max: usize,
) -> Result<Piece, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let seen: Vec<Seen> = sqlx::query_as(
        "with seen as (
             select id, state, media_type, created_at from asset
             where tenant_id = $1 and ($2::uuid is null or id > $2) order by id limit $3
         )
         select s.id, s.state = 'clean' and starts_with(s.media_type, $4)
             and (cardinality($5::text[]) = 0 or s.media_type = any ($5))
             and ($6::timestamptz is null or s.created_at >= $6) and ($7::timestamptz is null or s.created_at < $7)
             and not exists (
                 select from rendition r where r.tenant_id = $1 and r.asset_id = s.id
                     and (r.preset = $8 or r.preset ~ $9 and starts_with(r.preset, $8)))
             and not exists (select from film f where f.tenant_id = $1 and f.asset_id = s.id and f.preset = $8) as is_wanted
         from seen s order by s.id",
    )
    .bind(tenant.as_uuid())
    .bind(wanted.after.map(|after| after.as_uuid()))
    .bind(seen_max)
    .bind(wanted.family)
    .bind(wanted.media_types)
    .bind(wanted.since)
    .bind(wanted.until)
    .bind(wanted.preset)
    .bind(AROUND_A_POINT)
    .fetch_all(&mut *tx)
    .await
    .or_failed("look through originals")?;
    let is_last = (seen.len() as i64) < seen_max;
    let mut piece = Piece { assets: Vec::new(), next: None };
    for Seen { id, is_wanted } in seen {
        if piece.assets.len() == wanted_max {
            return Ok(piece);
        }
        piece.next = Some(AssetId::from_uuid(id));
        piece.assets.extend(piece.next.filter(|_| is_wanted));
    }
    if is_last {
        piece.next = None;
    }
    Ok(piece)
}

/// How many jobs of `tenant` wait in `queue`, counted up to `max`.
///
/// # Errors
/// When the database fails.
pub async fn waiting(db: &Db, tenant: TenantId, queue: Queue, max: i64) -> Result<i64, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_scalar(
        "select count(*) from (
             select from lane join job on job.lane_id = lane.id and job.pos is not null
             where lane.tenant_id = $1 and lane.queue = $2 limit $3
         ) waiting",
    )
    .bind(tenant.as_uuid())
    .bind(queue.name())
    .bind(max)
    .fetch_one(&mut *tx)
    .await
    .or_failed("count what waits")
}
