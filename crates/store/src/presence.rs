//! Which worker processes are there.

use jobs::Queue;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// A worker process, as it says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Presence<'a> {
    /// Its name.
    pub worker: &'a str,
    /// The machine that it is on.
    pub host: &'a str,
    /// What it was built from.
    pub version: &'a str,
    /// What it listens to, with so many slots for each queue.
    pub listens_to: &'a [(Queue, usize)],
    /// What of the machine's memory it uses.
    pub memory_bytes: Option<i64>,
    /// Whether Redis answers it.
    pub reaches_redis: bool,
}

/// Says that a worker is there; whether somebody wants it to end.
pub async fn here(db: &Db, presence: Presence<'_>) -> Result<bool, StoreError> {
    let (queues, slots): (Vec<&str>, Vec<i32>) =
        presence.listens_to.iter().map(|(queue, slots)| (queue.name(), *slots as i32)).unzip();
    sqlx::query_scalar(
        "with known as (
             insert into version_seen (version) values ($3)
             on conflict (version) do update set last_at = clock_timestamp()
                 where version_seen.last_at < clock_timestamp() - interval '1 min'
         ), called as (
             insert into worker_seen (name, version) values ($1, $3) on conflict do nothing
         )
         insert into worker (name, host, version, queues, slots, memory_bytes, redis_lost_at)
         values ($1, $2, $3, $4, $5, $6, case when not $7 then clock_timestamp() end)
         on conflict (name) do update set seen_at = clock_timestamp(), memory_bytes = excluded.memory_bytes,
             redis_lost_at = case when not $7 then coalesce(worker.redis_lost_at, clock_timestamp()) end
         returning drain_requested_at is not null",
    )
    .bind(presence.worker)
    .bind(presence.host)
    .bind(presence.version)
    .bind(queues)
    .bind(slots)
    .bind(presence.memory_bytes)
    .bind(presence.reaches_redis)
    .fetch_one(db.pool())
    .await
    .or_failed("say that a worker is there")
}

/// Says that `worker` listens no more.
pub async fn gone(db: &Db, worker: &str) -> Result<(), StoreError> {
    sqlx::query("delete from worker where name = $1")
        .bind(worker)
        .execute(db.pool())
        .await
        .or_failed("say that a worker is gone")?;
    Ok(())
}

/// Forgets workers that have said nothing for an hour.
pub async fn forget_silent(db: &Db) -> Result<u64, StoreError> {
    let forgotten = sqlx::query("delete from worker where seen_at < clock_timestamp() - interval '1 hour'")
        .execute(db.pool())
        .await
        .or_failed("forget workers that are gone")?;
    Ok(forgotten.rows_affected())
}
