//! Films that are made in parts: which workflow makes the parts of which job, how far it is, and what is left to remove.

use jobs::{JobId, Priority, Queue, State, TenantId, WorkflowId, failure::Problem};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::{
    db::{Db, Tx, commit},
    enqueue::ring,
    error::{OrFailed, StoreError},
    retry,
    verdict::FilmPart,
    workflows::{self, NewWorkflow},
};

/// Rows looked at in a round.
const SWEPT_MAX: i64 = 100;
/// How old parts have to be before somebody asks whether their job is still there, in minutes. Jobs that end say so
/// themselves, most of the time.
const AGE_MIN_LEAST: i32 = 10;
/// Percent of a film's progress when its first part begins, and when its last one ends.
const PARTS_PERCENT: (i32, i32) = (5, 90);

/// The parts of a film, as far as they are.
#[derive(Debug, Clone, FromRow)]
pub struct FilmParts {
    workflow_id: Uuid,
    /// How many there are.
    pub parts: i32,
    /// How many are made.
    pub made: i32,
    /// How many were given up or stopped.
    pub lost: i32,
    /// Whether somebody stopped them.
    pub cancelled: bool,
}

impl FilmParts {
    /// The workflow that makes them.
    pub fn workflow(&self) -> WorkflowId {
        WorkflowId::from_uuid(self.workflow_id)
    }
}

/// The parts that are made for `job`.
pub async fn of_job(db: &Db, tenant: TenantId, job: JobId) -> Result<Option<FilmParts>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // A workflow that was forgotten was stopped as far as anybody can tell.
    sqlx::query_as(
        "select p.workflow_id, coalesce(s.jobs_total, 0) as parts, coalesce(s.completed, 0) as made,
             coalesce(s.discarded + s.cancelled, 0) as lost,
             coalesce(w.state = 'cancelled' or w.cancel_requested_at is not null, true) as cancelled
         from film_parts p left join workflow w on w.id = p.workflow_id
         left join workflow_step s on s.workflow_id = w.id and s.ordinal = 0
         where p.tenant_id = $1 and p.job_id = $2 and p.abandoned_at is null",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read how far the parts of a film are")
}

/// Makes the workflow that makes the parts of `job`, which are as urgent as the job; false when there is one already.
pub async fn begin(db: &Db, tenant: TenantId, job: JobId, mut new: NewWorkflow) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let begun: Option<Option<i16>> = sqlx::query_scalar(
        "insert into film_parts (workflow_id, tenant_id, job_id) values ($1, $2, $3) on conflict do nothing
         returning (select lane.priority from job join lane on lane.id = job.lane_id
                    where job.tenant_id = $2 and job.id = $3)",
    )
    .bind(new.id.as_uuid())
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("begin the parts of a film")?;
    let Some(priority) = begun else { return Ok(false) };
    if let Some(priority) = priority.and_then(|priority| Priority::new(u8::try_from(priority).ok()?)) {
        new.steps.iter_mut().for_each(|step| step.spec.priority = priority);
    }
    workflows::insert(db, &mut tx, tenant, &new).await?;
    commit(tx, "begin the parts of a film").await?;
    Ok(true)
}

/// Whether somebody needs the parts that `workflow` makes.
pub async fn are_needed(db: &Db, tenant: TenantId, workflow: WorkflowId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_scalar(
        "select exists (select from film_parts
                        where tenant_id = $1 and workflow_id = $2 and abandoned_at is null)",
    )
    .bind(tenant.as_uuid())
    .bind(workflow.as_uuid())
    .fetch_one(&mut *tx)
    .await
    .or_failed("see whether a part is needed")
}

/// Why a part was given up.
pub async fn why_lost(
    db: &Db,
    tenant: TenantId,
    workflow: WorkflowId,
) -> Result<Option<Problem>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let found: Option<Json<Problem>> = sqlx::query_scalar(
        "select error from attempt where tenant_id = $1 and workflow_id = $2 and final_state = $3 and error is not null
         order by finished_at limit 1",
    )
    .bind(tenant.as_uuid())
    .bind(workflow.as_uuid())
    .bind(State::Discarded.name())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("see why a part of a film was given up")?;
    Ok(found.map(|Json(problem)| problem))
}

/// Nobody needs the parts of `job` any more: those that are being made are stopped, and what was made is removed.
pub async fn abandon(db: &Db, tenant: TenantId, job: JobId) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    abandon_in(&mut tx, tenant, job).await?;
    commit(tx, "abandon the parts of a film").await
}

/// As [`abandon`], in the transaction that ends the job.
pub(crate) async fn abandon_in(tx: &mut Tx, tenant: TenantId, job: JobId) -> Result<(), StoreError> {
    let abandoned: Vec<Uuid> = sqlx::query_scalar(
        "update film_parts set abandoned_at = clock_timestamp()
         where tenant_id = $1 and job_id = $2 and abandoned_at is null returning workflow_id",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .fetch_all(&mut **tx)
    .await
    .or_failed("abandon the parts of a film")?;
    stop(tx, &abandoned).await
}

async fn stop(tx: &mut Tx, workflows: &[Uuid]) -> Result<(), StoreError> {
    if workflows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update workflow set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
         where id = any ($1) and state = 'running' and exists (
             select from workflow_step s
             where s.workflow_id = workflow.id and s.completed + s.discarded + s.cancelled < s.jobs_total)",
    )
    .bind(workflows)
    .execute(&mut **tx)
    .await
    .or_failed("stop making the parts of a film")?;
    ring(tx, Queue::ALL.into_iter()).await
}

/// Tells the job of a film how far its parts are that are still being made, unless it was told that they are further.
pub async fn tell_on_the_way(db: &Db, tenant: TenantId, part: FilmPart) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    tell_how_far(&mut tx, tenant, part, false).await?;
    commit(tx, "tell a film of its parts").await
}

/// Tells the job of a film that one of its parts is made, in the transaction that ends the part's own; wakes it when that
/// was the last.
pub(crate) async fn tell(tx: &mut Tx, tenant: TenantId, part: FilmPart) -> Result<(), StoreError> {
    if tell_how_far(tx, tenant, part, true).await? == Some(true) {
        retry::hurry(tx, tenant, &[part.film]).await?;
        ring(tx, Queue::ALL.into_iter()).await?;
    }
    Ok(())
}

/// Tells the job of a film how far all parts are, those that are being made as far as they say, and how long the rest will
/// take if it goes on like that. Answers whether all are made. Unless one of them `is_made` it is told of progress only.
async fn tell_how_far(
    tx: &mut Tx,
    tenant: TenantId,
    part: FilmPart,
    is_made: bool,
) -> Result<Option<bool>, StoreError> {
    let (begun, ended) = PARTS_PERCENT;
    sqlx::query_scalar(
        "with step as (
             select s.completed, s.jobs_total, extract(epoch from clock_timestamp() - p.begun_at) as spent_s,
                 least((s.completed + coalesce((
                     select sum(made.progress_percent) from job made
                     where made.tenant_id = $1 and made.workflow_id = s.workflow_id), 0) / 100.0) / s.jobs_total, 1) as share
             from workflow_step s join film_parts p on p.workflow_id = s.workflow_id
             where s.workflow_id = $3 and s.ordinal = 0 and p.tenant_id = $1 and p.job_id = $2
         ),
         far as (
             select *, floor($4 + ($5 - $4) * share)::smallint as percent,
                 ceil(spent_s * (1 - share) / greatest(share, 0.01))::bigint as left_s from step
         ),
         told as (
             update job set progress_percent = greatest(job.progress_percent, far.percent),
                 progress_message = far.completed || ' of ' || far.jobs_total || ' parts are made' || case
                     when far.left_s = 0 then '' when far.left_s < 120 then ', ' || far.left_s || ' s left'
                     else ', ' || far.left_s / 60 || ' min ' || far.left_s % 60 || ' s left' end
             from far where job.tenant_id = $1 and job.id = $2 and ($7 or coalesce(job.progress_percent, 0) <= far.percent)
             returning job.id
         )
         select far.completed >= far.jobs_total, pg_notify('crewline_moved', $6) from far, told",
    )
    .bind(tenant.as_uuid())
    .bind(part.film.as_uuid())
    .bind(part.workflow.as_uuid())
    .bind(begun)
    .bind(ended)
    .bind(part.film.to_string())
    .bind(is_made)
    .fetch_optional(&mut **tx)
    .await
    .or_failed("tell a film of its parts")
}

/// Abandons the parts of jobs that ended in another way than by themselves, of all tenants; answers how many. For workers.
pub async fn abandon_orphans(db: &Db) -> Result<usize, StoreError> {
    let mut tx = db.begin().await?;
    let orphans: Vec<Uuid> = sqlx::query_scalar(
        "update film_parts set abandoned_at = clock_timestamp() where workflow_id in (
             select workflow_id from film_parts p
             where abandoned_at is null and begun_at < clock_timestamp() - make_interval(mins => $1)
               and not exists (select from job where job.tenant_id = p.tenant_id and job.id = p.job_id)
             order by begun_at limit $2 for update skip locked)
         returning workflow_id",
    )
    .bind(AGE_MIN_LEAST)
    .bind(SWEPT_MAX)
    .fetch_all(&mut *tx)
    .await
    .or_failed("abandon parts that nobody needs")?;
    stop(&mut tx, &orphans).await?;
    commit(tx, "abandon parts that nobody needs").await?;
    Ok(orphans.len())
}

/// Parts to remove from S3, of all tenants: whose they are, and the workflow that made them. Nobody makes more of them.
/// For workers.
pub async fn removable(db: &Db) -> Result<Vec<(TenantId, WorkflowId)>, StoreError> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "select tenant_id, workflow_id from film_parts p
         where abandoned_at is not null
           and not exists (select from workflow w where w.id = p.workflow_id and w.state = 'running')
         order by abandoned_at limit $1",
    )
    .bind(SWEPT_MAX)
    .fetch_all(db.pool())
    .await
    .or_failed("look for parts to remove")?;
    Ok(rows
        .into_iter()
        .map(|(tenant, workflow)| (TenantId::from_uuid(tenant), WorkflowId::from_uuid(workflow)))
        .collect())
}

/// The parts are removed.
pub async fn forget(db: &Db, workflow: WorkflowId) -> Result<(), StoreError> {
    sqlx::query("delete from film_parts where workflow_id = $1 and abandoned_at is not null")
        .bind(workflow.as_uuid())
        .execute(db.pool())
        .await
        .or_failed("forget parts that were removed")?;
    Ok(())
}
