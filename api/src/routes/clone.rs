//! `POST /v1/jobs/{id}/clone`.

use ::jobs::{JobId, Priority, Queue};
use axum::{extract::State, http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use store::payload::Field;
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Writer,
    cloning::{self, Other},
    extract::{Id, MaybeJson},
    problem::{Problem, ProblemDocument},
    resource::JobResource,
};

const ROUTE: &str = "POST /v1/jobs/{id}/clone";

/// What is other in a clone.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = JobClone)]
pub(crate) struct CloneBody {
    /// What changes in the arguments, as a JSON merge patch (RFC 7396): `null` takes a member away.
    #[schema(value_type = Object, example = json!({"echo": "once more"}))]
    args: Map<String, Value>,
    /// Another queue than the job's.
    #[schema(value_type = Option<String>)]
    queue: Option<Queue>,
    /// Another priority than the job's: 1 before 4.
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 4)]
    priority: Option<Priority>,
    /// Not before; up to 400 days ahead.
    scheduled_at: Option<DateTime<Utc>>,
}

/// Clone a job.
///
/// A new job of the same kind, with the same arguments but for those that `args` changes, and with its tags, metadata, queue, priority
/// and attempts. Its metadata say in `clone_of` what it was cloned from. Whatever makes work of its kind unique holds for it as well.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/clone", tag = "Jobs", operation_id = "clone_job", request_body = CloneBody,
    params(
        ("id" = String, Path, description = "The job"),
        ("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: answer with the finished job if it ends within N seconds (at most 30)"),
    ),
    responses(
        (status = 202, description = "The clone is in the ledger; `Location` is where to follow it", body = JobResource),
        (status = 200, description = "It finished while you waited, or the same work exists already", body = JobResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write", "payloads:read"])),
)]
pub(crate) async fn clone_job(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<JobId>,
    headers: HeaderMap,
    MaybeJson(body): MaybeJson<CloneBody>,
) -> Result<Response, Problem> {
    // What it answers with are the arguments of a job that somebody else may have submitted.
    caller.sight().check()?;
    let original = cloning::original(&app, caller.tenant, id).await?;
    let mut args = caller.sight().value(&original.record.kind, Field::Args, original.args.clone());
    json_patch::merge(&mut args, &Value::Object(body.args));
    let other = Other { args, queue: body.queue, priority: body.priority, scheduled_at: body.scheduled_at };
    cloning::submit(&app, &caller, &headers, ROUTE, &original, other).await
}
