//! Putting jobs into the ledger, inside the caller's transaction.

use std::{
    borrow::{Borrow, Cow},
    collections::HashMap,
};

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{
    Job, JobId, KindSpec, Parsed, Policy, Priority, Queue, TenantId, Unique, UniqueFor, WorkflowId,
    policy::promise_step,
};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    db::{Db, LaneKey, Tx},
    error::{OrFailed, StoreError},
    payload::{Field, Payload},
    sealing::Place,
    submit::Keys,
};

/// A job that is about to be.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Chosen by the caller, so that the answer can be written before the row is.
    pub id: JobId,
    /// `family.thing`.
    pub kind: &'static str,
    /// Version of the arguments.
    pub kind_version: u16,
    /// Where it runs.
    pub queue: Queue,
    /// Who goes first.
    pub priority: Priority,
    /// Runs before it is discarded.
    pub max_attempts: u16,
    /// Checked against the kind.
    pub args: Payload,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Not before; now or earlier means at once.
    pub scheduled_at: DateTime<Utc>,
    /// When two jobs are the same work.
    pub unique: Option<Unique>,
    /// Jobs with one key share the limits on it.
    pub concurrency_key: Option<String>,
    /// Promised to be done within so many seconds after `scheduled_at`.
    pub promise_s: Option<u32>,
    /// Where it goes if it still waits after a time.
    pub hop: Option<Hop>,
    /// The workflow it belongs to, and the step in it.
    pub member_of: Option<Member>,
    /// Words of the caller's to find it by.
    pub tags: Vec<String>,
    /// Anything of the caller's.
    pub metadata: Option<Value>,
    /// W3C trace context of the request or attempt that asked for it.
    pub traceparent: Option<String>,
}

/// A place in a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Which workflow.
    pub workflow: WorkflowId,
    /// The step's ordinal, from 0.
    pub step: i16,
}

/// To change over to another queue when waiting takes too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// Where to.
    pub queue: Queue,
    /// After so many seconds of waiting past `scheduled_at`.
    pub after_s: u32,
}

impl NewJob {
    pub(crate) fn lane(&self, tenant: TenantId) -> LaneKey {
        LaneKey {
            tenant,
            queue: self.queue,
            priority: self.priority,
            kind: self.kind.to_owned(),
            key: self.concurrency_key.clone(),
            promise_s: promise_step(self.promise_s),
        }
    }

    /// So many seconds after it may begin.
    fn after(&self, seconds: Option<u32>) -> Option<DateTime<Utc>> {
        seconds.map(|seconds| self.scheduled_at + TimeDelta::seconds(i64::from(seconds)))
    }

    /// A job of a kind that is known by name, with its policy, to run at once.
    pub fn of_spec(spec: &'static KindSpec, parsed: Parsed) -> Self {
        let id = JobId::new();
        Self {
            id,
            kind: spec.kind,
            kind_version: spec.version,
            queue: spec.queue,
            priority: spec.policy.priority,
            max_attempts: spec.policy.max_attempts,
            args: parsed.args.into(),
            created_at: id.created_at(),
            scheduled_at: id.created_at(),
            unique: parsed.unique,
            concurrency_key: parsed.concurrency_key,
            promise_s: spec.policy.promise_s,
            hop: None,
            member_of: None,
            tags: Vec::new(),
            metadata: None,
            traceparent: None,
        }
    }

    /// A job of a known type with its kind's policy, to run at once.
    pub fn of<K: Job>(args: &K) -> Result<Self, serde_json::Error> {
        let Policy { max_attempts, priority, promise_s, .. } = K::POLICY;
        let id = JobId::new();
        Ok(Self {
            id,
            kind: K::KIND,
            kind_version: K::VERSION,
            queue: K::QUEUE,
            priority,
            max_attempts,
            args: serde_json::to_value(args)?.into(),
            created_at: id.created_at(),
            scheduled_at: id.created_at(),
            unique: args.unique(),
            concurrency_key: args.concurrency_key(),
            promise_s,
            hop: None,
            member_of: None,
            tags: Vec::new(),
            metadata: None,
            traceparent: None,
        })
    }
}

/// What became of a [`NewJob`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It is in the ledger.
    Inserted,
    /// The same work was there already, under this id.
    Existing(JobId),
}

/// Inserts `new` for `tenant`, in order, in one statement; answers in the same order. Rings the doorbell on commit.
///
/// # Errors
/// When the database fails; nothing is inserted then, once the caller rolls back.
pub async fn insert(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    new: &[impl Borrow<NewJob> + Sync],
) -> Result<Vec<Enqueued>, StoreError> {
    let new: Vec<&NewJob> = new.iter().map(Borrow::borrow).collect();
    let mut answers = HashMap::with_capacity(new.len());
    for job in &new {
        if let Some(Unique { key, lasts: UniqueFor::Seconds(seconds) }) = &job.unique
            && let Some(holder) = open_window(tx, tenant, job, key, *seconds).await?
        {
            answers.insert(job.id, Enqueued::Existing(holder));
        }
    }
    // A unique holder may be done between the refusal and the look-up; then its place is free, and we try again.
    for _ in 0..4 {
        let missing: Vec<&NewJob> =
            new.iter().copied().filter(|job| !answers.contains_key(&job.id)).collect();
        if missing.is_empty() {
            break;
        }
        for id in insert_rows(db, tx, tenant, &missing, None).await? {
            answers.insert(id, Enqueued::Inserted);
        }
        for job in missing {
            if answers.contains_key(&job.id) {
                continue;
            }
            if let Some(holder) = unique_holder(tx, tenant, job).await? {
                answers.insert(job.id, Enqueued::Existing(holder));
            }
        }
    }
    new.iter()
        .map(|job| {
            answers.get(&job.id).copied().ok_or_else(|| StoreError::Unreadable {
                table: "job",
                found: format!("a unique key of {} that keeps changing hands", job.kind),
            })
        })
        .collect()
}

/// Tells whoever waits for it that `queue` has work. Heard when the transaction commits.
pub(crate) async fn ring(tx: &mut Tx, queues: impl Iterator<Item = Queue>) -> Result<(), StoreError> {
    sqlx::query("select pg_notify('crewline_jobs', name) from unnest($1::text[]) as name")
        .bind(names(queues))
        .execute(&mut **tx)
        .await
        .or_failed("ring the doorbell")?;
    Ok(())
}

/// Each queue's name once.
fn names(queues: impl Iterator<Item = Queue>) -> Vec<&'static str> {
    let mut names: Vec<_> = queues.map(Queue::name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

macro_rules! insert_sql {
    ($before:literal, $conflict:literal) => {
        concat!(
            "with ",
            $before,
            "woken as (
                 update lane set asleep_since = null where id = any ($5) and asleep_since is not null
             ),
             inserted as (
             insert into job (tenant_id, id, pos, created_at, scheduled_at, lane_id, kind_version, max_attempts, kind, args,
                              unique_key, traceparent, tags, metadata, due_at, hop_at, hop_queue, workflow_id, step)
             select $1, x.id, case when x.scheduled_at <= clock_timestamp() then nextval('job_pos') end, x.created_at,
                    x.scheduled_at, x.lane_id, x.kind_version, x.max_attempts, x.kind, x.args, x.unique_key, x.traceparent,
                    case when x.tags is not null then
                        (select array_agg(tag) from jsonb_array_elements_text(x.tags) as tag) end,
                    x.metadata, x.due_at, x.hop_at, x.hop_queue, x.workflow_id, x.step
             from (
                 select unnest($2::uuid[]) as id, unnest($3::timestamptz[]) as created_at,
                     unnest($4::timestamptz[]) as scheduled_at, unnest($5::int[]) as lane_id,
                     unnest($6::smallint[]) as kind_version, unnest($7::smallint[]) as max_attempts,
                     unnest($8::text[]) as kind, unnest($9::jsonb[]) as args, unnest($10::text[]) as unique_key,
                     unnest($11::text[]) as traceparent, unnest($12::jsonb[]) as tags, unnest($13::jsonb[]) as metadata,
                     unnest($14::timestamptz[]) as due_at, unnest($15::timestamptz[]) as hop_at,
                     unnest($16::text[]) as hop_queue, unnest($17::uuid[]) as workflow_id, unnest($18::smallint[]) as step
             ) x ",
            $conflict,
            " returning id)
             select coalesce((select array_agg(id) from inserted), '{}'),
                 (select count(pg_notify('crewline_jobs', name)) from unnest($19::text[]) as name)"
        )
    };
}

const INSERT: &str = insert_sql!("", "");
/// For jobs that may be the same work as another. Costs more for each row, so the others go without.
const INSERT_UNLESS_THERE: &str = insert_sql!("", "on conflict do nothing");
/// Together with idempotency keys, none of which may be there.
const INSERT_WITH_KEYS: &str = insert_sql!(
    "keys as (
         insert into idempotency (tenant_id, route, key, fingerprint, status, location, body, expires_at)
         select $1, unnest($20::text[]), unnest($21::text[]), unnest($22::bytea[]), unnest($23::smallint[]),
             unnest($24::text[]), unnest($25::text[]), unnest($26::timestamptz[])
     ),
     ",
    ""
);

/// Inserts jobs none of which is the same work as another, together with idempotency keys, in one statement.
///
/// # Errors
/// When the database fails, or one of the keys is there already; then nothing is inserted.
pub(crate) async fn insert_with_keys(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    new: &[&NewJob],
    keys: &Keys<'_>,
) -> Result<(), StoreError> {
    insert_rows(db, tx, tenant, new, Some(keys)).await.map(drop)
}

async fn insert_rows(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    new: &[&NewJob],
    keys: Option<&Keys<'_>>,
) -> Result<Vec<JobId>, StoreError> {
    let mut lanes = Vec::with_capacity(new.len());
    for job in new {
        lanes.push(db.lane(job.lane(tenant)).await?);
    }
    let args = sealed(db, tenant, new).await?;
    let tags: Vec<Option<Value>> =
        new.iter().map(|job| (!job.tags.is_empty()).then(|| Value::from(job.tags.clone()))).collect();
    let until_done = |job: &NewJob| match &job.unique {
        Some(Unique { key, lasts: UniqueFor::UntilDone }) => Some(key.clone()),
        _ => None,
    };
    let sql = match keys {
        Some(_) => INSERT_WITH_KEYS,
        None if new.iter().any(|job| job.unique.is_some()) => INSERT_UNLESS_THERE,
        None => INSERT,
    };
    // The doorbell is rung by the same statement.
    let mut insert = sqlx::query_as(sql)
        .bind(tenant.as_uuid())
        .bind(new.iter().map(|job| job.id.as_uuid()).collect::<Vec<_>>())
        .bind(new.iter().map(|job| job.created_at).collect::<Vec<_>>())
        .bind(new.iter().map(|job| job.scheduled_at).collect::<Vec<_>>())
        .bind(lanes)
        .bind(new.iter().map(|job| job.kind_version as i16).collect::<Vec<_>>())
        .bind(new.iter().map(|job| job.max_attempts as i16).collect::<Vec<_>>())
        .bind(new.iter().map(|job| job.kind).collect::<Vec<_>>())
        .bind(args.iter().map(Json).collect::<Vec<_>>())
        .bind(new.iter().map(|job| until_done(job)).collect::<Vec<_>>())
        .bind(new.iter().map(|job| job.traceparent.as_deref()).collect::<Vec<_>>())
        .bind(tags.iter().map(|tags| tags.as_ref().map(Json)).collect::<Vec<_>>())
        .bind(new.iter().map(|job| job.metadata.as_ref().map(Json)).collect::<Vec<_>>())
        .bind(new.iter().map(|job| job.after(job.promise_s)).collect::<Vec<_>>())
        .bind(new.iter().map(|job| job.after(job.hop.map(|hop| hop.after_s))).collect::<Vec<_>>())
        .bind(new.iter().map(|job| job.hop.map(|hop| hop.queue.name())).collect::<Vec<_>>())
        .bind(new.iter().map(|job| job.member_of.map(|member| member.workflow.as_uuid())).collect::<Vec<_>>())
        .bind(new.iter().map(|job| job.member_of.map(|member| member.step)).collect::<Vec<_>>())
        .bind(names(new.iter().map(|job| job.queue)));
    if let Some(keys) = keys {
        insert = insert
            .bind(&keys.routes)
            .bind(&keys.texts)
            .bind(&keys.fingerprints)
            .bind(&keys.statuses)
            .bind(&keys.locations)
            .bind(&keys.bodies)
            .bind(&keys.expiries);
    }
    let (inserted, _): (Vec<Uuid>, i64) = insert.fetch_one(&mut **tx).await.or_failed("insert jobs")?;
    Ok(inserted.into_iter().map(JobId::from_uuid).collect())
}

/// The arguments as their rows hold them.
async fn sealed<'a>(
    db: &Db,
    tenant: TenantId,
    new: &[&'a NewJob],
) -> Result<Vec<Cow<'a, Payload>>, StoreError> {
    let ring = db.ring(tenant).await?;
    let seal = |job: &&'a NewJob| {
        let Some(ring) = &ring else { return Ok(Cow::Borrowed(&job.args)) };
        let sealed = ring.seal_payload(&Place::of_job(job.id, Field::Args), &job.args)?;
        Ok(sealed.map_or(Cow::Borrowed(&job.args), Cow::Owned))
    };
    new.iter().map(seal).collect()
}

async fn unique_holder(tx: &mut Tx, tenant: TenantId, job: &NewJob) -> Result<Option<JobId>, StoreError> {
    let Some(unique) = &job.unique else { return Ok(None) };
    let holder: Option<Uuid> =
        sqlx::query_scalar("select id from job where tenant_id = $1 and kind = $2 and unique_key = $3")
            .bind(tenant.as_uuid())
            .bind(job.kind)
            .bind(&unique.key)
            .fetch_optional(&mut **tx)
            .await
            .or_failed("find the job that is the same work")?;
    Ok(holder.map(JobId::from_uuid))
}

/// Takes the window for `job`, or says who holds it.
async fn open_window(
    tx: &mut Tx,
    tenant: TenantId,
    job: &NewJob,
    key: &str,
    seconds: u32,
) -> Result<Option<JobId>, StoreError> {
    let holder: Uuid = sqlx::query_scalar(
        "insert into unique_window as w (tenant_id, kind, key, job_id, expires_at)
         values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
         on conflict (tenant_id, kind, key) do update set
             job_id = case when w.expires_at <= clock_timestamp() then excluded.job_id else w.job_id end,
             expires_at = case when w.expires_at <= clock_timestamp() then excluded.expires_at else w.expires_at end
         returning job_id",
    )
    .bind(tenant.as_uuid())
    .bind(job.kind)
    .bind(key)
    .bind(job.id.as_uuid())
    .bind(f64::from(seconds))
    .fetch_one(&mut **tx)
    .await
    .or_failed("open a uniqueness window")?;
    Ok((holder != job.id.as_uuid()).then(|| JobId::from_uuid(holder)))
}
