//! What became of a job: its attempts, its log, its result.

use ::jobs::{JobId, State};
use axum::{Json, extract::State as App};
use chrono::{DateTime, Utc};
use payloads::Of;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{attempts, logs, payload::Field, reads};
use utoipa::{IntoParams, ToSchema};

use super::jobs::page_size;
use crate::{
    AppState,
    auth::Reader,
    extract::{Id, Params},
    large,
    limits::LINES_MAX,
    problem::{Code, Problem, ProblemDocument, job_error},
};

/// One run of a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptResource {
    /// 1 for the first run; 0 for a job that was cancelled before any.
    attempt: i16,
    /// `running`, `completed`, `retried`, `snoozed`, `parked`, `returned`, `crashed`, `cancelled` or `discarded`.
    outcome: String,
    /// The process that ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
    /// What went wrong: `code` and `message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
}

/// The runs of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attempts {
    /// Oldest first, the latest 200.
    attempts: Vec<AttemptResource>,
}

async fn known(app: &AppState, caller: &crate::auth::Caller, id: JobId) -> Result<reads::JobRecord, Problem> {
    reads::get(&app.db, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("job"))
}

/// List the attempts of a job.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/attempts", tag = "Jobs", operation_id = "list_attempts",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, description = "The attempts, the running one included", body = Attempts),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_attempts(
    App(app): App<AppState>,
    Reader(caller): Reader,
    Id(id): Id<JobId>,
) -> Result<Json<Attempts>, Problem> {
    known(&app, &caller, id).await?;
    let attempts = attempts::of_job(&app.db, caller.tenant, id).await?;
    let attempts = attempts.into_iter().map(|attempt| AttemptResource {
        attempt: attempt.attempt,
        outcome: attempt.outcome,
        worker: attempt.worker,
        started_at: attempt.started_at,
        finished_at: attempt.finished_at,
        error: attempt.error.map(|error| error.0),
    });
    Ok(Json(Attempts { attempts: attempts.collect() }))
}

/// Which lines to read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogParams {
    /// Only lines after this `seq`; 0 unless given.
    after: Option<i64>,
    /// Lines on the page, 1 to 1,000; 200 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u16>,
}

const LINES_DEFAULT: u16 = 200;

/// A line that a job wrote.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogLine {
    /// Orders the lines of a job; not without gaps.
    pub(crate) seq: i64,
    /// The attempt that wrote it.
    attempt: i16,
    /// When.
    logged_at: DateTime<Utc>,
    /// `debug`, `info`, `warn` or `error`.
    level: String,
    /// The line.
    message: String,
}

impl From<logs::Line> for LogLine {
    fn from(line: logs::Line) -> Self {
        let logs::Line { seq, attempt, logged_at, level, message } = line;
        Self { seq, attempt, logged_at, level, message }
    }
}

/// Lines that a job wrote.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogPage {
    /// Oldest first.
    lines: Vec<LogLine>,
    /// The `after` of the next page; none when these were the last lines so far.
    next: Option<i64>,
}

/// Read the log of a job.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/logs", tag = "Jobs", operation_id = "read_logs",
    params(("id" = String, Path, description = "The job"), LogParams),
    responses(
        (status = 200, description = "A page of lines", body = LogPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read", "payloads:read"])),
)]
pub(crate) async fn read_logs(
    App(app): App<AppState>,
    Reader(caller): Reader,
    Id(id): Id<JobId>,
    Params(params): Params<LogParams>,
) -> Result<Json<LogPage>, Problem> {
    caller.sight().check()?;
    let limit = page_size(params.limit, LINES_DEFAULT, LINES_MAX)?;
    known(&app, &caller, id).await?;
    let after = params.after.unwrap_or(0);
    let mut lines = logs::lines(&app.db, caller.tenant, id, after, i64::from(limit) + 1).await?;
    let has_more = lines.len() > usize::from(limit);
    lines.truncate(usize::from(limit));
    let next = lines.last().filter(|_| has_more).map(|line| line.seq);
    Ok(Json(LogPage { lines: lines.into_iter().map(LogLine::from).collect(), next }))
}

/// Read the arguments of a job.
///
/// However large they are; `GET /v1/jobs/{id}` has those that take up to 64 KiB.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/args", tag = "Jobs", operation_id = "get_args",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, description = "What the job was given; its schema is in GET /v1/kinds/{kind}", body = Object),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read", "payloads:read"])),
)]
pub(crate) async fn get_args(
    App(app): App<AppState>,
    Reader(caller): Reader,
    Id(id): Id<JobId>,
) -> Result<Json<Value>, Problem> {
    caller.sight().check()?;
    let job = known(&app, &caller, id).await?;
    let of = Of { tenant: caller.tenant, job: id, field: Field::Args };
    let args = large::value(&app, of, job.args.0).await?;
    Ok(Json(caller.sight().value(&job.kind, Field::Args, args)))
}

/// Read the result of a job.
///
/// 409 while it has not ended; 410 with its `error` when it was cancelled or discarded.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/result", tag = "Jobs", operation_id = "get_result",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, description = "What the job left behind; its schema is in GET /v1/kinds/{kind}", body = Object),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read", "payloads:read"])),
)]
pub(crate) async fn get_result(
    App(app): App<AppState>,
    Reader(caller): Reader,
    Id(id): Id<JobId>,
) -> Result<Json<Value>, Problem> {
    caller.sight().check()?;
    let job = known(&app, &caller, id).await?;
    let error = || job_error(job.error.as_ref().map(|error| &error.0));
    match job.state()? {
        State::Completed => match job.result {
            Some(result) => {
                let of = Of { tenant: caller.tenant, job: id, field: Field::Result };
                let result = large::value(&app, of, result.0).await?;
                Ok(Json(caller.sight().value(&job.kind, Field::Result, result)))
            }
            None => Ok(Json(Value::Null)),
        },
        State::Cancelled => {
            Err(Problem::new(Code::JobCancelled, format!("{id} was cancelled")).member("error", error()))
        }
        State::Discarded => {
            Err(Problem::new(Code::JobDiscarded, format!("{id} was given up")).member("error", error()))
        }
        state => {
            let problem = Problem::new(Code::NotFinished, format!("{id} is {state}; wait for it to end"));
            Err(problem.retry_after(1).member("state", state.name().into()))
        }
    }
}
