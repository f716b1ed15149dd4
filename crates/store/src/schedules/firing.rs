//! Taking schedules that are due: their slots, the jobs of those, and the next slot, in one transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs::{JobId, ScheduleId, TenantId, failure::Problem};
use schedule::{Due, Overlap};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::{
    fires::{NewFire, decided, write},
    record::{COLUMNS, Schedule},
};
use crate::{
    cancel::supersede,
    db::{Db, Tx, commit},
    enqueue::{Enqueued, NewJob, insert},
    error::{OrFailed, StoreError},
};

/// Schedules taken in one transaction.
const BATCH_MAX: i64 = 20;
/// Characters of why a schedule is paused.
const PAUSE_REASON_CHARS_MAX: usize = 500;
/// Jobs of a schedule that are looked at for one that has not ended.
const OVERLAP_MAX: i64 = 100;

/// A slot that was decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// Whose.
    pub tenant: TenantId,
    /// Of which schedule.
    pub schedule: ScheduleId,
    /// The slot, or the first of several.
    pub slot: DateTime<Utc>,
    /// What became of it, as in the history.
    pub outcome: &'static str,
    /// Its job.
    pub job: Option<JobId>,
}

/// What one round did.
#[derive(Debug, Default)]
pub struct Round {
    /// What became of slots.
    pub fired: Vec<Fired>,
    /// A schedule that cannot be fired and was paused, with the reason.
    pub set_aside: Option<(ScheduleId, StoreError)>,
    /// More may be due.
    pub is_full: bool,
}

/// The kinds that this version can make jobs of. What it does not know is left to a version that does.
fn known_kinds() -> Vec<&'static str> {
    jobs::specs().iter().map(|spec| spec.kind).collect()
}

/// How long until the next schedule comes due; none when there is none.
pub async fn next_due(db: &Db) -> Result<Option<Duration>, StoreError> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "select extract(epoch from next_fire_at - clock_timestamp())::float8 from schedule
         where paused_at is null and next_fire_at is not null and kind = any ($1) order by next_fire_at limit 1",
    )
    .bind(known_kinds())
    .fetch_optional(db.pool())
    .await
    .or_failed("look when the next schedule comes due")?;
    Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}

/// Fires up to 20 schedules that are due and that nobody else has taken at this moment.
///
/// # Errors
/// When the database fails; nothing has been fired then.
pub async fn fire_due(db: &Db) -> Result<Round, StoreError> {
    let mut tx = db.begin().await?;
    // The transaction's time is one number for the planner, so that the index stops at it.
    let sql = format!(
        "select {COLUMNS} from schedule where paused_at is null and next_fire_at <= now() and kind = any ($1)
         order by next_fire_at limit $2 for update skip locked"
    );
    let due: Vec<Schedule> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(known_kinds())
        .bind(BATCH_MAX)
        .fetch_all(&mut *tx)
        .await
        .or_failed("take schedules that are due")?;
    let mut round = Round { is_full: due.len() as i64 == BATCH_MAX, ..Round::default() };
    for schedule in &due {
        match fire(db, &mut tx, schedule).await {
            Ok(Some(fired)) => round.fired.extend(fired),
            // Somebody was faster, without the lock. All of it is decided anew.
            Ok(None) => return Ok(Round { is_full: true, ..Round::default() }),
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                // One that cannot be fired must not hold up the others in every round from now on.
                tx.rollback().await.or_failed("let go of schedules")?;
                set_aside(db, schedule, &error).await?;
                let set_aside = Some((schedule.id(), error));
                return Ok(Round { set_aside, is_full: true, ..Round::default() });
            }
        }
    }
    commit(tx, "fire schedules").await?;
    Ok(round)
}

/// Decides about every slot of one schedule that has come due; none when another transaction had decided about one.
async fn fire(db: &Db, tx: &mut Tx, schedule: &Schedule) -> Result<Option<Vec<Fired>>, StoreError> {
    let Some(first) = schedule.next_fire_at else { return Ok(Some(Vec::new())) };
    let (cron, zone, tenant) = (schedule.cron()?, schedule.zone()?, schedule.tenant());
    let Due { missed, slots, next } = schedule::due(&cron, zone, first, schedule.read_at, schedule.rule()?);
    let asked: Vec<DateTime<Utc>> =
        missed.iter().map(|missed| missed.first).chain(slots.iter().copied()).collect();
    let before = decided(tx, schedule.id(), &asked).await?;
    let is_open = |slot: &DateTime<Utc>| !before.contains(slot);
    let missed = missed.filter(|missed| is_open(&missed.first));
    let slots: Vec<DateTime<Utc>> = slots.into_iter().filter(is_open).collect();

    let mut fires: Vec<NewFire> =
        missed.map(|missed| NewFire::of_run(missed.first, missed.last, "missed")).into_iter().collect();
    let chosen = choose(tx, schedule, &slots).await?;
    let made = make_jobs(db, tx, schedule, &slots[chosen.clone()]).await?;
    let skipped = |slot: &DateTime<Utc>| NewFire::new(*slot, "skipped_overlap");
    fires.extend(slots[..chosen.start].iter().map(skipped));
    fires.extend(made);
    fires.extend(slots[chosen.end..].iter().map(skipped));
    if !write(tx, tenant, schedule.id(), &fires).await? {
        return Ok(None);
    }
    let last = fires.iter().filter(|fire| fire.job.is_some()).map(|fire| fire.slot).max();
    sqlx::query(
        "update schedule set next_fire_at = $3, last_fire_at = coalesce($4, last_fire_at)
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(schedule.id().as_uuid())
    .bind(next)
    .bind(last)
    .execute(&mut **tx)
    .await
    .or_failed("move a schedule on")?;
    let told = |fire: &NewFire| Fired {
        tenant,
        schedule: schedule.id(),
        slot: fire.slot,
        outcome: fire.outcome,
        job: fire.job,
    };
    Ok(Some(fires.iter().map(told).collect()))
}

#[derive(FromRow)]
struct Unfinished {
    id: Uuid,
    queue: String,
}

/// Which of `slots` get jobs, as the overlap policy wants it.
async fn choose(
    tx: &mut Tx,
    schedule: &Schedule,
    slots: &[DateTime<Utc>],
) -> Result<std::ops::Range<usize>, StoreError> {
    let overlap = schedule.overlap()?;
    if slots.is_empty() || overlap == Overlap::Allow {
        return Ok(0..slots.len());
    }
    let unfinished: Vec<Unfinished> = sqlx::query_as(
        "select job.id, lane.queue from (
             select job_id from schedule_fire where schedule_id = $2 and job_id is not null
             order by slot desc limit $3) latest
         join job on job.tenant_id = $1 and job.id = latest.job_id join lane on lane.id = job.lane_id
         order by lane.queue",
    )
    .bind(schedule.tenant().as_uuid())
    .bind(schedule.id().as_uuid())
    .bind(OVERLAP_MAX)
    .fetch_all(&mut **tx)
    .await
    .or_failed("look for jobs of a schedule that have not ended")?;
    if overlap == Overlap::Skip {
        return Ok(if unfinished.is_empty() { 0..1 } else { 0..0 });
    }
    let why = Problem::new("superseded", format!("the next slot of the schedule {} came", schedule.name));
    for job in unfinished {
        supersede(tx, schedule.tenant(), JobId::from_uuid(job.id), &job.queue, &why).await?;
    }
    // Of several that come together, each is superseded by the next.
    Ok(slots.len() - 1..slots.len())
}

/// Puts the jobs of `slots` into the ledger.
async fn make_jobs(
    db: &Db,
    tx: &mut Tx,
    schedule: &Schedule,
    slots: &[DateTime<Utc>],
) -> Result<Vec<NewFire>, StoreError> {
    let new: Result<Vec<NewJob>, String> = slots.iter().map(|slot| schedule.job(*slot, None)).collect();
    let new = match new {
        Ok(new) => new,
        Err(reason) => {
            let refused = |slot: &DateTime<Utc>| NewFire {
                reason: Some(reason.clone()),
                ..NewFire::new(*slot, "refused")
            };
            return Ok(slots.iter().map(refused).collect());
        }
    };
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let enqueued = insert(db, tx, schedule.tenant(), &new).await?;
    let fires = new.iter().zip(enqueued).map(|(job, enqueued)| {
        let (outcome, id) = match enqueued {
            Enqueued::Inserted => ("enqueued", job.id),
            Enqueued::Existing(id) => ("duplicate", id),
        };
        NewFire { job: Some(id), ..NewFire::new(job.scheduled_at, outcome) }
    });
    Ok(fires.collect())
}

/// Pauses a schedule that cannot be fired, so that a person sees it and the others go on.
async fn set_aside(db: &Db, schedule: &Schedule, error: &StoreError) -> Result<(), StoreError> {
    // A tenant reads this: what failed, not what the database said about it.
    let reason: String =
        format!("it cannot be fired: {error}").chars().take(PAUSE_REASON_CHARS_MAX).collect();
    sqlx::query(
        "update schedule set paused_at = clock_timestamp(), paused_by = 'crewline', pause_reason = $3
         where tenant_id = $1 and id = $2 and paused_at is null",
    )
    .bind(schedule.tenant().as_uuid())
    .bind(schedule.id().as_uuid())
    .bind(reason)
    .execute(db.pool())
    .await
    .or_failed("set a schedule aside")?;
    Ok(())
}
