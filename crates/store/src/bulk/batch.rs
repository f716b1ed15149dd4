//! One batch of one operation, whoever does it.
//!
//! One batch runs at a time in the whole installation, and after each comes a rest, longer the longer the batch took. So
//! other work feels bulk operations as little with many of them, and with many processes, as with one.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use jobs::{BulkOperationId, Priority, TenantId, failure::Problem};
use serde_json::Value;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{
    changing::{self, Tally},
    record::{Action, Filter, OperationState},
    walk::{self, Page, Walk},
};
use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
};

/// Rows in a page where claims go on meanwhile.
const PAGE_ROWS_MAX: i64 = 500;
/// Rows in a page where claims of the queue wait for the commit: a few milliseconds.
const LOCKED_PAGE_ROWS_MAX: i64 = 100;
/// Pages without a job that fits before the cursor is stored.
const EMPTY_PAGES_MAX: usize = 10;
/// Rows counted in one step, where a request could not count them all.
const COUNT_STEP_ROWS_MAX: i64 = 20_000;
/// The rest after a batch, in parts of the time that it took: two thirds of the time belong to others.
const REST_PER_BATCH: f64 = 2.0;

/// What a step did.
#[derive(Debug, Clone)]
pub struct Stepped {
    /// Of which operation.
    pub operation: BulkOperationId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What is done to each job.
    pub action: String,
    /// Where it is now.
    pub state: OperationState,
    /// Jobs changed in this step.
    pub changed: usize,
    /// Jobs left alone in this step.
    pub skipped: usize,
    /// Jobs that could not be read in this step.
    pub failed: usize,
    /// No other step begins before this is over.
    pub rest: Duration,
    /// Why it failed.
    pub error: Option<Problem>,
}

#[derive(FromRow)]
struct Taken {
    id: Uuid,
    tenant_id: Uuid,
    action: String,
    filter: Json<Value>,
    priority: Option<i16>,
    matched_exactly: bool,
    counted_to: Option<Uuid>,
    cursor: Option<Uuid>,
    created_at: DateTime<Utc>,
}

/// An operation that is in hand.
pub(super) struct InHand {
    pub(super) id: BulkOperationId,
    pub(super) tenant: TenantId,
    pub(super) action: Action,
    pub(super) filter: Filter,
    pub(super) priority: Option<Priority>,
}

impl InHand {
    /// Refuses what another version has written and this one does not know.
    fn read(taken: &Taken) -> Result<Self, StoreError> {
        let unreadable = |found: String| StoreError::Unreadable { table: "bulk_operation", found };
        let filter = serde_json::from_value(taken.filter.0.clone());
        let priority = taken.priority.map(|priority| u8::try_from(priority).ok().and_then(Priority::new));
        Ok(Self {
            id: BulkOperationId::from_uuid(taken.id),
            tenant: TenantId::from_uuid(taken.tenant_id),
            action: taken.action.parse()?,
            filter: filter.map_err(|error| unreadable(error.to_string()))?,
            priority: match priority {
                None => None,
                Some(Some(priority)) => Some(priority),
                Some(None) => return Err(unreadable("priority".to_owned())),
            },
        })
    }
}

/// Does the next batch of whichever operation has waited longest. None when there is nothing to do now, or somebody else
/// is at it.
///
/// # Errors
/// When the database fails. The batch did not happen then; somebody does it later. What would fail every time ends the
/// operation instead.
pub async fn step(db: &Db) -> Result<Option<Stepped>, StoreError> {
    let began = Instant::now();
    let mut tx = db.begin().await?;
    let Some(taken) = take(&mut tx).await? else { return Ok(None) };
    let stepped = match InHand::read(&taken) {
        Ok(operation) if taken.matched_exactly => walk_on(db, &mut tx, &operation, &taken).await,
        Ok(operation) => count_on(&mut tx, &operation, &taken).await,
        Err(error) => Err(error),
    };
    let (tally, state) = match stepped {
        Ok(stepped) => stepped,
        Err(error) if error.is_transient() => return Err(error),
        Err(error) => {
            tx.rollback().await.or_failed("give up a bulk operation")?;
            return fail(db, &taken, &error).await.map(Some);
        }
    };
    let rest = began.elapsed().mul_f64(REST_PER_BATCH);
    sqlx::query(
        "update bulk_operation set rest_until = clock_timestamp() + $2 * interval '1 ms' where id = $1",
    )
    .bind(taken.id)
    .bind(rest.as_millis() as f64)
    .execute(&mut *tx)
    .await
    .or_failed("rest after a batch")?;
    commit(tx, "do a batch of a bulk operation").await?;
    Ok(Some(taken.stepped(tally, state, rest, None)))
}

impl Taken {
    fn stepped(
        &self,
        tally: Tally,
        state: OperationState,
        rest: Duration,
        error: Option<Problem>,
    ) -> Stepped {
        Stepped {
            operation: BulkOperationId::from_uuid(self.id),
            tenant: TenantId::from_uuid(self.tenant_id),
            action: self.action.clone(),
            state,
            changed: tally.changed,
            skipped: tally.skipped,
            failed: tally.failed,
            rest,
            error,
        }
    }
}

/// Takes the operation that has waited longest, unless it is time to rest or somebody else has one. Costs a process that
/// has nothing to do one look into an empty index.
async fn take(tx: &mut Tx) -> Result<Option<Taken>, StoreError> {
    let mine: Option<bool> = sqlx::query_scalar(
        "select pg_try_advisory_xact_lock(5, 0) from (select from bulk_operation where state = 'running' limit 1) any_one",
    )
    .fetch_optional(&mut **tx)
    .await
    .or_failed("look for bulk operations")?;
    if mine != Some(true) {
        return Ok(None);
    }
    let taken: Option<Taken> = sqlx::query_as(
        "select id, tenant_id, action, filter, priority, matched_exactly, counted_to, cursor, created_at from bulk_operation
         where state = 'running'
           and not exists (select from bulk_operation where state = 'running' and rest_until > clock_timestamp())
         order by updated_at, id limit 1 for update skip locked",
    )
    .fetch_optional(&mut **tx)
    .await
    .or_failed("take a bulk operation in hand")?;
    if let Some(taken) = &taken {
        sqlx::query("select set_config('crewline.tenant_id', $1, true)")
            .bind(taken.tenant_id.to_string())
            .execute(&mut **tx)
            .await
            .or_failed("act for the tenant of a bulk operation")?;
    }
    Ok(taken)
}

/// Counts a little further what the request could not count, so that progress can be told.
async fn count_on(
    tx: &mut Tx,
    operation: &InHand,
    taken: &Taken,
) -> Result<(Tally, OperationState), StoreError> {
    let walk = Walk {
        tenant: operation.tenant,
        filter: &operation.filter,
        as_of: taken.created_at,
        after: taken.counted_to,
    };
    let count = walk::count(tx, walk, COUNT_STEP_ROWS_MAX, COUNT_STEP_ROWS_MAX * 2, 0).await?;
    sqlx::query(
        // What the request counted is counted again, from the beginning.
        "update bulk_operation set matched = case when counted_to is null then 0 else matched end + $2, counted_to = $3,
             matched_exactly = $3::uuid is null, updated_at = clock_timestamp()
         where id = $1",
    )
    .bind(taken.id)
    .bind(count.jobs)
    .bind(count.counted_to)
    .execute(&mut **tx)
    .await
    .or_failed("count the jobs of a bulk operation")?;
    Ok((Tally::default(), OperationState::Running))
}

async fn walk_on(
    db: &Db,
    tx: &mut Tx,
    operation: &InHand,
    taken: &Taken,
) -> Result<(Tally, OperationState), StoreError> {
    let page = next_page(tx, operation, taken).await?;
    let is_last = page.met_to.is_none();
    if !is_last {
        // A batch that a crash of the server forgets is done again from the cursor it forgets with it. Only the end of
        // the operation, which somebody may have been told of, waits for the disk.
        sqlx::query("select set_config('synchronous_commit', 'off', true)")
            .execute(&mut **tx)
            .await
            .or_failed("begin a batch of a bulk operation")?;
    }
    let tally = changing::change(db, tx, operation, &page.jobs).await?;
    let state = if is_last { OperationState::Completed } else { OperationState::Running };
    sqlx::query(
        "update bulk_operation set processed = processed + $2 + $3 + $4, changed = changed + $2, skipped = skipped + $3,
             failed = failed + $4, cursor = coalesce($5, cursor), state = $6, updated_at = clock_timestamp(),
             finished_at = case when $6 <> 'running' then clock_timestamp() end
         where id = $1",
    )
    .bind(taken.id)
    .bind(tally.changed as i64)
    .bind(tally.skipped as i64)
    .bind(tally.failed as i64)
    .bind(page.met_to)
    .bind(state.name())
    .execute(&mut **tx)
    .await
    .or_failed("move a bulk operation on")?;
    Ok((tally, state))
}

/// The next page in which a job fits; or the last one looked at, so that the way there is not gone again.
async fn next_page(tx: &mut Tx, operation: &InHand, taken: &Taken) -> Result<Page, StoreError> {
    let rows = if operation.action == Action::Retry { PAGE_ROWS_MAX } else { LOCKED_PAGE_ROWS_MAX };
    let mut walk = Walk {
        tenant: operation.tenant,
        filter: &operation.filter,
        as_of: taken.created_at,
        after: taken.cursor,
    };
    let mut page = walk::page(tx, walk, rows).await?;
    for _ in 1..EMPTY_PAGES_MAX {
        if !page.jobs.is_empty() || page.met_to.is_none() {
            break;
        }
        walk.after = page.met_to;
        page = walk::page(tx, walk, rows).await?;
    }
    Ok(page)
}

/// Ends an operation whose next batch would fail every time.
async fn fail(db: &Db, taken: &Taken, error: &StoreError) -> Result<Stepped, StoreError> {
    let problem = Problem::of("bulk_failed", error);
    sqlx::query(
        "update bulk_operation set state = 'failed', error = $2, finished_at = clock_timestamp(),
             updated_at = clock_timestamp()
         where id = $1 and state = 'running'",
    )
    .bind(taken.id)
    .bind(Json(&problem))
    .execute(db.pool())
    .await
    .or_failed("give up a bulk operation")?;
    Ok(taken.stepped(Tally::default(), OperationState::Failed, Duration::ZERO, Some(problem)))
}
