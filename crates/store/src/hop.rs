//! Changing over to another queue when waiting takes too long.

use jobs::Queue;

use crate::{
    cancel::stop_claiming,
    db::{Db, commit},
    enqueue::ring,
    error::{OrFailed, StoreError},
};

/// Jobs of one queue that change over in one pass.
const HOPS_MAX: i64 = 1_000;

/// A job that waits keeps its priority, kind, key and promise, and goes to the end of its new line. One that runs when its
/// time comes is left alone; it changes over if it has to wait again.
const HOP: &str = "with due as materialized (
     select j.tenant_id, j.id, j.fence, j.pos, j.hop_queue, lane.priority, lane.quarantine, lane.kind, lane.key,
         lane.promise_s
     from job j join lane on lane.id = j.lane_id
     where j.hop_at <= clock_timestamp() and lane.queue = $1 and (j.pos is null or j.pos > lane.cursor)
     order by j.hop_at limit $2 for update of j skip locked
 ),
 target as materialized (
     select t.*, lane_for(t.tenant_id, t.hop_queue, t.priority, t.quarantine, t.kind, t.key, t.promise_s) as id
     from (select distinct tenant_id, hop_queue, priority, quarantine, kind, key, promise_s from due) t
 )
 update job set lane_id = target.id, pos = case when due.pos is not null then nextval('job_pos') end, hop_at = null,
     hop_queue = null
 from due join target using (tenant_id, hop_queue, priority, quarantine, kind, key, promise_s)
 where job.tenant_id = due.tenant_id and job.id = due.id and job.fence = due.fence";

/// Moves the jobs whose time to change over has come; answers how many.
pub async fn hop(db: &Db) -> Result<u64, StoreError> {
    let from: Vec<String> = sqlx::query_scalar(
        "select distinct lane.queue from (
             select lane_id from job where hop_at <= clock_timestamp() order by hop_at limit $1) due
         join lane on lane.id = due.lane_id",
    )
    .bind(HOPS_MAX)
    .fetch_all(db.pool())
    .await
    .or_failed("look for jobs that change queues")?;
    let mut moved = 0;
    for queue in from {
        let mut tx = db.begin().await?;
        // From here on a job of the queue is either running already or will not be claimed.
        stop_claiming(&mut tx, &queue).await?;
        let hopped = sqlx::query(HOP)
            .bind(&queue)
            .bind(HOPS_MAX)
            .execute(&mut *tx)
            .await
            .or_failed("move jobs to another queue")?;
        if hopped.rows_affected() > 0 {
            ring(&mut tx, Queue::ALL.into_iter()).await?;
        }
        commit(tx, "move jobs to another queue").await?;
        moved += hopped.rows_affected();
    }
    Ok(moved)
}
