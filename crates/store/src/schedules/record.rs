//! A schedule: as somebody wants it, and as it stands.

use chrono::{DateTime, Utc};
use jobs::{JobId, Priority, Queue, ScheduleId, TenantId};
use schedule::{CatchUpRule, Cron, Overlap, Zone};
use serde_json::Value;
use sqlx::{AssertSqlSafe, FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    enqueue::NewJob,
    error::{OrFailed, StoreError},
};

/// A schedule as somebody wants it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Unique among a tenant's schedules.
    pub name: String,
    /// When.
    pub cron: Cron,
    /// By which clock.
    pub zone: Zone,
    /// What: `family.thing`.
    pub kind: &'static str,
    /// Version of the arguments.
    pub kind_version: u16,
    /// Checked against the kind.
    pub args: Value,
    /// Another queue than the kind's.
    pub queue: Option<Queue>,
    /// Another priority than the kind's.
    pub priority: Option<Priority>,
    /// Another number of attempts than the kind's.
    pub max_attempts: Option<u16>,
    /// Words to find its jobs by.
    pub tags: Vec<String>,
    /// Anything of the caller's, for its jobs.
    pub metadata: Option<Value>,
    /// What a slot does while a job of this schedule has not ended.
    pub overlap: Overlap,
    /// What becomes of slots that were missed.
    pub catch_up: CatchUpRule,
}

/// A schedule as it stands.
#[derive(Debug, Clone, FromRow)]
pub struct Schedule {
    id: Uuid,
    tenant_id: Uuid,
    /// Unique among a tenant's schedules.
    pub name: String,
    /// When.
    pub cron: String,
    /// By which clock.
    pub timezone: String,
    /// What.
    pub kind: String,
    /// Version of the arguments, as they were checked.
    pub kind_version: i16,
    /// As they passed the kind's checks.
    pub args: Json<Value>,
    /// Another queue than the kind's.
    pub queue: Option<String>,
    /// Another priority than the kind's.
    pub priority: Option<i16>,
    /// Another number of attempts than the kind's.
    pub max_attempts: Option<i16>,
    /// Words to find its jobs by.
    pub tags: Vec<String>,
    /// Anything of the caller's, for its jobs.
    pub metadata: Option<Json<Value>>,
    /// What a slot does while a job of this schedule has not ended.
    pub overlap: String,
    /// What becomes of slots that were missed.
    pub catch_up: String,
    /// How many of them may be made up for.
    pub catch_up_max: i16,
    /// How old they may be, in seconds.
    pub catch_up_age_s: i32,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Why.
    pub pause_reason: Option<String>,
    /// The first slot that nothing was decided about.
    pub next_fire_at: Option<DateTime<Utc>>,
    /// The slot of its latest job.
    pub last_fire_at: Option<DateTime<Utc>>,
    /// Who made it.
    pub created_by: String,
    /// Who changed it last.
    pub updated_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When somebody changed it last.
    pub updated_at: DateTime<Utc>,
    /// Goes up whenever somebody changes it.
    pub version: i32,
    /// What the database's clock said when this was read.
    pub read_at: DateTime<Utc>,
}

pub(super) const COLUMNS: &str = "id, tenant_id, name, cron, timezone, kind, kind_version, args, queue, priority, max_attempts, tags,
    metadata, overlap, catch_up, catch_up_max, catch_up_age_s, paused_at, paused_by, pause_reason, next_fire_at,
    last_fire_at, created_by, updated_by, created_at, updated_at, version, clock_timestamp() as read_at";

impl Schedule {
    /// Which it is.
    pub fn id(&self) -> ScheduleId {
        ScheduleId::from_uuid(self.id)
    }

    /// Whose it is.
    pub fn tenant(&self) -> TenantId {
        TenantId::from_uuid(self.tenant_id)
    }

    /// When it comes due.
    ///
    /// # Errors
    /// When this version cannot read what is stored.
    pub fn cron(&self) -> Result<Cron, StoreError> {
        Cron::parse(&self.cron).map_err(|_| unreadable(&self.cron))
    }

    /// By which clock.
    ///
    /// # Errors
    /// When this version cannot read what is stored.
    pub fn zone(&self) -> Result<Zone, StoreError> {
        self.timezone.parse().map_err(|_| unreadable(&self.timezone))
    }

    pub(super) fn overlap(&self) -> Result<Overlap, StoreError> {
        self.overlap.parse().map_err(|_| unreadable(&self.overlap))
    }

    pub(super) fn rule(&self) -> Result<CatchUpRule, StoreError> {
        let policy = self.catch_up.parse().map_err(|_| unreadable(&self.catch_up))?;
        Ok(CatchUpRule { policy, slots_max: self.catch_up_max as u16, age_s: self.catch_up_age_s as u32 })
    }

    /// The job of the slot `at`, or why the kind does not take it any more. The handler finds the slot in `scheduled_at`.
    pub(super) fn job(&self, at: DateTime<Utc>, traceparent: Option<&str>) -> Result<NewJob, String> {
        let spec = jobs::spec(&self.kind).ok_or_else(|| format!("no kind is called {}", self.kind))?;
        let (kind_version, parsed) = jobs::parse_kept(spec, self.kind_version as u16, self.args.0.clone())
            .map_err(|invalid| format!("/args{invalid}"))?;
        let priority = self.priority.and_then(|priority| u8::try_from(priority).ok()).and_then(Priority::new);
        Ok(NewJob {
            id: JobId::new(),
            kind: spec.kind,
            kind_version,
            queue: self.queue.as_ref().and_then(|queue| queue.parse().ok()).unwrap_or(spec.queue),
            priority: priority.unwrap_or(spec.policy.priority),
            max_attempts: self.max_attempts.map_or(spec.policy.max_attempts, |attempts| attempts as u16),
            args: parsed.args.into(),
            created_at: self.read_at,
            scheduled_at: at,
            unique: parsed.unique,
            concurrency_key: parsed.concurrency_key,
            promise_s: spec.policy.promise_s,
            hop: None,
            member_of: None,
            tags: self.tags.clone(),
            metadata: self.metadata.as_ref().map(|metadata| metadata.0.clone()),
            traceparent: traceparent.map(str::to_owned),
        })
    }
}

fn unreadable(found: &str) -> StoreError {
    StoreError::Unreadable { table: "schedule", found: found.to_owned() }
}

/// The schedule of `tenant` with this id.
pub async fn get(db: &Db, tenant: TenantId, schedule: ScheduleId) -> Result<Option<Schedule>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    get_in(&mut tx, tenant, schedule, "").await
}

/// As [`get`], inside a transaction of the tenant's; `lock` is nothing or `for update`.
pub(super) async fn get_in(
    tx: &mut Tx,
    tenant: TenantId,
    schedule: ScheduleId,
    lock: &'static str,
) -> Result<Option<Schedule>, StoreError> {
    let sql = format!("select {COLUMNS} from schedule where tenant_id = $1 and id = $2 {lock}");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(schedule.as_uuid())
        .fetch_optional(&mut **tx)
        .await
        .or_failed("read a schedule")
}

/// Up to `limit` schedules of `tenant`, newest first, older than `before`.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    before: Option<ScheduleId>,
    limit: i64,
) -> Result<Vec<Schedule>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from schedule where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3"
    );
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(before.map(|before| before.as_uuid()))
        .bind(limit)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list schedules")
}
