//! Workflows: beginning, following and stopping them.

use ::jobs::WorkflowId;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{
    workflow_retry::{self, WorkflowRetried},
    workflows::{self, Created, NewWorkflow, Step, Workflow, WorkflowState},
};
use telemetry::trace_context::current_traceparent;
use utoipa::{IntoParams, ToSchema};

use super::{
    jobs::{link_next, page_size, read_cursor, write_cursor},
    submit::{mismatch, replayed, respond},
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, LargeJson, Params},
    idempotency,
    limits::{PAGE_DEFAULT, PAGE_MAX},
    plan::WorkflowBody,
    problem::{Code, Problem, ProblemDocument},
    seeing::Shown,
};

const ROUTE: &str = "POST /v1/workflows";

/// A workflow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Workflow)]
pub(crate) struct WorkflowResource {
    /// Which it is.
    #[schema(value_type = String, example = "wfl_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: WorkflowId,
    /// For people.
    name: String,
    /// `running`, `completed`, `failed` or `cancelled`.
    state: &'static str,
    /// How many of its jobs have ended, of a hundred.
    percent: i64,
    /// Jobs of all steps, and how they ended.
    jobs: JobCounts,
    /// Anything of the caller's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
    /// When somebody asked for it to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_requested_at: Option<DateTime<Utc>>,
    /// Its steps, in an order in which each comes after those it waits for. Left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<StepResource>>,
}

/// Jobs, and how they ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobCounts {
    /// All of them.
    total: i64,
    /// Done.
    completed: i64,
    /// Given up.
    discarded: i64,
    /// Stopped.
    cancelled: i64,
}

/// A step of a workflow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WorkflowStep)]
pub(crate) struct StepResource {
    /// Its name.
    name: String,
    /// `waiting`, `running`, `completed`, `failed`, `skipped` or `cancelled`.
    state: String,
    /// The steps before it.
    after: Vec<String>,
    /// Its jobs, and how they ended.
    jobs: JobCounts,
    /// Why it failed without its jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
    /// When its jobs were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
}

/// A page of workflows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workflows {
    /// Newest first.
    workflows: Vec<WorkflowResource>,
    /// Where the next page begins.
    next: Option<String>,
}

impl WorkflowResource {
    fn of(workflow: Workflow, steps: Option<&[Step]>) -> Result<Self, Problem> {
        let total = i64::from(workflow.jobs_total);
        let ended = workflow.completed + workflow.discarded + workflow.cancelled;
        Ok(Self {
            id: workflow.id(),
            state: workflow.state()?.name(),
            name: workflow.name,
            percent: ended * 100 / total.max(1),
            jobs: JobCounts {
                total,
                completed: workflow.completed,
                discarded: workflow.discarded,
                cancelled: workflow.cancelled,
            },
            metadata: workflow.metadata.map(|metadata| metadata.0),
            created_at: workflow.created_at,
            finished_at: workflow.finished_at,
            cancel_requested_at: workflow.cancel_requested_at,
            steps: steps.map(|all| all.iter().map(|step| StepResource::of(step, all)).collect()),
        })
    }
}

impl StepResource {
    fn of(step: &Step, all: &[Step]) -> Self {
        let before = step.after.iter().filter_map(|ordinal| all.get(*ordinal as usize));
        Self {
            name: step.name.clone(),
            state: step.state.clone(),
            after: before.map(|step| step.name.clone()).collect(),
            jobs: JobCounts {
                total: step.jobs_total.into(),
                completed: step.completed.into(),
                discarded: step.discarded.into(),
                cancelled: step.cancelled.into(),
            },
            error: step.error.as_ref().map(|error| error.0.clone()),
            started_at: step.started_at,
            finished_at: step.finished_at,
        }
    }
}

/// Begin a workflow.
///
/// Its first steps begin at once. A step begins when the steps it comes after have ended, once, whatever dies.
#[utoipa::path(
    post, path = "/v1/workflows", tag = "Workflows", operation_id = "begin_workflow", request_body = WorkflowBody,
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 202, description = "It is in the ledger; `Location` is where to follow it", body = WorkflowResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn begin_workflow(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    LargeJson { body, place }: LargeJson<WorkflowBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let new = body.check(current_traceparent()).map_err(Problem::invalid)?;
    let answer = answer(&new);
    let created = Box::pin(workflows::create(&app.db, caller.tenant, &new, key.as_ref(), answer)).await?;
    drop((held, place));
    match created {
        Created::New(answer) => Ok(respond(answer)),
        Created::Replayed(answer) => Ok(replayed(respond(answer))),
        Created::Mismatch => Err(mismatch()),
    }
}

fn answer(new: &NewWorkflow) -> store::submit::Answer {
    let steps: Vec<Value> = new
        .steps
        .iter()
        .map(|step| {
            let state = if step.after.is_empty() { "running" } else { "waiting" };
            json!({ "name": step.name, "state": state, "jobs": { "total": step.spec.args.len() } })
        })
        .collect();
    let body = json!({ "id": new.id, "name": new.name, "state": "running", "created_at": new.id.created_at(), "steps": steps });
    store::submit::Answer::of(202, Some(format!("/v1/workflows/{}", new.id)), &body)
}

/// Which workflows to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WorkflowParams {
    /// Only in this state: `running`, `completed`, `failed` or `cancelled`.
    state: Option<String>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// List the workflows.
#[utoipa::path(
    get, path = "/v1/workflows", tag = "Workflows", operation_id = "list_workflows", params(WorkflowParams),
    responses(
        (status = 200, description = "A page of workflows, newest first", body = Workflows),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_workflows(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<WorkflowParams>,
) -> Result<Response, Problem> {
    let wrong =
        |error: workflows::UnknownWorkflowState| Problem::new(Code::InvalidParameter, error.to_string());
    let state = params.state.as_deref().map(str::parse::<WorkflowState>).transpose().map_err(wrong)?;
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let before = params.cursor.as_deref().map(read_cursor).transpose()?;
    let mut found = workflows::list(&app.db, caller.tenant, state, before, i64::from(limit) + 1).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.id()));
    let filter = state.map(|state| format!("&state={state}")).unwrap_or_default();
    let link = next.as_ref().and_then(|next| link_next("/v1/workflows", limit, &format!("{next}{filter}")));
    let workflows: Result<Vec<_>, _> =
        found.into_iter().map(|found| WorkflowResource::of(found, None)).collect();
    let mut response = Shown(caller.sight(), Workflows { workflows: workflows?, next }).into_response();
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// Look at a workflow.
#[utoipa::path(
    get, path = "/v1/workflows/{id}", tag = "Workflows", operation_id = "get_workflow",
    params(("id" = String, Path, description = "The workflow")),
    responses(
        (status = 200, description = "The workflow and its steps", body = WorkflowResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_workflow(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<WorkflowId>,
) -> Result<Shown<WorkflowResource>, Problem> {
    Ok(Shown(caller.sight(), show(&app, caller.tenant, id).await?))
}

/// Cancel a workflow.
///
/// Steps that have not begun never will; jobs that wait are cancelled, and the workers of those that run are told. Doing it
/// twice is no mistake.
#[utoipa::path(
    post, path = "/v1/workflows/{id}/cancel", tag = "Workflows", operation_id = "cancel_workflow",
    params(("id" = String, Path, description = "The workflow")),
    responses(
        (status = 202, description = "It is being stopped, or was", body = WorkflowResource),
        (status = "default", description = "A problem; 409 when it had ended", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn cancel_workflow(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WorkflowId>,
) -> Result<Response, Problem> {
    let asked = workflows::request_cancel(&app.db, caller.tenant, id).await?;
    let shown = show(&app, caller.tenant, id).await?;
    if !asked && shown.state != WorkflowState::Cancelled.name() {
        let problem = Problem::new(Code::TooLate, format!("{id} is {} already", shown.state));
        return Err(problem.member("state", shown.state.into()));
    }
    Ok((StatusCode::ACCEPTED, Shown(caller.sight(), shown)).into_response())
}

/// Take a workflow up again.
///
/// One that failed or was cancelled goes on where it left off: jobs that were given up or stopped begin again under their
/// ids, with one more attempt if they had none left, and the steps that were skipped wait for them. Doing it twice is no
/// mistake.
#[utoipa::path(
    post, path = "/v1/workflows/{id}/retry", tag = "Workflows", operation_id = "retry_workflow",
    params(("id" = String, Path, description = "The workflow")),
    responses(
        (status = 202, description = "It is running", body = WorkflowResource),
        (status = "default", description = "A problem; 409 when it had completed", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn retry_workflow(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WorkflowId>,
) -> Result<Response, Problem> {
    match workflow_retry::retry(&app.db, caller.tenant, id).await? {
        WorkflowRetried::Running => {
            let shown = show(&app, caller.tenant, id).await?;
            Ok((StatusCode::ACCEPTED, Shown(caller.sight(), shown)).into_response())
        }
        WorkflowRetried::Completed => {
            let state = WorkflowState::Completed.name();
            let problem = Problem::new(Code::TooLate, format!("{id} is {state} already"));
            Err(problem.member("state", state.into()))
        }
        WorkflowRetried::NotFound => Err(Problem::not_found("workflow")),
    }
}

async fn show(app: &AppState, tenant: ::jobs::TenantId, id: WorkflowId) -> Result<WorkflowResource, Problem> {
    let (workflow, steps) =
        workflows::get(&app.db, tenant, id).await?.ok_or_else(|| Problem::not_found("workflow"))?;
    WorkflowResource::of(workflow, Some(&steps))
}
