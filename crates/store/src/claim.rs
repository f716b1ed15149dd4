//! Claiming jobs under a lease, and keeping the lease.

use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs::{JobId, LeaseId, Queue, TenantId};
use serde_json::Value;
use sqlx::{FromRow, types::Json};
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

/// What was claimed, side by side: one row of arrays is read for less than a row for each job.
#[derive(FromRow)]
struct Batch {
    tenant_ids: Vec<Uuid>,
    kinds: Vec<String>,
    are_limited: Vec<bool>,
    /// From 1.
    places: Vec<i32>,
    ids: Vec<Uuid>,
    fences: Vec<i32>,
    attempts: Vec<i16>,
    max_attempts: Vec<i16>,
    kind_versions: Vec<i16>,
    args: Vec<Json<Payload>>,
    created_at: Vec<DateTime<Utc>>,
    scheduled_at: Vec<DateTime<Utc>>,
    due_at: Vec<Option<DateTime<Utc>>>,
    traceparents: Vec<Option<String>>,
    are_cancelled: Vec<bool>,
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
    let batch: Option<Batch> = sqlx::query_as("select * from claim_jobs($1, $2, $3, $4, $5, $6)")
        .bind(queue.name())
        .bind(pick.level())
        .bind(i32::from(wanted))
        .bind(lease.as_uuid())
        .bind(worker)
        .bind(ttl.as_millis() as i32)
        .fetch_optional(db.busy())
        .await
        .or_failed("claim jobs")?;
    let mut claimed = batch.map(|batch| batch.under(lease)).unwrap_or_default();
    for job in &mut claimed {
        open(db, job).await;
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

impl Batch {
    fn under(self, lease: LeaseId) -> Vec<Claimed> {
        let payloads = self.args.into_iter().zip(self.traceparents);
        payloads
            .enumerate()
            .map(|(at, (args, traceparent))| {
                let lane = self.places[at] as usize - 1;
                Claimed {
                    tenant: TenantId::from_uuid(self.tenant_ids[lane]),
                    id: JobId::from_uuid(self.ids[at]),
                    lease,
                    fence: self.fences[at],
                    // Counted from the claim on: a worker that is killed must still use one up.
                    attempt: self.attempts[at] as u16 + 1,
                    max_attempts: self.max_attempts[at] as u16,
                    kind: self.kinds[lane].clone(),
                    kind_version: self.kind_versions[at] as u16,
                    args: args.0,
                    created_at: self.created_at[at],
                    scheduled_at: self.scheduled_at[at],
                    due_at: self.due_at[at],
                    traceparent,
                    limited: self.are_limited[lane],
                    cancel_requested: self.are_cancelled[at],
                }
            })
            .collect()
    }
}

/// Extends `leases` to `ttl` from now and answers those that still stand. The others were lost: stop their jobs.
pub async fn renew(db: &Db, leases: &[LeaseId], ttl: Duration) -> Result<Vec<LeaseId>, StoreError> {
    let ids: Vec<Uuid> = leases.iter().map(LeaseId::as_uuid).collect();
    let kept: Vec<Uuid> = sqlx::query_scalar(
        "update lease set until = clock_timestamp() + $2 * interval '1 ms', beats = beats + 1 where id = any ($1)
         returning id",
    )
    .bind(ids)
    .bind(ttl.as_millis() as f64)
    .fetch_all(db.pool())
    .await
    .or_failed("renew leases")?;
    Ok(kept.into_iter().map(LeaseId::from_uuid).collect())
}
