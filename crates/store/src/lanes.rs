//! Lanes: put to sleep when nobody stands in them, woken when they were missed, removed when nobody came back.

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
