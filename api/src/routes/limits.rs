//! Limits of a tenant: how much may run at once, or begin in a time.

use ::jobs::Queue;
use axum::{
    Json as Answer,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::limits::{self, Algorithm, Limit, Rate, Standing, Usage};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::{Operator, Reader},
    extract::{Id, Json},
    limits::{LIMIT_BURST_MAX, LIMIT_CONCURRENCY_MAX, LIMIT_NAME_CHARS_MAX, LIMIT_PERIOD_S_MAX, LIMITS_MAX},
    problem::{Code, FieldError, Problem, ProblemDocument},
};

/// What a limit allows, and to which jobs. What is left out is not asked about.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Limit)]
pub(crate) struct LimitBody {
    /// Only jobs of this queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    queue: Option<Queue>,
    /// Only jobs of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Only jobs with this `concurrency_key`. With `*` at its end: jobs whose key begins so, and every key has the limit
    /// to itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "stripe/*", max_length = 180)]
    key: Option<String>,
    /// Jobs that may run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100_000, example = 4)]
    concurrency: Option<u32>,
    /// Jobs that may begin in a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<RateBody>,
}

/// How many jobs may begin in a time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Rate)]
pub(crate) struct RateBody {
    /// Jobs per period.
    #[schema(minimum = 1, maximum = 1_000_000)]
    count: u32,
    /// The period, in seconds.
    #[schema(minimum = 0.1, maximum = 2_678_400)]
    period_s: f32,
    /// `bucket`: a token bucket, refilled steadily. `window`: so many in each period of the clock, counted in UTC.
    #[serde(default)]
    algorithm: AlgorithmBody,
    /// What a bucket holds at most: `count`, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    burst: Option<u32>,
}

/// How the time of a rate is told.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RateAlgorithm)]
pub(crate) enum AlgorithmBody {
    /// Refilled steadily.
    #[default]
    Bucket,
    /// In each period of the clock.
    Window,
}

/// A limit as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StandingLimit)]
pub(crate) struct LimitResource {
    /// Its name.
    name: String,
    #[serde(flatten)]
    limit: LimitBody,
    /// The API key that set it last.
    updated_by: String,
    /// When it was first set.
    created_at: DateTime<Utc>,
    /// When it was last set.
    updated_at: DateTime<Utc>,
    /// How much of it is in use; for a limit by key, of up to a hundred keys in use.
    in_use: Vec<UsageResource>,
}

/// How much of a limit is in use.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LimitUsage)]
pub(crate) struct UsageResource {
    /// The key this is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    key: String,
    /// Jobs that run under it.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<i32>,
    /// Jobs that may begin now.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<i64>,
    /// When one more may begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<DateTime<Utc>>,
}

/// Every limit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Limits {
    /// By name.
    limits: Vec<LimitResource>,
}

impl LimitBody {
    fn check(self, name: &str) -> Result<Limit, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut refuse = |pointer: &str, wrong: bool, detail: String| {
            if wrong {
                errors.push(FieldError::new(pointer, detail));
            }
        };
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        let plain = (1..=LIMIT_NAME_CHARS_MAX).contains(&name.len())
            && name.bytes().all(named)
            && name.as_bytes()[0].is_ascii_alphanumeric();
        let detail = format!("a limit's name is 1 to {LIMIT_NAME_CHARS_MAX} of a-z, 0-9, _, . and -");
        refuse("", !plain, detail);
        let unknown = self.kind.as_deref().is_some_and(|kind| ::jobs::spec(kind).is_none());
        refuse("/kind", unknown, "no such kind; see GET /v1/kinds".to_owned());
        let key_max = ::jobs::limits::CONCURRENCY_KEY_BYTES_MAX;
        let key_fits = |key: &String| {
            (1..=key_max).contains(&key.len())
                && !key.trim_end_matches('*').contains('*')
                && !key.ends_with("**")
                && !key.chars().any(char::is_control)
        };
        let detail = format!("1 to {key_max} bytes; `*` only once, at the end");
        refuse("/key", !self.key.as_ref().is_none_or(key_fits), detail);
        let nothing = self.concurrency.is_none() && self.rate.is_none();
        refuse("", nothing, "give concurrency, rate, or both".to_owned());
        let most = LIMIT_CONCURRENCY_MAX;
        let off = |value: u32, most: u32| value == 0 || value > most;
        refuse(
            "/concurrency",
            self.concurrency.is_some_and(|value| off(value, most)),
            format!("1 to {most}"),
        );
        let rate = self.rate.as_ref();
        let burst_max = LIMIT_BURST_MAX;
        refuse(
            "/rate/count",
            rate.is_some_and(|rate| off(rate.count, burst_max)),
            format!("1 to {burst_max}"),
        );
        let burst_off = rate.and_then(|rate| rate.burst).is_some_and(|burst| off(burst, burst_max));
        refuse("/rate/burst", burst_off, format!("1 to {burst_max}"));
        let period_off = rate.is_some_and(|rate| !(0.1..=LIMIT_PERIOD_S_MAX as f32).contains(&rate.period_s));
        refuse("/rate/period_s", period_off, format!("0.1 to {LIMIT_PERIOD_S_MAX}"));
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Limit {
            name: name.to_owned(),
            queue: self.queue.map(|queue| queue.name().to_owned()),
            kind: self.kind,
            key: self.key,
            concurrency: self.concurrency,
            rate: self.rate.map(|rate| Rate {
                algorithm: match rate.algorithm {
                    AlgorithmBody::Bucket => Algorithm::Bucket,
                    AlgorithmBody::Window => Algorithm::Window,
                },
                count: rate.count,
                period_s: rate.period_s,
                burst: rate.burst.unwrap_or(rate.count),
            }),
        })
    }

    fn of(limit: Limit) -> Self {
        Self {
            queue: limit.queue.and_then(|queue| queue.parse().ok()),
            kind: limit.kind,
            key: limit.key,
            concurrency: limit.concurrency,
            rate: limit.rate.map(|rate| RateBody {
                count: rate.count,
                period_s: rate.period_s,
                algorithm: match rate.algorithm {
                    Algorithm::Bucket => AlgorithmBody::Bucket,
                    Algorithm::Window => AlgorithmBody::Window,
                },
                burst: (rate.algorithm == Algorithm::Bucket).then_some(rate.burst),
            }),
        }
    }
}

impl LimitResource {
    fn of(standing: Standing, usage: &[Usage]) -> Self {
        let mine = usage.iter().filter(|usage| usage.limit() == standing.id);
        Self {
            in_use: mine
                .map(|usage| UsageResource {
                    key: usage.key.clone(),
                    running: usage.running,
                    left: usage.tokens.map(|tokens| tokens.floor().max(0.0) as i64),
                    next_at: usage.next_at,
                })
                .collect(),
            name: standing.limit.name.clone(),
            limit: LimitBody::of(standing.limit),
            updated_by: standing.updated_by,
            created_at: standing.created_at,
            updated_at: standing.updated_at,
        }
    }
}

/// Set a limit.
///
/// In place of the one with this name, if there is one. It holds from the next claim on; what runs goes on.
#[utoipa::path(
    put, path = "/v1/limits/{name}", tag = "Queues", operation_id = "set_limit", request_body = LimitBody,
    params(("name" = String, Path, description = "Its name: a-z, 0-9, _, . and -", example = "stripe")),
    responses(
        (status = 200, description = "The limit as it stands", body = LimitResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn set_limit(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(name): Id<String>,
    Json(body): Json<LimitBody>,
) -> Result<Answer<LimitResource>, Problem> {
    let limit = body.check(&name).map_err(Problem::invalid)?;
    if !limits::set(&app.db, caller.tenant, &limit, &caller.key.to_string(), LIMITS_MAX).await? {
        return Err(Problem::new(
            Code::TooMany,
            format!("a tenant has at most {LIMITS_MAX} limits; remove one"),
        ));
    }
    tracing::info!(limit = name, "A limit was set");
    one(&app, caller.tenant, &name).await.map(Answer)
}

/// List the limits.
#[utoipa::path(
    get, path = "/v1/limits", tag = "Queues", operation_id = "list_limits",
    responses(
        (status = 200, description = "Every limit and how much of it is in use", body = Limits),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_limits(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Answer<Limits>, Problem> {
    let (standing, usage) = limits::list(&app.db, caller.tenant).await?;
    let limits = standing.into_iter().map(|standing| LimitResource::of(standing, &usage)).collect();
    Ok(Answer(Limits { limits }))
}

/// Look at a limit.
#[utoipa::path(
    get, path = "/v1/limits/{name}", tag = "Queues", operation_id = "get_limit",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The limit and how much of it is in use", body = LimitResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_limit(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(name): Id<String>,
) -> Result<Answer<LimitResource>, Problem> {
    one(&app, caller.tenant, &name).await.map(Answer)
}

/// Remove a limit.
#[utoipa::path(
    delete, path = "/v1/limits/{name}", tag = "Queues", operation_id = "remove_limit",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It holds no more"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn remove_limit(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(name): Id<String>,
) -> Result<Response, Problem> {
    if !limits::remove(&app.db, caller.tenant, &name).await? {
        return Err(Problem::not_found("limit"));
    }
    tracing::info!(limit = name, "A limit was removed");
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn one(app: &AppState, tenant: ::jobs::TenantId, name: &str) -> Result<LimitResource, Problem> {
    let (standing, usage) = limits::list(&app.db, tenant).await?;
    let found = standing.into_iter().find(|standing| standing.limit.name == name);
    found.map(|standing| LimitResource::of(standing, &usage)).ok_or_else(|| Problem::not_found("limit"))
}
