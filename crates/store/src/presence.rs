//! Which worker processes are there.

use jobs::Queue;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Says that `worker` is there and listens, with so many slots for each queue, and what memory it uses; whether somebody wants it
/// to end.
pub async fn here(
    db: &Db,
    worker: &str,
    version: &str,
    listens_to: &[(Queue, usize)],
    memory_bytes: Option<i64>,
) -> Result<bool, StoreError> {
    let (queues, slots): (Vec<&str>, Vec<i32>) =
        listens_to.iter().map(|(queue, slots)| (queue.name(), *slots as i32)).unzip();
    sqlx::query_scalar(
        "insert into worker (name, version, queues, slots, memory_bytes) values ($1, $2, $3, $4, $5)
         on conflict (name) do update set seen_at = clock_timestamp(), memory_bytes = excluded.memory_bytes
         returning drain_requested_at is not null",
    )
    .bind(worker)
    .bind(version)
    .bind(queues)
    .bind(slots)
    .bind(memory_bytes)
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
