//! Lanes: put to sleep when nobody stands in them, woken when they were missed, removed when nobody came back.

use std::collections::{HashMap, HashSet};

use jobs::TenantId;
use sqlx::FromRow;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// Lanes put to sleep, woken or removed in one pass, each.
const LANES_PER_PASS: i64 = 5_000;

/// Tidies the lanes; does nothing while another process is at it.
///
/// Claims look at every lane that is awake, so their cost follows the lanes in use and not those that ever were. A job
/// may be committed into a lane at the moment when that is put to sleep; the next pass wakes it. For that it looks at
/// lanes that fell asleep not long ago: no transaction lasts longer.
pub async fn tidy(db: &Db) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let mine: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock(4, 0)")
        .fetch_one(&mut *tx)
        .await
        .or_failed("tidy the lanes")?;
    if !mine {
        return Ok(());
    }
    for step in [WAKE, SLEEP, REMOVE] {
        sqlx::query(step).bind(LANES_PER_PASS).execute(&mut *tx).await.or_failed("tidy the lanes")?;
    }
    commit(tx, "tidy the lanes").await
}

const WAKE: &str = "update lane set asleep_since = null where id in (
    select lane.id from lane
    where asleep_since > clock_timestamp() - interval '10 min'
      and exists (select from job where job.lane_id = lane.id and job.pos is not null) limit $1)";

const SLEEP: &str = "update lane set asleep_since = clock_timestamp() where id in (
    select lane.id from lane
    where asleep_since is null
      and not exists (select from job where job.lane_id = lane.id and job.pos is not null) limit $1)";

/// Keys may be as many as a client's customers. Whoever looks a lane up wakes it, so none is removed under somebody who
/// has just found it; nobody believes in a lane for longer than an hour.
const REMOVE: &str = "delete from lane where id in (
    select lane.id from lane
    where asleep_since < clock_timestamp() - interval '1 day' and key <> ''
      and not exists (select from job where job.lane_id = lane.id) limit $1)
    and asleep_since < clock_timestamp() - interval '1 day'";

/// What makes the jobs of a tenant stand in one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, FromRow)]
pub(crate) struct Lane {
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) quarantine: i16,
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) promise_s: i32,
}

/// Lanes that stand already, and will for as long as anybody needs: removal looks for those that slept for a day.
const FIND: &str = "select x.place, lane.id from unnest($2::text[], $3::smallint[], $4::smallint[], $5::text[], $6::text[], $7::int[])
         with ordinality as x (queue, priority, quarantine, kind, key, promise_s, place)
     join lane on lane.tenant_id = $1 and lane.queue = x.queue and lane.priority = x.priority
         and lane.quarantine = x.quarantine and lane.kind = x.kind and lane.key = x.key and lane.promise_s = x.promise_s
     where lane.asleep_since is null or lane.asleep_since > clock_timestamp() - interval '1 hour'";

/// In one order, so that two who make lanes do not wait for each other in a ring.
const MAKE: &str =
    "select x.place, lane_for($1, x.queue, x.priority, x.quarantine, x.kind, x.key, x.promise_s) as id
     from unnest($2::text[], $3::smallint[], $4::smallint[], $5::text[], $6::text[], $7::int[])
         with ordinality as x (queue, priority, quarantine, kind, key, promise_s, place)";

/// The lanes of `tenant` that are `wanted`; those that are not there are made. In a transaction of its own, so that
/// claims do not wait for what the caller does next.
pub(crate) async fn find(
    db: &Db,
    tenant: TenantId,
    wanted: HashSet<Lane>,
) -> Result<HashMap<Lane, i32>, StoreError> {
    let mut missing: Vec<Lane> = wanted.into_iter().collect();
    missing.sort_unstable();
    let mut found = HashMap::with_capacity(missing.len());
    let mut tx = db.tenant(tenant).await?;
    for sql in [FIND, MAKE] {
        if missing.is_empty() {
            break;
        }
        let rows: Vec<(i64, i32)> = sqlx::query_as(sql)
            .bind(tenant.as_uuid())
            .bind(missing.iter().map(|lane| lane.queue.as_str()).collect::<Vec<_>>())
            .bind(missing.iter().map(|lane| lane.priority).collect::<Vec<_>>())
            .bind(missing.iter().map(|lane| lane.quarantine).collect::<Vec<_>>())
            .bind(missing.iter().map(|lane| lane.kind.as_str()).collect::<Vec<_>>())
            .bind(missing.iter().map(|lane| lane.key.as_str()).collect::<Vec<_>>())
            .bind(missing.iter().map(|lane| lane.promise_s).collect::<Vec<_>>())
            .fetch_all(&mut *tx)
            .await
            .or_failed("find lanes")?;
        for (place, id) in rows {
            if let Some(lane) = missing.get(place as usize - 1) {
                found.insert(lane.clone(), id);
            }
        }
        missing.retain(|lane| !found.contains_key(lane));
    }
    commit(tx, "find lanes").await?;
    Ok(found)
}
