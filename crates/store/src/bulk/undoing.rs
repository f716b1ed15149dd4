//! What an operation ended or moved, kept so that another one can take it back.
//!
//! A job is remembered by its fence: one that began again since, or was moved by somebody else, is not what it was, and is left
//! alone.

use std::collections::HashMap;

use jobs::{BulkOperationId, JobId, State};
use uuid::Uuid;

use super::{
    batch::InHand,
    record::{Action, Filter, Operation, Wanted},
};
use crate::{
    db::{Db, Tx},
    error::{OrFailed, StoreError},
};

/// Days for which it is known what an operation changed.
pub const UNDO_DAYS_MAX: i32 = 7;
/// Rows forgotten at once.
const FORGOTTEN_MAX: i32 = 5_000;

impl Operation {
    /// What takes back what this one changed. None for a retry: what it began is running, or has run.
    pub fn undo(&self) -> Result<Option<Wanted>, StoreError> {
        let (action, states) = match self.action()? {
            Action::Retry => return Ok(None),
            Action::Cancel => (Action::Retry, vec![State::Cancelled]),
            Action::Discard => (Action::Retry, vec![State::Discarded]),
            Action::Reprioritise => {
                (Action::Reprioritise, vec![State::Available, State::Scheduled, State::Retryable])
            }
        };
        let filter = Filter { states, changed_by: Some(self.id()), ..Filter::default() };
        Ok(Some(Wanted { action, filter, priority: None }))
    }
}

/// A job as it was before it was changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    pub(super) job: JobId,
    pub(super) fence: i32,
    pub(super) priority: i16,
}

/// Keeps what an operation changed in this batch.
pub(super) async fn keep(tx: &mut Tx, operation: &InHand, changed: &[Before]) -> Result<(), StoreError> {
    sqlx::query(
        "insert into bulk_change (operation_id, tenant_id, job_id, fence, priority)
         select $1, $2, * from unnest($3::uuid[], $4::int[], $5::smallint[]) on conflict do nothing",
    )
    .bind(operation.id.as_uuid())
    .bind(operation.tenant.as_uuid())
    .bind(changed.iter().map(|before| before.job.as_uuid()).collect::<Vec<_>>())
    .bind(changed.iter().map(|before| before.fence).collect::<Vec<_>>())
    .bind(changed.iter().map(|before| before.priority).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .or_failed("keep what a batch changed")?;
    Ok(())
}

/// The priorities that jobs had before `operation` moved them.
pub(super) async fn priorities(
    tx: &mut Tx,
    operation: BulkOperationId,
    jobs: &[JobId],
) -> Result<HashMap<JobId, i16>, StoreError> {
    let found: Vec<(Uuid, i16)> = sqlx::query_as(
        "select job_id, priority from bulk_change where operation_id = $1 and job_id = any ($2)",
    )
    .bind(operation.as_uuid())
    .bind(jobs.iter().map(JobId::as_uuid).collect::<Vec<_>>())
    .fetch_all(&mut **tx)
    .await
    .or_failed("read which priorities jobs had")?;
    Ok(found.into_iter().map(|(job, priority)| (JobId::from_uuid(job), priority)).collect())
}

/// Forgets what was changed too long ago to be taken back; answers how many jobs.
pub async fn forget(db: &Db) -> Result<u64, StoreError> {
    let forgotten = sqlx::query(
        "delete from bulk_change where ctid = any (array(
             select ctid from bulk_change where changed_at < now() - $1 * interval '1 day' limit $2))",
    )
    .bind(f64::from(UNDO_DAYS_MAX))
    .bind(FORGOTTEN_MAX)
    .execute(db.pool())
    .await
    .or_failed("forget what bulk operations changed")?;
    Ok(forgotten.rows_affected())
}
