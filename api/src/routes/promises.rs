//! `GET /v1/promises`: which are at risk, and how they went.

use ::jobs::JobId;
use axum::{Json, extract::State};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use store::promises;
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Reader,
    extract::Params,
    limits::{PAGE_DEFAULT, PAGE_MAX, PROMISE_DAYS_MAX},
    problem::{Code, Problem, ProblemDocument},
};

/// What to look at.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PromiseParams {
    /// Count what ended since then; a day ago unless given, at most 31 days.
    since: Option<DateTime<Utc>>,
    /// Promises at risk to list, at most 200.
    limit: Option<u16>,
}

/// How promises stand.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Promises {
    /// Jobs whose promise is broken already or has less than half of its time left, most urgent first.
    at_risk: Vec<PromiseResource>,
    /// Since when `record` counts.
    since: DateTime<Utc>,
    /// How promises went, by kind.
    record: Vec<RecordResource>,
}

/// A job that was promised to be done by a time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Promise)]
pub(crate) struct PromiseResource {
    /// The job.
    #[schema(value_type = String)]
    job: JobId,
    /// Its kind.
    kind: String,
    /// Where it is.
    queue: String,
    /// When it could begin.
    scheduled_at: DateTime<Utc>,
    /// Promised to be done by then.
    due_at: DateTime<Utc>,
    /// Seconds left; below zero when the promise is broken.
    left_s: f64,
}

/// How the promises of a kind went.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PromiseRecord)]
pub(crate) struct RecordResource {
    /// The kind.
    kind: String,
    /// Jobs done in time.
    kept: i64,
    /// Jobs done too late, or given up.
    broken: i64,
}

/// Look at promises.
///
/// A job's promise is its `promise_s`, or its kind's: to be done within so many seconds after it may begin.
#[utoipa::path(
    get, path = "/v1/promises", tag = "Queues", operation_id = "list_promises", params(PromiseParams),
    responses(
        (status = 200, description = "Promises at risk, and how promises went", body = Promises),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_promises(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<PromiseParams>,
) -> Result<Json<Promises>, Problem> {
    let now = Utc::now();
    let since = params.since.unwrap_or(now - TimeDelta::days(1));
    if since < now - TimeDelta::days(PROMISE_DAYS_MAX) {
        let detail = format!("since: at most {PROMISE_DAYS_MAX} days ago");
        return Err(Problem::new(Code::InvalidParameter, detail));
    }
    let limit = params.limit.unwrap_or(PAGE_DEFAULT);
    if limit == 0 || limit > PAGE_MAX {
        return Err(Problem::new(Code::InvalidParameter, format!("limit: 1 to {PAGE_MAX}")));
    }
    let at_risk = promises::at_risk(&app.db, caller.tenant, i64::from(limit)).await?;
    let record = promises::record(&app.db, caller.tenant, since).await?;
    Ok(Json(Promises {
        at_risk: at_risk
            .into_iter()
            .map(|promised| PromiseResource {
                job: promised.id(),
                left_s: (promised.due_at - now).as_seconds_f64(),
                kind: promised.kind,
                queue: promised.queue,
                scheduled_at: promised.scheduled_at,
                due_at: promised.due_at,
            })
            .collect(),
        since,
        record: record
            .into_iter()
            .map(|record| RecordResource { kind: record.kind, kept: record.kept, broken: record.broken })
            .collect(),
    }))
}
