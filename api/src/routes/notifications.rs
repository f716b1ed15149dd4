//! Telling people something, and saying that what messages are about has moved on.

use ::jobs::kinds::notify_plan::NAME_BYTES_MAX;
use axum::{
    Json as Body,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{
    messages,
    submit::{Submission, Submitted},
};
use telemetry::trace_context::current_traceparent;
use utoipa::ToSchema;

use super::submit::{mismatch, replayed, respond};
use crate::{
    AppState,
    auth::Writer,
    extract::Json,
    idempotency, intake,
    limits::NOTIFICATION_BYTES_MAX,
    plan::job_of,
    problem::{Code, FieldError, Problem, ProblemDocument},
    resource::{self, JobResource},
    submission::NewJobBody,
};

const ROUTE: &str = "POST /v1/notifications";
const KIND: &str = "notify.plan";

/// Something to tell people.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = NewNotification)]
pub(crate) struct NotificationBody {
    /// Not before; a reminder is told only if its `subject` still stands then.
    #[serde(default)]
    scheduled_at: Option<DateTime<Utc>>,
    /// The arguments of `notify.plan`: `recipients`, `template`, `category`, `variables`, `channels`, `subject`, `thread`,
    /// `dedupe_s`, `ladder`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    plan: Map<String, Value>,
}

/// Tell people something.
///
/// Answers the job that decides who is told by which channel and when; its result names the messages. Nothing is sent when
/// a variable of the template is missing.
#[utoipa::path(
    post, path = "/v1/notifications", tag = "Messages", operation_id = "notify",
    request_body(content = NotificationBody, example = json!({
        "recipients": ["pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f"], "template": "reminder", "category": "operational",
        "variables": {"appointment": "Tuesday at nine"}
    })),
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 202, description = "It is in the ledger; `Location` is where to follow it", body = JobResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn notify(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<NotificationBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let job = NewJobBody { scheduled_at: body.scheduled_at, ..job_of(KIND, body.plan) };
    // The fields of the arguments are fields of the body here.
    let here = |error: FieldError| FieldError {
        pointer: error.pointer.strip_prefix("/args").unwrap_or(&error.pointer).to_owned(),
        ..error
    };
    let new = job
        .check(current_traceparent(), NOTIFICATION_BYTES_MAX)
        .map_err(|errors| Problem::invalid(errors.into_iter().map(here).collect()))?;
    let kinds = [(new.kind, new.queue)];
    let answer = resource::answer_accepted(&new);
    let submission = Submission { jobs: vec![new], idempotency: key, answer };
    match app.intake.take(caller.tenant, submission, held).await? {
        Submitted::Accepted { answer, enqueued } => {
            intake::count(&kinds, &enqueued);
            Ok(respond(answer))
        }
        Submitted::Replayed(answer) => Ok(replayed(respond(answer))),
        Submitted::Mismatch => Err(mismatch()),
    }
}

/// Which version of something stands.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSubject)]
pub(crate) struct SubjectBody {
    /// The version; messages about an older one are not sent any more.
    version: u32,
    /// Whether it is over: then messages about this version are not sent either.
    #[serde(default)]
    ended: bool,
}

/// What messages are about.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Subject)]
pub(crate) struct SubjectResource {
    /// Its name.
    reference: String,
    /// The version that stands.
    version: i32,
    /// When it was over, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    /// When that was said.
    updated_at: DateTime<Utc>,
}

/// Say which version of something stands.
///
/// Messages that wait and speak of an older one, or of one that is over, are dropped when their time comes.
#[utoipa::path(
    put, path = "/v1/subjects/{reference}", tag = "Messages", operation_id = "set_subject", request_body = SubjectBody,
    params(("reference" = String, Path, description = "What messages are about, such as `order-1017`")),
    responses(
        (status = 200, description = "What stands", body = SubjectResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn set_subject(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Path(reference): Path<String>,
    Json(body): Json<SubjectBody>,
) -> Result<Body<SubjectResource>, Problem> {
    if !(1..=NAME_BYTES_MAX).contains(&reference.len()) || reference.chars().any(char::is_control) {
        return Err(Problem::new(Code::InvalidParameter, "a reference takes 1 to 120 bytes on one line"));
    }
    if i32::try_from(body.version).is_err() {
        return Err(Problem::invalid(vec![FieldError::new("/version", "takes 0 to 2147483647")]));
    }
    let subject = messages::set_subject(&app.db, caller.tenant, &reference, body.version, body.ended).await?;
    Ok(Body(SubjectResource {
        reference: subject.reference,
        version: subject.version,
        ended_at: subject.ended_at,
        updated_at: subject.updated_at,
    }))
}
