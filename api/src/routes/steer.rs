//! Stopping a job and running it again.

use ::jobs::{JobId, failure::Problem as JobProblem};
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use store::{cancel::Cancelled, reads, retry::Retried};

use crate::{
    AppState,
    auth::{Caller, Retrier, Writer},
    extract::Id,
    large,
    problem::{Code, Problem, ProblemDocument},
    resource::JobResource,
    seeing::Shown,
};

/// Cancel a job.
///
/// A waiting job is cancelled at once; the worker of a running one is told to stop. Doing it twice is no mistake.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", tag = "Jobs", operation_id = "cancel_job",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, description = "It is cancelled", body = JobResource),
        (status = 202, description = "It is running and its worker was told", body = JobResource),
        (status = "default", description = "A problem; 409 when it had ended", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn cancel_job(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<JobId>,
) -> Result<Response, Problem> {
    let why = JobProblem::new("cancelled", "cancelled on request");
    let status = match store::cancel::cancel(&app.db, caller.tenant, id, &why).await? {
        Cancelled::AtOnce | Cancelled::TooLate(::jobs::State::Cancelled) => StatusCode::OK,
        Cancelled::Requested => StatusCode::ACCEPTED,
        Cancelled::TooLate(state) => return Err(too_late(id, state)),
        Cancelled::NotFound => return Err(Problem::not_found("job")),
    };
    show(&app, &caller, id, status).await
}

fn too_late(id: JobId, state: ::jobs::State) -> Problem {
    Problem::new(Code::TooLate, format!("{id} is {state} already")).member("state", state.name().into())
}

/// Run a job again.
///
/// A job that waits for its next attempt skips the wait; one that has ended begins again under the same id.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", tag = "Jobs", operation_id = "retry_job",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 202, description = "It may run now", body = JobResource),
        (status = "default", description = "A problem; 409 when it is running, or another job does the same work", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"]), ("api_key" = ["queue:operate"])),
)]
pub(crate) async fn retry_job(
    State(app): State<AppState>,
    Retrier(caller): Retrier,
    Id(id): Id<JobId>,
) -> Result<Response, Problem> {
    match store::retry::retry(&app.db, caller.tenant, id).await? {
        Retried::Available => show(&app, &caller, id, StatusCode::ACCEPTED).await,
        Retried::Running => Err(Problem::new(Code::JobRunning, format!("{id} is running")).retry_after(1)),
        Retried::Duplicate(other) => {
            let problem = Problem::new(Code::DuplicateWork, format!("{other} is doing the same work"));
            Err(problem.member("job", other.to_string().into()))
        }
        Retried::StepOver => {
            let detail = format!("{id} belongs to a step that is over; begin another workflow");
            Err(Problem::new(Code::StepOver, detail))
        }
        Retried::NotFound => Err(Problem::not_found("job")),
    }
}

async fn show(app: &AppState, caller: &Caller, id: JobId, status: StatusCode) -> Result<Response, Problem> {
    let record = reads::get(&app.db, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("job"))?;
    let mut job = JobResource::of(record)?;
    large::link(app, &mut job).await?;
    Ok((status, Shown(caller.sight(), job)).into_response())
}
