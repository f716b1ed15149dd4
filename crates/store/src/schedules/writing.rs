//! Making, changing and removing schedules.

use chrono::{DateTime, Utc};
use jobs::{ScheduleId, TenantId};
use sqlx::{AssertSqlSafe, types::Json};

use super::record::{COLUMNS, Schedule, Wanted};
use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// What became of the wish for a new schedule.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// It is there; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
    /// The tenant has another schedule of this name.
    NameTaken,
    /// The tenant has as many as it may.
    TooMany,
}

/// Makes a schedule for `tenant`, unless it has `schedules_max` already. Its first slot is the next from now on.
pub async fn create(
    db: &Db,
    tenant: TenantId,
    wanted: &Wanted,
    by: &str,
    schedules_max: i64,
    key: Option<&Idempotency>,
    answer: impl FnOnce(&Schedule) -> Answer,
) -> Result<Created, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Created::Replayed(answer)),
        Taken::ForAnother => return Ok(Created::Mismatch),
    }
    hold_others(&mut tx, tenant).await?;
    let count: i64 = sqlx::query_scalar("select count(*) from schedule where tenant_id = $1")
        .bind(tenant.as_uuid())
        .fetch_one(&mut *tx)
        .await
        .or_failed("count schedules")?;
    if count >= schedules_max {
        return Ok(Created::TooMany);
    }
    let now = now(&mut tx).await?;
    let Some(made) = insert(&mut tx, tenant, wanted, by, now).await? else { return Ok(Created::NameTaken) };
    let answer = answer(&made);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "make a schedule").await?;
    Ok(Created::New(answer))
}

async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    wanted: &Wanted,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Option<Schedule>, StoreError> {
    let sql = format!(
        "insert into schedule (id, tenant_id, name, cron, timezone, kind, args, queue, priority, max_attempts, tags,
             metadata, overlap, catch_up, catch_up_max, catch_up_age_s, next_fire_at, created_by, updated_by, kind_version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18, $19)
         on conflict (tenant_id, name) do nothing returning {COLUMNS}"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(ScheduleId::new().as_uuid())
        .bind(tenant.as_uuid())
        .bind(&wanted.name)
        .bind(wanted.cron.text())
        .bind(wanted.zone.name())
        .bind(wanted.kind)
        .bind(Json(&wanted.args))
        .bind(wanted.queue.map(jobs::Queue::name))
        .bind(wanted.priority.map(|priority| i16::from(priority.get())))
        .bind(wanted.max_attempts.map(|attempts| attempts as i16))
        .bind(&wanted.tags)
        .bind(wanted.metadata.as_ref().map(Json))
        .bind(wanted.overlap.name())
        .bind(wanted.catch_up.policy.name())
        .bind(wanted.catch_up.slots_max as i16)
        .bind(wanted.catch_up.age_s as i32)
        .bind(wanted.cron.after(wanted.zone, now))
        .bind(by)
        .bind(wanted.kind_version as i16)
        .fetch_optional(&mut **tx)
        .await
        .or_failed("make a schedule")
}

/// What became of the wish to change a schedule.
#[derive(Debug, Clone)]
pub enum Changed {
    /// It is changed.
    Done(Box<Schedule>),
    /// Somebody else changed it first: it is not of the version that was named any more.
    Meanwhile,
    /// The tenant has another schedule of this name.
    NameTaken,
    /// This tenant has no such schedule.
    NotFound,
}

/// Makes `schedule` what `wanted` says, if it is of `version` still. Another time or zone holds from now on; else its next
/// slot stays.
pub async fn change(
    db: &Db,
    tenant: TenantId,
    schedule: ScheduleId,
    version: i32,
    wanted: &Wanted,
    by: &str,
) -> Result<Changed, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let Some(stands) = super::record::get_in(&mut tx, tenant, schedule, "for update").await? else {
        return Ok(Changed::NotFound);
    };
    if stands.version != version {
        return Ok(Changed::Meanwhile);
    }
    hold_others(&mut tx, tenant).await?;
    let other: bool = sqlx::query_scalar(
        "select exists (select from schedule where tenant_id = $1 and name = $2 and id <> $3)",
    )
    .bind(tenant.as_uuid())
    .bind(&wanted.name)
    .bind(schedule.as_uuid())
    .fetch_one(&mut *tx)
    .await
    .or_failed("see whether a name is taken")?;
    if other {
        return Ok(Changed::NameTaken);
    }
    let same_times = stands.cron == wanted.cron.text() && stands.timezone == wanted.zone.name();
    let next = if same_times { stands.next_fire_at } else { wanted.cron.after(wanted.zone, stands.read_at) };
    let changed = update(&mut tx, tenant, schedule, wanted, next, by).await?;
    commit(tx, "change a schedule").await?;
    Ok(Changed::Done(Box::new(changed)))
}

async fn update(
    tx: &mut Tx,
    tenant: TenantId,
    schedule: ScheduleId,
    wanted: &Wanted,
    next: Option<DateTime<Utc>>,
    by: &str,
) -> Result<Schedule, StoreError> {
    let sql = format!(
        "update schedule set name = $3, cron = $4, timezone = $5, kind = $6, args = $7, queue = $8, priority = $9,
             max_attempts = $10, tags = $11, metadata = $12, overlap = $13, catch_up = $14, catch_up_max = $15,
             catch_up_age_s = $16, next_fire_at = $17, updated_by = $18, updated_at = clock_timestamp(),
             version = version + 1, kind_version = $19
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(schedule.as_uuid())
        .bind(&wanted.name)
        .bind(wanted.cron.text())
        .bind(wanted.zone.name())
        .bind(wanted.kind)
        .bind(Json(&wanted.args))
        .bind(wanted.queue.map(jobs::Queue::name))
        .bind(wanted.priority.map(|priority| i16::from(priority.get())))
        .bind(wanted.max_attempts.map(|attempts| attempts as i16))
        .bind(&wanted.tags)
        .bind(wanted.metadata.as_ref().map(Json))
        .bind(wanted.overlap.name())
        .bind(wanted.catch_up.policy.name())
        .bind(wanted.catch_up.slots_max as i16)
        .bind(wanted.catch_up.age_s as i32)
        .bind(next)
        .bind(by)
        .bind(wanted.kind_version as i16)
        .fetch_one(&mut **tx)
        .await
        .or_failed("change a schedule")
}

/// Removes `schedule` of `tenant` with its history; false when there is none such. Its jobs go on.
pub async fn remove(db: &Db, tenant: TenantId, schedule: ScheduleId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from schedule where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(schedule.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("remove a schedule")?;
    commit(tx, "remove a schedule").await?;
    Ok(removed.rows_affected() == 1)
}

/// Of two that are made or renamed at once, one waits for the other: so that they are counted right and named apart.
async fn hold_others(tx: &mut Tx, tenant: TenantId) -> Result<(), StoreError> {
    sqlx::query("select pg_advisory_xact_lock(4, hashtext($1))")
        .bind(tenant.to_string())
        .execute(&mut **tx)
        .await
        .or_failed("wait for another schedule to be made")?;
    Ok(())
}

async fn now(tx: &mut Tx) -> Result<DateTime<Utc>, StoreError> {
    sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut **tx).await.or_failed("read the clock")
}
