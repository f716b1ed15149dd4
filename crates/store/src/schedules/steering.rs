//! What a person does to a schedule: hold it, let it go on, run it now.

use chrono::{DateTime, Utc};
use jobs::{JobId, ScheduleId, TenantId};
use sqlx::AssertSqlSafe;

use super::{
    fires::{NewFire, write},
    record::{COLUMNS, Schedule, get_in},
};
use crate::{
    db::{Db, Tx, commit},
    enqueue::{Enqueued, insert},
    error::{OrFailed, StoreError},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// Holds `schedule` of `tenant` until it is resumed; one that is paused takes the new reason. None when there is none such.
pub async fn pause(
    db: &Db,
    tenant: TenantId,
    schedule: ScheduleId,
    reason: &str,
    by: &str,
) -> Result<Option<Schedule>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "update schedule set paused_at = coalesce(paused_at, clock_timestamp()), paused_by = $3, pause_reason = $4,
             updated_by = $3, updated_at = clock_timestamp(), version = version + 1
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    let paused = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(schedule.as_uuid())
        .bind(by)
        .bind(reason)
        .fetch_optional(&mut *tx)
        .await
        .or_failed("pause a schedule")?;
    commit(tx, "pause a schedule").await?;
    Ok(paused)
}

/// Lets `schedule` of `tenant` go on with the next slot from now on. What came due in the pause is written down and gets no
/// jobs. None when there is none such.
pub async fn resume(
    db: &Db,
    tenant: TenantId,
    schedule: ScheduleId,
    by: &str,
) -> Result<Option<Schedule>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let Some(stands) = get_in(&mut tx, tenant, schedule, "for update").await? else { return Ok(None) };
    if stands.paused_at.is_none() {
        return Ok(Some(stands));
    }
    let (cron, zone, now) = (stands.cron()?, stands.zone()?, stands.read_at);
    let passed = stands.next_fire_at.and_then(|first| Some((first, cron.latest(zone, first, now)?)));
    if let Some((first, last)) = passed {
        write(&mut tx, tenant, schedule, &[NewFire::of_run(first, last, "paused")]).await?;
    }
    let sql = format!(
        "update schedule set paused_at = null, paused_by = null, pause_reason = null, next_fire_at = $3, updated_by = $4,
             updated_at = clock_timestamp(), version = version + 1
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    let resumed = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(schedule.as_uuid())
        .bind(cron.after(zone, now))
        .bind(by)
        .fetch_one(&mut *tx)
        .await
        .or_failed("resume a schedule")?;
    commit(tx, "resume a schedule").await?;
    Ok(Some(resumed))
}

/// A run that a person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// When.
    pub at: DateTime<Utc>,
    /// Its job.
    pub job: JobId,
    /// The job was there before and does the same work.
    pub is_duplicate: bool,
}

/// What became of the wish to run a schedule now.
#[derive(Debug, Clone, PartialEq)]
pub enum Ran {
    /// It has a job; this is the answer, also kept for the key.
    Now(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
    /// The kind does not take these arguments any more; why.
    Refused(String),
    /// This tenant has no such schedule.
    NotFound,
}

/// Makes a job of `schedule` of `tenant` at once, whatever its slots, its pause and its overlap policy say.
pub async fn run_now(
    db: &Db,
    tenant: TenantId,
    schedule: ScheduleId,
    by: &str,
    traceparent: Option<&str>,
    key: Option<&Idempotency>,
    answer: impl FnOnce(&Run) -> Answer,
) -> Result<Ran, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Ran::Replayed(answer)),
        Taken::ForAnother => return Ok(Ran::Mismatch),
    }
    let Some(stands) = get_in(&mut tx, tenant, schedule, "for update").await? else {
        return Ok(Ran::NotFound);
    };
    let at = free_moment(&mut tx).await?;
    let new = match stands.job(at, traceparent) {
        Ok(new) => new,
        Err(reason) => return Ok(Ran::Refused(reason)),
    };
    let run = match insert(db, &mut tx, tenant, std::slice::from_ref(&new)).await?.first() {
        Some(Enqueued::Existing(job)) => Run { at, job: *job, is_duplicate: true },
        _ => Run { at, job: new.id, is_duplicate: false },
    };
    let outcome = if run.is_duplicate { "duplicate" } else { "manual" };
    let fire = NewFire { job: Some(run.job), by: Some(by.to_owned()), ..NewFire::new(at, outcome) };
    write(&mut tx, tenant, schedule, &[fire]).await?;
    let answer = answer(&run);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "run a schedule").await?;
    Ok(Ran::Now(answer))
}

/// Now, and never a whole second: that may be a slot, which would then count as decided about.
async fn free_moment(tx: &mut Tx) -> Result<DateTime<Utc>, StoreError> {
    sqlx::query_scalar(
        "select greatest(now, date_trunc('second', now) + interval '1 us') from clock_timestamp() as now",
    )
    .fetch_one(&mut **tx)
    .await
    .or_failed("read the clock")
}
