//! What requests do with operations: look before, begin, watch, stop.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use jobs::{BulkOperationId, TenantId};
use sqlx::{AssertSqlSafe, types::Json};

use super::{
    four_eyes::wanted_in,
    record::{By, COLUMNS, Filter, Operation, OperationState, Wanted},
    walk::{self, Count, Preview, Walk},
};
use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
    reads,
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// Jobs counted while a request waits; where there are more, the count says "at least".
pub const COUNT_MAX: i64 = 100_000;
/// Rows read in one step of that, of live jobs and of history each.
const COUNT_ROWS_MAX: i64 = 10_000;
/// After this no other step begins: whoever asks waits for it.
const COUNT_LONGEST: Duration = Duration::from_millis(100);
/// Jobs shown before anything is done.
const SAMPLE_MAX: i32 = 10;
/// How far the count may have moved from the one that was expected.
const DRIFT_PERCENT_MAX: i64 = 10;

/// Counts the jobs of `tenant` that fit, and shows some. Changes nothing.
pub async fn preview(db: &Db, tenant: TenantId, filter: &Filter) -> Result<Preview, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let as_of = now(&mut tx).await?;
    let count = count(&mut tx, tenant, filter, as_of, SAMPLE_MAX).await?;
    let mut sample = Vec::with_capacity(count.newest.len());
    for job in &count.newest {
        sample.extend(reads::get_in(db, &mut tx, tenant, *job).await?);
    }
    Ok(Preview { is_exact: is_exact(&count), count: count.jobs, by: count.by, sample })
}

async fn now(tx: &mut Tx) -> Result<DateTime<Utc>, StoreError> {
    sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut **tx).await.or_failed("read the clock")
}

async fn count(
    tx: &mut Tx,
    tenant: TenantId,
    filter: &Filter,
    as_of: DateTime<Utc>,
    newest: i32,
) -> Result<Count, StoreError> {
    let began = Instant::now();
    let mut count = Count::default();
    loop {
        let walk = Walk { tenant, filter, as_of, after: count.counted_to };
        let step = walk::count(tx, walk, COUNT_ROWS_MAX, COUNT_MAX - count.jobs, newest).await?;
        count.go_on(step, newest);
        if count.counted_to.is_none() || count.jobs >= COUNT_MAX || began.elapsed() > COUNT_LONGEST {
            return Ok(count);
        }
    }
}

fn is_exact(count: &Count) -> bool {
    count.counted_to.is_none() && count.jobs < COUNT_MAX
}

/// How many jobs whoever asks believes to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected(pub i64);

impl Expected {
    /// Whether `jobs` is so near that it does not matter. What was counted in part only is enough if it may be more.
    fn is_met(self, jobs: i64, is_exact: bool) -> bool {
        let drift_max = self.0 * DRIFT_PERCENT_MAX / 100;
        let too_many = jobs > self.0 + drift_max;
        let too_few = is_exact && jobs < self.0 - drift_max;
        !too_many && !too_few
    }
}

/// What became of the wish to begin an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// It is in the ledger; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
    /// Other jobs fit than was expected: so many, or at least so many.
    Moved {
        /// Jobs that fit now.
        count: i64,
        /// Whether they were counted to the end.
        is_exact: bool,
    },
    /// The tenant has as many operations running as it may.
    TooMany,
}

/// Begins what is `wanted` for `tenant` and asked for by `by`, unless it has `running_max` operations already.
#[expect(
    clippy::too_many_arguments,
    reason = "each is one thing the request says; a struct would only rename them"
)]
pub async fn begin(
    db: &Db,
    tenant: TenantId,
    wanted: &Wanted,
    expected: Option<Expected>,
    by: By<'_>,
    running_max: i64,
    key: Option<&Idempotency>,
    answer: impl FnOnce(&Operation) -> Answer,
) -> Result<Begun, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Begun::Replayed(answer)),
        Taken::ForAnother => return Ok(Begun::Mismatch),
    }
    if running(&mut tx, tenant).await? >= running_max {
        return Ok(Begun::TooMany);
    }
    let as_of = now(&mut tx).await?;
    let count = count(&mut tx, tenant, &wanted.filter, as_of, 0).await?;
    let (count, is_exact) = (count.jobs, is_exact(&count));
    if expected.is_some_and(|expected| !expected.is_met(count, is_exact)) {
        return Ok(Begun::Moved { count, is_exact });
    }
    let four_eyes = if wanted.action.throws_away() { wanted_in(&mut tx, tenant).await? } else { None };
    // Of what was not counted to the end nobody knows that it is few.
    let waits = four_eyes.is_some_and(|four_eyes| count > four_eyes.more_than || !is_exact);
    let state = if waits { OperationState::Waiting } else { OperationState::Running };
    let counted = (count, is_exact);
    let begun = insert(&mut tx, tenant, wanted, by, as_of, counted, state).await?;
    let answer = answer(&begun);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    call(&mut tx).await?;
    commit(tx, "begin a bulk operation").await?;
    Ok(Begun::New(answer))
}

/// Counted one after the other for a tenant, so that two requests cannot both be the last one.
async fn running(tx: &mut Tx, tenant: TenantId) -> Result<i64, StoreError> {
    sqlx::query("select pg_advisory_xact_lock(6, hashtext($1))")
        .bind(tenant.to_string())
        .execute(&mut **tx)
        .await
        .or_failed("count bulk operations")?;
    sqlx::query_scalar(
        "select count(*) from bulk_operation where tenant_id = $1 and state in ('waiting', 'running', 'paused')",
    )
    .bind(tenant.as_uuid())
    .fetch_one(&mut **tx)
    .await
    .or_failed("count bulk operations")
}

async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    wanted: &Wanted,
    by: By<'_>,
    as_of: DateTime<Utc>,
    (count, is_exact): (i64, bool),
    state: OperationState,
) -> Result<Operation, StoreError> {
    let sql = format!(
        "insert into bulk_operation (id, tenant_id, action, filter, priority, requested_by, matched, matched_exactly,
             created_at, state, person_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning {COLUMNS}"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(BulkOperationId::new().as_uuid())
        .bind(tenant.as_uuid())
        .bind(wanted.action.name())
        .bind(Json(&wanted.filter))
        .bind(wanted.priority.map(|priority| i16::from(priority.get())))
        .bind(by.name)
        .bind(count)
        .bind(is_exact)
        .bind(as_of)
        .bind(state.name())
        .bind(by.person.map(|person| person.as_uuid()))
        .fetch_one(&mut **tx)
        .await
        .or_failed("begin a bulk operation")
}

/// The operation of `tenant` with this id.
pub async fn get(
    db: &Db,
    tenant: TenantId,
    operation: BulkOperationId,
) -> Result<Option<Operation>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    get_in(&mut tx, tenant, operation).await
}

pub(super) async fn get_in(
    tx: &mut Tx,
    tenant: TenantId,
    operation: BulkOperationId,
) -> Result<Option<Operation>, StoreError> {
    let sql = format!("select {COLUMNS} from bulk_operation where tenant_id = $1 and id = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(operation.as_uuid())
        .fetch_optional(&mut **tx)
        .await
        .or_failed("read a bulk operation")
}

/// Up to `limit` operations of `tenant`, newest first, older than `before`.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    before: Option<BulkOperationId>,
    limit: i64,
) -> Result<Vec<Operation>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from bulk_operation where tenant_id = $1 and ($2::uuid is null or id < $2)
         order by id desc limit $3"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(before.map(|before| before.as_uuid()))
        .bind(limit)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list bulk operations")
}

/// What became of the wish to steer an operation.
#[derive(Debug, Clone)]
pub enum Steered {
    /// It is as was wished.
    Now(Box<Operation>),
    /// Nothing was changed: it had ended, or was as was wished before.
    Before(Box<Operation>),
    /// This tenant has no such operation.
    NotFound,
}

/// What a pause leaves behind when it is over.
const PAUSE_OVER: &str = "paused_at = null, paused_by = null,
    paused_ms = paused_ms + coalesce((extract(epoch from clock_timestamp() - paused_at) * 1000)::bigint, 0)";

/// Stops an operation of `tenant`. Waits for the batch that is running, if there is one; what was done stays done.
pub async fn cancel(
    db: &Db,
    tenant: TenantId,
    operation: BulkOperationId,
    by: &str,
) -> Result<Steered, StoreError> {
    let change = format!(
        "state = 'cancelled', cancel_requested_at = clock_timestamp(), cancelled_by = $3,
         finished_at = clock_timestamp(), {PAUSE_OVER}"
    );
    steer(db, tenant, operation, Some(by), &change, "state in ('waiting', 'running', 'paused')").await
}

/// Pauses a running operation of `tenant`. Waits for the batch that is running, if there is one.
pub async fn pause(
    db: &Db,
    tenant: TenantId,
    operation: BulkOperationId,
    by: &str,
) -> Result<Steered, StoreError> {
    let change = "state = 'paused', paused_at = clock_timestamp(), paused_by = $3";
    steer(db, tenant, operation, Some(by), change, "state = 'running'").await
}

/// Lets a paused operation of `tenant` go on where it was.
pub async fn resume(db: &Db, tenant: TenantId, operation: BulkOperationId) -> Result<Steered, StoreError> {
    let change = format!("state = 'running', {PAUSE_OVER}");
    steer(db, tenant, operation, None, &change, "state = 'paused'").await
}

/// Makes a change to the row of an operation that is as `if_it_is`.
async fn steer(
    db: &Db,
    tenant: TenantId,
    operation: BulkOperationId,
    by: Option<&str>,
    change: &str,
    if_it_is: &str,
) -> Result<Steered, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "update bulk_operation set {change}, updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and {if_it_is} returning {COLUMNS}"
    );
    let mut update = sqlx::query_as(AssertSqlSafe(sql)).bind(tenant.as_uuid()).bind(operation.as_uuid());
    if let Some(by) = by {
        update = update.bind(by);
    }
    let steered: Option<Operation> =
        update.fetch_optional(&mut *tx).await.or_failed("steer a bulk operation")?;
    if let Some(steered) = steered {
        call(&mut tx).await?;
        commit(tx, "steer a bulk operation").await?;
        return Ok(Steered::Now(Box::new(steered)));
    }
    let found = get_in(&mut tx, tenant, operation).await?;
    Ok(found.map_or(Steered::NotFound, |found| Steered::Before(Box::new(found))))
}

/// Calls for somebody to look what is to be done.
pub(super) async fn call(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query("select pg_notify('crewline_bulk', '')")
        .execute(&mut **tx)
        .await
        .or_failed("call for somebody to do a bulk operation")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Expected;

    #[test]
    fn a_tenth_more_or_less_is_as_expected() {
        for (expected, jobs, is_exact, is_met) in [
            (100, 100, true, true),
            (100, 110, true, true),
            (100, 111, true, false),
            (100, 90, true, true),
            (100, 89, true, false),
            (0, 0, true, true),
            (0, 1, true, false),
            (5, 6, true, false),
            // At least so many: it may well be what was expected.
            (1_000_000, 100_000, false, true),
            (50_000, 100_000, false, false),
        ] {
            assert_eq!(Expected(expected).is_met(jobs, is_exact), is_met, "{expected} {jobs} {is_exact}");
        }
    }
}
