//! What became of the slots of a schedule.

use chrono::{DateTime, NaiveDate, Utc};
use jobs::{JobId, ScheduleId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    error::{OrFailed, StoreError},
};

/// Fires forgotten at once.
const PRUNE_MAX: i64 = 5_000;

/// What became of a slot, or of several in a row.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Fire {
    /// The slot; when a person ran the schedule by hand, the moment.
    pub slot: DateTime<Utc>,
    /// The last slot of those that this row tells of, if it tells of several.
    pub through: Option<DateTime<Utc>>,
    /// `enqueued`, `manual`, `duplicate`, `skipped_overlap`, `missed`, `paused` or `refused`.
    pub outcome: String,
    job_id: Option<Uuid>,
    /// When that was decided.
    pub fired_at: DateTime<Utc>,
    /// Who ran it by hand.
    pub fired_by: Option<String>,
    /// Why it was refused.
    pub reason: Option<String>,
}

impl Fire {
    /// Its job.
    pub fn job(&self) -> Option<JobId> {
        self.job_id.map(JobId::from_uuid)
    }
}

/// Up to `limit` fires of `schedule`, latest slot first, before `before`. None when `tenant` has no such schedule.
pub async fn fires(
    db: &Db,
    tenant: TenantId,
    schedule: ScheduleId,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Option<Vec<Fire>>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    if super::record::get_in(&mut tx, tenant, schedule, "").await?.is_none() {
        return Ok(None);
    }
    let found = sqlx::query_as(
        "select slot, through, outcome, job_id, fired_at, fired_by, reason from schedule_fire
         where tenant_id = $1 and schedule_id = $2 and ($3::timestamptz is null or slot < $3)
         order by slot desc limit $4",
    )
    .bind(tenant.as_uuid())
    .bind(schedule.as_uuid())
    .bind(before)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .or_failed("list what became of slots")?;
    Ok(Some(found))
}

/// Forgets fires from before `keep_from`, up to 5,000; answers how many.
pub async fn prune(db: &Db, keep_from: NaiveDate) -> Result<u64, StoreError> {
    let forgotten = sqlx::query(
        "delete from schedule_fire where ctid = any (array(
             select ctid from schedule_fire where fired_at < $1 limit $2))",
    )
    .bind(keep_from)
    .bind(PRUNE_MAX)
    .execute(db.pool())
    .await
    .or_failed("forget old fires")?;
    Ok(forgotten.rows_affected())
}

/// A fire that is about to be written.
pub(super) struct NewFire {
    pub(super) slot: DateTime<Utc>,
    pub(super) through: Option<DateTime<Utc>>,
    pub(super) outcome: &'static str,
    pub(super) job: Option<JobId>,
    pub(super) by: Option<String>,
    pub(super) reason: Option<String>,
}

impl NewFire {
    pub(super) fn new(slot: DateTime<Utc>, outcome: &'static str) -> Self {
        Self { slot, through: None, outcome, job: None, by: None, reason: None }
    }

    /// Of every slot from `first` to `last`.
    pub(super) fn of_run(first: DateTime<Utc>, last: DateTime<Utc>, outcome: &'static str) -> Self {
        Self { through: (last > first).then_some(last), ..Self::new(first, outcome) }
    }
}

/// Writes down what became of slots; false when one of them has been decided about before, by somebody else.
pub(super) async fn write(
    tx: &mut Tx,
    tenant: TenantId,
    schedule: ScheduleId,
    new: &[NewFire],
) -> Result<bool, StoreError> {
    let written = sqlx::query(
        "insert into schedule_fire (tenant_id, schedule_id, slot, through, outcome, job_id, fired_by, reason)
         select $1, $2, * from unnest($3::timestamptz[], $4::timestamptz[], $5::text[], $6::uuid[], $7::text[], $8::text[])
         on conflict do nothing",
    )
    .bind(tenant.as_uuid())
    .bind(schedule.as_uuid())
    .bind(new.iter().map(|fire| fire.slot).collect::<Vec<_>>())
    .bind(new.iter().map(|fire| fire.through).collect::<Vec<_>>())
    .bind(new.iter().map(|fire| fire.outcome).collect::<Vec<_>>())
    .bind(new.iter().map(|fire| fire.job.map(|job| job.as_uuid())).collect::<Vec<_>>())
    .bind(new.iter().map(|fire| fire.by.as_deref()).collect::<Vec<_>>())
    .bind(new.iter().map(|fire| fire.reason.as_deref()).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .or_failed("write down what became of slots")?;
    Ok(written.rows_affected() == new.len() as u64)
}

/// Which of `slots` have been decided about.
pub(super) async fn decided(
    tx: &mut Tx,
    schedule: ScheduleId,
    slots: &[DateTime<Utc>],
) -> Result<Vec<DateTime<Utc>>, StoreError> {
    sqlx::query_scalar("select slot from schedule_fire where schedule_id = $1 and slot = any ($2)")
        .bind(schedule.as_uuid())
        .bind(slots)
        .fetch_all(&mut **tx)
        .await
        .or_failed("see which slots have been decided about")
}
