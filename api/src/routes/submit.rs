//! `POST /v1/jobs`.

use std::time::{Duration, Instant};

use ::jobs::{JobId, TenantId, limits::LARGE_ARGS_BYTES_MAX};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use store::{
    enqueue::Enqueued,
    reads::{self, JobRecord},
    submit::{Answer, Submission, Submitted},
};
use telemetry::trace_context::current_traceparent;

use crate::{
    AppState,
    auth::{Caller, Writer},
    extract::Json,
    idempotency::{self, REPLAYED},
    intake, large, prefer,
    problem::{Code, Problem, ProblemDocument},
    resource::{self, JobResource},
    submission::NewJobBody,
};

const ROUTE: &str = "POST /v1/jobs";
/// How often a waiting request looks without having been told to.
const WAIT_POLL: Duration = Duration::from_secs(1);

/// Submit a job.
///
/// Answers as soon as the job is on disk. Send the same `Idempotency-Key` again when you did not get an answer: the job
/// is not made twice. A job that is the same work as one that has not ended is not made either: the answer is the one
/// that exists, with `existing: true`.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "Jobs", operation_id = "submit_job", request_body = NewJobBody,
    params(
        ("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: answer with the finished job if it ends within N seconds (at most 30)"),
    ),
    responses(
        (status = 202, description = "It is in the ledger; `Location` is where to follow it", body = JobResource),
        (status = 200, description = "It finished while you waited, or the same work exists already", body = JobResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn submit_job(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<NewJobBody>,
) -> Result<Response, Problem> {
    take(&app, &caller, &headers, Asked { route: ROUTE, is_own: true }, body).await
}

/// How a job is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) route: &'static str,
    /// Whether whoever asks has sent everything that the job is given.
    pub(crate) is_own: bool,
}

/// Takes in a job.
pub(crate) async fn take(
    app: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    asked: Asked,
    body: NewJobBody,
) -> Result<Response, Problem> {
    let seen = |answer: Answer| caller.sight().answer(answer, asked.is_own);
    let key = idempotency::read(headers, asked.route, &body, app.settings.idempotency_required)?;
    let held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let new = body.check(current_traceparent(), LARGE_ARGS_BYTES_MAX).map_err(Problem::invalid)?;
    let new = large::stow(app, caller.tenant, new).await?;
    let object = large::object(&new.args);
    let kinds = [(new.kind, new.queue)];
    let answer = resource::answer_accepted(&new);
    let submission = Submission { jobs: vec![new], idempotency: key, answer };
    let submitted = app.intake.take(caller.tenant, submission, held).await?;
    if !matches!(&submitted, Submitted::Accepted { enqueued, .. } if enqueued[..] == [Enqueued::Inserted]) {
        large::forget(&app.blobs, object).await;
    }
    let (answer, was_replayed) = match submitted {
        Submitted::Accepted { answer, enqueued } => {
            intake::count(&kinds, &enqueued);
            (seen(answer), false)
        }
        Submitted::Replayed(answer) => (seen(answer), true),
        Submitted::Mismatch => return Err(mismatch()),
    };
    let wait = prefer::wait(headers);
    let mut response = match wait {
        Some(wait) => waited(app, caller, answer, wait).await?,
        None => respond(answer),
    };
    if let Some(wait) = wait {
        prefer::applied(wait, response.headers_mut());
    }
    Ok(if was_replayed { replayed(response) } else { response })
}

/// Marks an answer that was given before.
pub(crate) fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED.clone(), HeaderValue::from_static("true"));
    response
}

pub(crate) fn mismatch() -> Problem {
    Problem::new(
        Code::IdempotencyKeyReused,
        "this Idempotency-Key was used with another body; send a fresh one",
    )
}

/// The answer, to the byte the same every time.
pub(crate) fn respond(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::ACCEPTED);
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (status, json, answer.body).into_response();
    if let Some(location) = answer.location.and_then(|location| HeaderValue::try_from(location).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// What every answer about one job has.
#[derive(Deserialize)]
struct Named {
    id: JobId,
}

/// The finished job if it ends in time, else `answer`.
async fn waited(
    app: &AppState,
    caller: &Caller,
    answer: Answer,
    wait: Duration,
) -> Result<Response, Problem> {
    let Ok(Named { id }) = serde_json::from_str(&answer.body) else { return Ok(respond(answer)) };
    let Some(record) = finished(app, caller.tenant, id, wait).await? else { return Ok(respond(answer)) };
    let mut job = JobResource::of(record)?;
    large::link(app, &mut job).await?;
    Ok(respond(caller.sight().answer(Answer::of(200, Some(resource::location(id)), &job), false)))
}

/// The job once it has ended; none if that takes longer than `wait` or the process stops.
async fn finished(
    app: &AppState,
    tenant: TenantId,
    id: JobId,
    wait: Duration,
) -> Result<Option<JobRecord>, Problem> {
    let until = Instant::now() + wait;
    let mut moved = app.hub.job(id);
    loop {
        let record = reads::get(&app.db, tenant, id).await?;
        match record {
            Some(record) if record.state()?.is_final() => return Ok(Some(record)),
            _ => {}
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        if app.stopping.run_until_cancelled(moved.moved(left.min(WAIT_POLL))).await.is_none() {
            return Ok(None);
        }
    }
}
