//! Claiming jobs under a lease, and keeping the lease.

use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs::{JobId, LeaseId, Queue, TenantId};
use serde_json::Value;
use sqlx::{FromRow, Row as _, postgres::PgRow, types::Json};
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
    payload::{Field, Payload},
    sealing::Place,
};

/// A job this worker may run for as long as it keeps the lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which it is.
    pub id: JobId,
    /// Under which right; the fencing token.
    pub lease: LeaseId,
    /// How often the job had gone back to waiting when it was claimed.
    pub fence: i32,
    /// This run's number, 1 for the first.
    pub attempt: u16,
    /// Runs before it is discarded.
    pub max_attempts: u16,
    /// `family.thing`.
    pub kind: String,
    /// Version of the arguments.
    pub kind_version: u16,
    /// As they were enqueued. Unopened when they are encrypted and this process has no key.
    pub args: Payload,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was allowed to run.
    pub scheduled_at: DateTime<Utc>,
    /// Promised to be done by then.
    pub due_at: Option<DateTime<Utc>>,
    /// W3C trace context of whoever asked for it.
    pub traceparent: Option<String>,
    /// A limit counts it: when it ends, others may begin.
    pub limited: bool,
    /// Somebody wants it stopped already.
    pub cancel_requested: bool,
}

struct Row {
    tenant_id: Uuid,
    id: Uuid,
    fence: i32,
    attempt: i16,
    max_attempts: i16,
    kind: String,
    kind_version: i16,
    args: Json<Payload>,
    created_at: DateTime<Utc>,
    scheduled_at: DateTime<Utc>,
    due_at: Option<DateTime<Utc>>,
    traceparent: Option<String>,
    cancel_requested: bool,
    limited: bool,
}

/// By place and not by name: this is read for every job, and looking fourteen names up cost more than the values.
impl FromRow<'_, PgRow> for Row {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            tenant_id: row.try_get(0)?,
            id: row.try_get(1)?,
            fence: row.try_get(2)?,
            attempt: row.try_get(3)?,
            max_attempts: row.try_get(4)?,
            kind: row.try_get(5)?,
            kind_version: row.try_get(6)?,
            args: row.try_get(7)?,
            created_at: row.try_get(8)?,
            scheduled_at: row.try_get(9)?,
            due_at: row.try_get(10)?,
            traceparent: row.try_get(11)?,
            cancel_requested: row.try_get(12)?,
            limited: row.try_get(13)?,
        })
    }
}

/// Which jobs of a queue to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// Those nobody was hurt by.
    Regular,
    /// Those that were there when a worker died: to be run apart from regular jobs.
    Suspect,
    /// Those that were there twice: to be run one by one, each alone.
    Alone,
}

impl Pick {
    /// Both kinds of jobs that must not run among regular ones.
    pub const QUARANTINED: [Self; 2] = [Self::Suspect, Self::Alone];

    /// The lane's `quarantine`.
    pub(crate) const fn level(self) -> i16 {
        match self {
            Self::Regular => 0,
            Self::Suspect => 1,
            Self::Alone => 2,
        }
    }

    pub(crate) fn of_level(level: i16) -> Option<Self> {
        [Self::Regular, Self::Suspect, Self::Alone].into_iter().find(|pick| pick.level() == level)
    }
}

/// Claims up to `wanted` jobs of `queue` for `worker` until `ttl` from now, in release order. None when nothing waits.
pub async fn claim(
    db: &Db,
    queue: Queue,
    pick: Pick,
    wanted: u16,
    worker: &str,
    ttl: Duration,
) -> Result<Vec<Claimed>, StoreError> {
    let lease = LeaseId::new();
    let rows: Vec<Row> = sqlx::query_as(
        "select tenant_id, id, fence, attempt, max_attempts, kind, kind_version, args, created_at, scheduled_at, due_at,
                traceparent, cancel_requested, limited
         from claim_jobs($1, $2, $3, $4, $5, $6)",
    )
    .bind(queue.name())
    .bind(pick.level())
    .bind(i32::from(wanted))
    .bind(lease.as_uuid())
    .bind(worker)
    .bind(ttl.as_millis() as i32)
    .fetch_all(db.busy())
    .await
    .or_failed("claim jobs")?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let mut job = row.under(lease);
        open(db, &mut job).await;
        claimed.push(job);
    }
    Ok(claimed)
}

/// Opens the arguments. A job whose arguments cannot be opened, or whose result could not be sealed, is none of this
/// process's, and none of the others that were claimed is the worse for it.
async fn open(db: &Db, job: &mut Claimed) {
    let args = std::mem::replace(&mut job.args, Payload::Unopened(Value::Null));
    let opened = async {
        db.can_seal(job.tenant).await?;
        db.open(job.tenant, &Place::of_job(job.id, Field::Args), args).await
    };
    match opened.await {
        Ok(args) => job.args = args,
        Err(error) => tracing::error!(job.id = %job.id, %error, "Cannot open the arguments of {}", job.id),
    }
}

impl Row {
    fn under(self, lease: LeaseId) -> Claimed {
        Claimed {
            tenant: TenantId::from_uuid(self.tenant_id),
            id: JobId::from_uuid(self.id),
            lease,
            fence: self.fence,
            // Counted from the claim on: a worker that is killed must still use one up.
            attempt: self.attempt as u16 + 1,
            max_attempts: self.max_attempts as u16,
            kind: self.kind,
            kind_version: self.kind_version as u16,
            args: self.args.0,
            created_at: self.created_at,
            scheduled_at: self.scheduled_at,
            due_at: self.due_at,
            traceparent: self.traceparent,
            limited: self.limited,
            cancel_requested: self.cancel_requested,
        }
    }
}

/// Extends `leases` to `ttl` from now and answers those that still stand. The others were lost: stop their jobs.
pub async fn renew(db: &Db, leases: &[LeaseId], ttl: Duration) -> Result<Vec<LeaseId>, StoreError> {
    let ids: Vec<Uuid> = leases.iter().map(LeaseId::as_uuid).collect();
    let kept: Vec<Uuid> = sqlx::query_scalar(
        "update lease set until = clock_timestamp() + $2 * interval '1 ms' where id = any ($1) returning id",
    )
    .bind(ids)
    .bind(ttl.as_millis() as f64)
    .fetch_all(db.pool())
    .await
    .or_failed("renew leases")?;
    Ok(kept.into_iter().map(LeaseId::from_uuid).collect())
}
