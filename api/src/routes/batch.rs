//! `POST /v1/jobs/batch`.

use ::jobs::limits::LARGE_ARGS_BYTES_MAX;
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue},
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{
    enqueue::{Enqueued, NewJob},
    submit::{Answer, Submission, Submitted},
};
use telemetry::trace_context::current_traceparent;
use utoipa::ToSchema;

use super::submit::{mismatch, respond};
use crate::{
    AppState,
    auth::Writer,
    extract::{self, LargeJson},
    idempotency::{self, REPLAYED},
    intake, large,
    limits::BATCH_JOBS_MAX,
    problem::{FieldError, Problem, ProblemDocument},
    resource,
    submission::NewJobBody,
};

const ROUTE: &str = "POST /v1/jobs/batch";

/// Many jobs to be done.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBatch)]
pub(crate) struct BatchBody {
    // Checked one by one, so that one bad job does not refuse the others.
    /// Up to 1,000 jobs.
    #[schema(value_type = Vec<NewJobBody>, min_items = 1, max_items = 1000)]
    jobs: Vec<Value>,
}

/// What became of each job of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batch)]
pub(crate) struct BatchResource {
    /// Jobs that are new.
    accepted: u64,
    /// Jobs that are the same work as one that exists.
    existing: u64,
    /// Jobs that were refused.
    invalid: u64,
    /// Per job, in order.
    jobs: Vec<BatchItem>,
}

/// What became of one job of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchItem {
    /// `accepted`, `existing` or `invalid`.
    outcome: String,
    /// The job, unless it is invalid.
    id: Option<String>,
    /// Where to follow it.
    location: Option<String>,
    /// What is wrong with it; pointers begin at the batch.
    errors: Option<Vec<FieldError>>,
}

/// Submit many jobs at once.
///
/// The valid ones go in together, in one transaction; the others are told apart one by one.
#[utoipa::path(
    post, path = "/v1/jobs/batch", tag = "Jobs", operation_id = "submit_batch", request_body = BatchBody,
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new batch, the same for its retries; kept 24 h")),
    responses(
        (status = 202, description = "At least one job is new", body = BatchResource),
        (status = 200, description = "No job is new", body = BatchResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn submit_batch(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    LargeJson { body, place }: LargeJson<BatchBody>,
) -> Result<Response, Problem> {
    if body.jobs.is_empty() || body.jobs.len() > BATCH_JOBS_MAX {
        return Err(Problem::invalid(vec![FieldError::new("/jobs", format!("1 to {BATCH_JOBS_MAX} jobs"))]));
    }
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let (jobs, answer) = check(body.jobs);
    let kinds: Vec<_> = jobs.iter().map(|job| (job.kind, job.queue)).collect();
    let jobs = large::stow_all(&app, caller.tenant, jobs).await?;
    let objects: Vec<_> = jobs.iter().map(|job| large::object(&job.args)).collect();
    let submission = Submission { jobs, idempotency: key, answer };
    let submitted = Box::pin(app.intake.take_alone(caller.tenant, submission)).await?;
    drop((held, place));
    match submitted {
        Submitted::Accepted { answer, enqueued } => {
            intake::count(&kinds, &enqueued);
            let spare = objects.into_iter().zip(enqueued).filter(|(_, fate)| *fate != Enqueued::Inserted);
            large::forget(&app.blobs, spare.filter_map(|(object, _)| object)).await;
            Ok(respond(answer))
        }
        Submitted::Replayed(answer) => {
            large::forget(&app.blobs, objects.into_iter().flatten()).await;
            let mut response = respond(answer);
            response.headers_mut().insert(REPLAYED.clone(), HeaderValue::from_static("true"));
            Ok(response)
        }
        Submitted::Mismatch => {
            large::forget(&app.blobs, objects.into_iter().flatten()).await;
            Err(mismatch())
        }
    }
}

/// The valid jobs, and the answer if each of them is new.
fn check(wanted: Vec<Value>) -> (Vec<NewJob>, Answer) {
    let traceparent = current_traceparent();
    let (mut jobs, mut items) = (Vec::with_capacity(wanted.len()), Vec::with_capacity(wanted.len()));
    for (index, wanted) in wanted.into_iter().enumerate() {
        match read(wanted).and_then(|body| body.check(traceparent.clone(), LARGE_ARGS_BYTES_MAX)) {
            Ok(job) => {
                items.push(
                    json!({ "outcome": "accepted", "id": job.id, "location": resource::location(job.id) }),
                );
                jobs.push(job);
            }
            Err(mut errors) => {
                for error in &mut errors {
                    error.pointer.insert_str(0, &format!("/jobs/{index}"));
                }
                items.push(json!({ "outcome": "invalid", "errors": errors }));
            }
        }
    }
    let invalid = items.len() - jobs.len();
    let body = json!({ "accepted": jobs.len(), "existing": 0, "invalid": invalid, "jobs": items });
    let status = if jobs.is_empty() { 200 } else { 202 };
    (jobs, Answer::of(status, None, &body))
}

fn read(wanted: Value) -> Result<NewJobBody, Vec<FieldError>> {
    serde_path_to_error::deserialize(wanted).map_err(|error| {
        vec![FieldError::new(extract::pointer(error.path()), extract::reason(error.inner()))]
    })
}
