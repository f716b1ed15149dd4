//! What a tenant may still have: what is left of every limit that holds for it, and of its requests.

use std::time::Instant;

use axum::{Json as Answer, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::quotas::{self, Quota};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Reader,
    problem::{Problem, ProblemDocument},
};

/// A limit that holds, or what it allows one of the keys that it covers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quota)]
pub(crate) struct QuotaResource {
    /// What the limit is called.
    #[schema(example = "stripe")]
    limit: String,
    /// It counts jobs of every tenant together; only who runs the installation sets it.
    whole_installation: bool,
    /// Only jobs of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    /// Only jobs of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Only jobs with such a `concurrency_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    /// The key in use that this is about, of up to a hundred.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Jobs that may run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<i32>,
    /// Jobs that run under it.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<i32>,
    /// Jobs that may run beside them.
    #[serde(skip_serializing_if = "Option::is_none")]
    places_left: Option<i32>,
    /// Jobs that may begin in a period.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_count: Option<i32>,
    /// The period, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_period_s: Option<f32>,
    /// Jobs that may begin now.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_left: Option<i64>,
    /// When one more may begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<DateTime<Utc>>,
    /// Whether nothing more may begin under it.
    used_up: bool,
}

impl QuotaResource {
    fn of(quota: Quota) -> Self {
        let (places_left, starts_left) = (quota.places_left(), quota.tokens_left());
        Self {
            used_up: quota.is_used_up(),
            limit: quota.name,
            whole_installation: quota.whole_installation,
            queue: quota.queue,
            kind: quota.kind,
            pattern: quota.pattern,
            key: quota.key.filter(|key| !key.is_empty()),
            concurrency: quota.concurrency,
            running: quota.running,
            places_left,
            rate_count: quota.rate_count,
            rate_period_s: quota.rate_period_s,
            starts_left,
            next_at: quota.next_at,
        }
    }
}

/// Requests that a tenant may make of one process of the API.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RequestsLeft {
    /// At most, when none was made for a while.
    most: u64,
    /// Now.
    left: u64,
    /// Until there are as many as at most, in seconds.
    full_in_s: u64,
}

/// What is left.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Quotas {
    /// The limits of the tenant by name, then those of every tenant together.
    quotas: Vec<QuotaResource>,
    /// Requests to the process that answers.
    requests: RequestsLeft,
}

/// See what is left of every limit that holds.
///
/// Of the tenant's own limits, and of those that count every tenant's jobs together.
#[utoipa::path(
    get, path = "/v1/quotas", tag = "Queues", operation_id = "list_quotas",
    responses(
        (status = 200, description = "What is left", body = Quotas),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_quotas(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Answer<Quotas>, Problem> {
    let found = quotas::list(&app.db, caller.tenant).await?;
    let rate = app.rates.look(&caller.tenant, Instant::now());
    Ok(Answer(Quotas {
        quotas: found.into_iter().map(QuotaResource::of).collect(),
        requests: RequestsLeft { most: app.rates.requests_max(), left: rate.left, full_in_s: rate.full_in_s },
    }))
}
