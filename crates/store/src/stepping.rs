//! What follows from a step that is over: later steps begin or are skipped, and in the end the workflow ends.
//!
//! Decided under the lock of the workflow by whoever comes first, in one transaction with the jobs that it makes. So a
//! step begins once, whatever dies.

use std::collections::BTreeMap;

use jobs::{JobId, TenantId, WorkflowId, failure::Problem, limits::RESULT_BYTES_MAX};
use serde_json::{Value, json};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::{
    cancel,
    db::{Db, Tx, commit},
    enqueue::{self, Member},
    error::{OrFailed, StoreError},
    payload::{Field, Payload},
    sealing::Place,
    step_spec::{Spec, references},
    workflows::{Step, insert_jobs, steps},
};

/// Workflows moved in one pass.
const WORKFLOWS_PER_PASS: i64 = 100;
/// Bytes of the results of one step that are read for the arguments of another: many times what arguments take, since a
/// pointer may take a little of each.
const RESULTS_BYTES_MAX: i64 = 16 * 1024 * 1024;
/// For how many seconds a workflow that cannot be moved is left alone.
const SET_ASIDE_S: f64 = 60.0;
/// Jobs of a workflow cancelled in one transaction.
const CANCELS_PER_TRANSACTION: i64 = 500;

#[derive(FromRow)]
struct Row {
    tenant_id: Uuid,
    traceparent: Option<String>,
    cancelling: bool,
}

/// Moves the workflows that have a step which is over, or that somebody stopped; answers how many. One that this process
/// cannot move, because it lacks a kind or a key, is set aside for a while and holds no other up.
///
/// # Errors
/// When the database is out of reach.
pub async fn advance(db: &Db) -> Result<usize, StoreError> {
    let mut moved = 0;
    for workflow in waiting(db).await? {
        match advance_one(db, workflow).await {
            Ok(has_moved) => moved += usize::from(has_moved),
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                tracing::error!(workflow.id = %workflow, %error, "Cannot move {workflow}; it is set aside for a minute");
                set_aside(db, workflow).await?;
            }
        }
    }
    Ok(moved)
}

/// Leaves a workflow alone for [`SET_ASIDE_S`]: another process may be able to move it before.
async fn set_aside(db: &Db, workflow: WorkflowId) -> Result<(), StoreError> {
    sqlx::query(
        "update workflow set not_before = clock_timestamp() + make_interval(secs => $2) where id = $1",
    )
    .bind(workflow.as_uuid())
    .bind(SET_ASIDE_S)
    .execute(db.pool())
    .await
    .or_failed("set a workflow aside")?;
    Ok(())
}

async fn waiting(db: &Db) -> Result<Vec<WorkflowId>, StoreError> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "(select s.workflow_id from workflow_step s join workflow w on w.id = s.workflow_id
          where s.state = 'running' and s.completed + s.discarded + s.cancelled >= s.jobs_total
              and (w.not_before is null or w.not_before < clock_timestamp()) limit $1)
         union
         (select id from workflow where cancel_requested_at is not null and state = 'running'
              and (not_before is null or not_before < clock_timestamp()) limit $1)",
    )
    .bind(WORKFLOWS_PER_PASS)
    .fetch_all(db.pool())
    .await
    .or_failed("look for workflows that may go on")?;
    Ok(ids.into_iter().map(WorkflowId::from_uuid).collect())
}

/// False when somebody else has it in hand, or there was nothing to do.
async fn advance_one(db: &Db, workflow: WorkflowId) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let found: Option<Row> = sqlx::query_as(
        "select tenant_id, traceparent, cancel_requested_at is not null as cancelling from workflow
         where id = $1 and state = 'running' for update skip locked",
    )
    .bind(workflow.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("take a workflow in hand")?;
    let Some(row) = found else { return Ok(false) };
    let tenant = TenantId::from_uuid(row.tenant_id);
    let mut all = steps(&mut tx, workflow).await?;
    let before: Vec<String> = all.iter().map(|step| step.state.clone()).collect();
    loop {
        let begun = follow(&mut all, row.cancelling);
        if begun.is_empty() {
            break;
        }
        for at in begun {
            if let Err(problem) =
                begin(db, &mut tx, tenant, workflow, &all, at, row.traceparent.as_deref()).await?
            {
                all[at].state = "failed".into();
                all[at].error = Some(Json(json!(problem)));
            }
        }
    }
    for (step, before) in all.iter().zip(&before) {
        if step.state != *before {
            save(&mut tx, workflow, step).await?;
        }
    }
    let ended = outcome(&all, row.cancelling);
    if let Some(state) = ended {
        sqlx::query("update workflow set state = $2, finished_at = clock_timestamp() where id = $1")
            .bind(workflow.as_uuid())
            .bind(state)
            .execute(&mut *tx)
            .await
            .or_failed("end a workflow")?;
    }
    enqueue::ring(&mut tx, jobs::Queue::ALL.into_iter()).await?;
    commit(tx, "move a workflow").await?;
    if row.cancelling && ended.is_none() {
        return cancel_jobs(db, tenant, workflow).await;
    }
    Ok(true)
}

/// Settles what can be settled without the ledger; answers the steps whose jobs are to be made now.
fn follow(all: &mut [Step], cancelling: bool) -> Vec<usize> {
    let mut begun = Vec::new();
    for at in 0..all.len() {
        let step = &all[at];
        if step.state == "running" && step.completed + step.discarded + step.cancelled >= step.jobs_total {
            let failures = step.discarded + step.cancelled;
            all[at].state = if failures <= step.tolerate { "completed" } else { "failed" }.into();
        } else if step.state == "waiting" && cancelling {
            all[at].state = "cancelled".into();
        } else if step.state == "waiting" {
            // Steps stand in an order in which each comes after those it waits for.
            let before: Vec<&Step> =
                step.after.iter().filter_map(|before| all.get(*before as usize)).collect();
            if before.iter().any(|step| stops(step)) {
                all[at].state = "skipped".into();
            } else if before.iter().all(|step| is_over(step)) {
                all[at].state = "running".into();
                begun.push(at);
            }
        }
    }
    begun
}

fn is_over(step: &Step) -> bool {
    !matches!(step.state.as_str(), "waiting" | "running")
}

/// Whether nothing that comes after this step may begin.
fn stops(step: &Step) -> bool {
    matches!(step.state.as_str(), "skipped" | "cancelled") || (step.state == "failed" && !step.continues)
}

/// The state of a workflow all of whose steps are over.
fn outcome(all: &[Step], cancelling: bool) -> Option<&'static str> {
    if !all.iter().all(is_over) {
        return None;
    }
    Some(if cancelling {
        "cancelled"
    } else if all.iter().any(stops) {
        "failed"
    } else {
        "completed"
    })
}

/// Makes the jobs of a step; or says why they cannot be made.
async fn begin(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    workflow: WorkflowId,
    all: &[Step],
    at: usize,
    traceparent: Option<&str>,
) -> Result<Result<(), Problem>, StoreError> {
    let spec: Option<Json<Payload>> =
        sqlx::query_scalar("select spec from workflow_step where workflow_id = $1 and ordinal = $2")
            .bind(workflow.as_uuid())
            .bind(at as i16)
            .fetch_one(&mut **tx)
            .await
            .or_failed("read what a step does")?;
    let Some(Json(spec)) = spec else {
        return Ok(Err(Problem::new("step_begun", "the jobs of this step were made before")));
    };
    let mut spec = Spec::open(db, tenant, workflow, at as i16, spec).await?;
    // By name, and whether all of its results are asked for or only the first.
    let mut asked: BTreeMap<String, bool> = BTreeMap::new();
    for reference in spec.args.iter().flat_map(references) {
        *asked.entry(reference.step.to_owned()).or_default() |= reference.all;
    }
    let mut results = BTreeMap::new();
    for (name, all_of_it) in asked {
        match results_of(db, tx, tenant, workflow, all, (&name, all_of_it)).await? {
            Ok(found) => results.insert(name, found),
            Err(problem) => return Ok(Err(problem)),
        };
    }
    if let Err(problem) = spec.fill_in(&results)? {
        return Ok(Err(problem));
    }
    let member = Member { workflow, step: at as i16 };
    insert_jobs(db, tx, tenant, &spec.jobs(member, traceparent)?).await?;
    Ok(Ok(()))
}

/// What the jobs of a step left, in the order in which they were made, or only what the first left; null for one that left
/// nothing. More than fits into arguments is not read.
async fn results_of(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    workflow: WorkflowId,
    all: &[Step],
    (name, all_of_it): (&str, bool),
) -> Result<Result<Vec<Value>, Problem>, StoreError> {
    let Some(step) = all.iter().find(|step| step.name == name) else { return Ok(Ok(Vec::new())) };
    let most = if all_of_it { i64::MAX } else { 1 };
    let bytes: i64 = sqlx::query_scalar(
        "select coalesce(sum(octet_length(result::text)), 0)::bigint from (
             select a.result from attempt a
             where a.workflow_id = $1 and a.step = $2 and a.final_state is not null order by a.job_id limit $3) r",
    )
    .bind(workflow.as_uuid())
    .bind(step.ordinal)
    .bind(most)
    .fetch_one(&mut **tx)
    .await
    .or_failed("weigh the results of a step")?;
    if bytes > RESULTS_BYTES_MAX {
        let message = format!(
            "the results of {name} take {bytes} bytes, and at most {RESULTS_BYTES_MAX} are read for the arguments of \
             another step; ask for one with $result_of"
        );
        return Ok(Err(Problem::new("results_too_large", message)));
    }
    let rows: Vec<(Uuid, Option<Json<Payload>>)> = sqlx::query_as(
        "select a.job_id, a.result from attempt a
         where a.workflow_id = $1 and a.step = $2 and a.final_state is not null
           and not exists (select from attempt later where later.tenant_id = a.tenant_id and later.job_id = a.job_id
               and later.fence > a.fence)
         order by a.job_id limit $3",
    )
    .bind(workflow.as_uuid())
    .bind(step.ordinal)
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .or_failed("read the results of a step")?;
    let mut results = Vec::with_capacity(rows.len());
    for (job, row) in rows {
        let Some(Json(row)) = row else {
            results.push(Value::Null);
            continue;
        };
        let job = JobId::from_uuid(job);
        let Payload::Inline(result) = db.open(tenant, &Place::of_job(job, Field::Result), row).await? else {
            let message = format!(
                "the result of {job} takes more than {RESULT_BYTES_MAX} bytes; such a result cannot be put into the \
                 arguments of another step"
            );
            return Ok(Err(Problem::new("result_too_large", message)));
        };
        results.push(result);
    }
    Ok(Ok(results))
}

async fn save(tx: &mut Tx, workflow: WorkflowId, step: &Step) -> Result<(), StoreError> {
    sqlx::query(
        "update workflow_step set state = $3, error = $4,
             spec = case when $3 = 'running' then null else spec end,
             started_at = case when $3 = 'running' then clock_timestamp() else started_at end,
             finished_at = case when $3 in ('waiting', 'running') then null else clock_timestamp() end
         where workflow_id = $1 and ordinal = $2",
    )
    .bind(workflow.as_uuid())
    .bind(step.ordinal)
    .bind(&step.state)
    .bind(&step.error)
    .execute(&mut **tx)
    .await
    .or_failed("move a step")?;
    Ok(())
}

/// Cancels jobs of a workflow that somebody stopped, as many as one transaction takes; true when there were any.
async fn cancel_jobs(db: &Db, tenant: TenantId, workflow: WorkflowId) -> Result<bool, StoreError> {
    let live: Vec<Uuid> = sqlx::query_scalar(
        "select id from job where workflow_id = $1 and cancel_requested_at is null order by id limit $2",
    )
    .bind(workflow.as_uuid())
    .bind(CANCELS_PER_TRANSACTION)
    .fetch_all(db.pool())
    .await
    .or_failed("look for jobs of a workflow that was stopped")?;
    let why = Problem::new("workflow_cancelled", format!("{workflow} was cancelled"));
    let live: Vec<JobId> = live.into_iter().map(JobId::from_uuid).collect();
    cancel::cancel_many(db, tenant, &live, &why).await
}
