//! What has to be done once in a while, and numbers that are read rather than counted along.

use chrono::NaiveDate;
use jobs::{Queue, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Makes the partitions of history for today and `days_ahead` days after.
pub async fn ensure_partitions(db: &Db, days_ahead: i32) -> Result<(), StoreError> {
    sqlx::query("select ensure_partitions($1)")
        .bind(days_ahead)
        .execute(db.pool())
        .await
        .or_failed("make partitions")?;
    Ok(())
}

/// Drops the partitions of history that end before `keep_from`; answers how many.
pub async fn drop_partitions(db: &Db, keep_from: NaiveDate) -> Result<i32, StoreError> {
    sqlx::query_scalar("select drop_partitions($1)")
        .bind(keep_from)
        .fetch_one(db.pool())
        .await
        .or_failed("drop old partitions")
}

/// Forgets idempotency keys and uniqueness windows whose time is over, and what was left of rates that are whole again, up to
/// 5,000 of each; answers how many.
pub async fn forget_expired(db: &Db) -> Result<u64, StoreError> {
    let keys = sqlx::query(
        "delete from idempotency where ctid = any (array(
             select ctid from idempotency where expires_at < now() limit 5000))",
    )
    .execute(db.pool())
    .await
    .or_failed("forget expired idempotency keys")?;
    let windows = sqlx::query(
        "delete from unique_window where ctid = any (array(
             select ctid from unique_window where expires_at < now() limit 5000))",
    )
    .execute(db.pool())
    .await
    .or_failed("forget expired uniqueness windows")?;
    // A window lasts a period; a bucket is full after as many periods as its burst takes, however little was in it.
    let buckets = sqlx::query(
        "delete from bucket b using (
             select found.rule_id, found.key from bucket found join limit_rule r on r.id = found.rule_id
             where found.filled_at < clock_timestamp()
                 - ceil(greatest(1, r.rate_burst::float8 / r.rate_count)) * r.rate_period_s * interval '1 s'
             limit 5000 for update of found skip locked) whole
         where b.rule_id = whole.rule_id and b.key = whole.key",
    )
    .execute(db.pool())
    .await
    .or_failed("forget what was left of rates")?;
    Ok(keys.rows_affected() + windows.rows_affected() + buckets.rows_affected())
}

/// Every tenant.
pub async fn tenants(db: &Db) -> Result<Vec<TenantId>, StoreError> {
    let ids: Vec<Uuid> = sqlx::query_scalar("select id from tenant order by id")
        .fetch_all(db.pool())
        .await
        .or_failed("list tenants")?;
    Ok(ids.into_iter().map(TenantId::from_uuid).collect())
}

/// How a queue stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Depth {
    /// The queue.
    pub queue: Queue,
    /// Jobs that may run now; counted up to 10,000 per lane.
    pub available: i64,
    /// Jobs a worker holds a lease on.
    pub running: i64,
    /// Live jobs whose promise is broken or has less than half of its time left; counted up to 10,000.
    pub at_risk: i64,
    /// How long the oldest job that may run has been allowed to, in seconds; 0 when none waits.
    pub oldest_s: f64,
}

#[derive(FromRow)]
struct DepthRow {
    available: i64,
    running: i64,
    at_risk: i64,
    oldest_s: f64,
}

/// How each queue stands. Costs an index probe per lane, whatever the backlog.
pub async fn depths(db: &Db) -> Result<Vec<Depth>, StoreError> {
    let mut depths = Vec::with_capacity(Queue::ALL.len());
    for queue in Queue::ALL {
        let row: DepthRow = sqlx::query_as(
            "select coalesce(sum(w.jobs), 0)::bigint as available,
                    (select coalesce(sum(jobs), 0)::bigint from lease where queue = $1) as running,
                    (select count(*) from (
                        select from lane promised join job on job.lane_id = promised.id
                        where promised.queue = $1 and promised.promise_s > 0 and promised.asleep_since is null
                          and job.pos is not null and job.due_at - clock_timestamp() < (job.due_at - job.scheduled_at) / 2
                        limit 10000) counted) as at_risk,
                    coalesce(extract(epoch from clock_timestamp() - min(w.oldest)), 0)::float8 as oldest_s
             from lane cross join lateral (
                 select count(*) as jobs, min(front.scheduled_at) as oldest from (
                     select scheduled_at from job where job.lane_id = lane.id and job.pos > lane.cursor
                     order by pos limit 10000) front) w
             where lane.queue = $1",
        )
        .bind(queue.name())
        .fetch_one(db.pool())
        .await
        .or_failed("measure the queues")?;
        depths.push(Depth {
            queue,
            available: row.available,
            running: row.running,
            at_risk: row.at_risk,
            oldest_s: row.oldest_s.max(0.0),
        });
    }
    Ok(depths)
}
