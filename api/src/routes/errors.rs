//! Errors: failures that look alike, one group each.

use ::jobs::{JobId, State as JobState, TenantId};
use axum::{Json as Answer, extract::State};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::error_groups::{self, ErrorGroup, FAILURES_LOOKED_AT_MAX};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Reader,
    extract::Id,
    problem::{Problem, ProblemDocument},
};

/// How far back one looks.
pub(crate) const LOOK_BACK: TimeDelta = TimeDelta::days(7);
/// Bytes of a hash that tell groups apart.
const FINGERPRINT_BYTES: usize = 8;

/// What a group is called: the same of the same kind and code.
pub(crate) fn fingerprint(group: &ErrorGroup) -> String {
    let of = Sha256::new().chain_update(&group.kind).chain_update([0]).chain_update(&group.code);
    hex::encode(&of.finalize()[..FINGERPRINT_BYTES])
}

/// How a group stands, in one word.
pub(crate) fn standing(group: &ErrorGroup) -> Result<&'static str, Problem> {
    Ok(if group.is_back() { "regressed" } else { group.said()?.name() })
}

/// What failed lately, the latest first.
pub(crate) struct Lately {
    pub(crate) since: DateTime<Utc>,
    pub(crate) groups: Vec<ErrorGroup>,
}

impl Lately {
    pub(crate) async fn of(app: &AppState, tenant: TenantId) -> Result<Self, Problem> {
        let since = Utc::now() - LOOK_BACK;
        Ok(Self { since, groups: error_groups::list(&app.db, tenant, since).await? })
    }

    /// The group that is called so.
    pub(crate) fn find(self, called: &str) -> Option<ErrorGroup> {
        self.groups.into_iter().find(|group| fingerprint(group) == called)
    }

    /// Failures that were looked at to group them.
    pub(crate) fn looked_at(&self) -> i64 {
        self.groups.iter().map(|group| group.lately).sum()
    }

    /// Whether that was all there were.
    pub(crate) fn is_exact(&self) -> bool {
        self.looked_at() < i64::from(FAILURES_LOOKED_AT_MAX)
    }
}

/// Failures that look alike: of one kind, with one code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErrorGroup)]
pub(crate) struct ErrorGroupResource {
    /// What the group is called.
    #[schema(example = "9f86d081884c7d65")]
    fingerprint: String,
    /// Of which kind the jobs are.
    #[schema(example = "media.rendition")]
    kind: String,
    /// The code of their error.
    #[schema(example = "timeout")]
    code: String,
    /// What the latest of them said.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// How many attempts failed so, in all.
    failures: i64,
    /// How many jobs were given up with it, among the failures that were looked at.
    given_up: i64,
    /// When it first failed so.
    first_at: DateTime<Utc>,
    /// When it last did.
    last_at: DateTime<Utc>,
    /// The job that failed last, to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    last_job: Option<JobId>,
    /// `open`, `ignored`, `resolved`, or `regressed` when it failed again after it was.
    state: &'static str,
    /// Why people said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Who said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    said_by: Option<String>,
    /// Who looks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<String>,
    /// The version that had come last when it first failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    came_with: Option<String>,
    /// The `filter` of a bulk operation that retries what was given up with it.
    given_up_filter: GivenUp,
}

/// The jobs that were given up with an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GivenUp {
    /// Those that were given up.
    #[schema(example = json!(["discarded"]))]
    states: [&'static str; 1],
    /// Of this kind.
    kind: String,
    /// Whose latest error has this code.
    error_code: String,
}

impl ErrorGroupResource {
    pub(super) fn of(group: ErrorGroup) -> Result<Self, Problem> {
        let (fingerprint, state, last_job) = (fingerprint(&group), standing(&group)?, group.last_job());
        let states = [JobState::Discarded.name()];
        let given_up_filter = GivenUp { states, kind: group.kind.clone(), error_code: group.code.clone() };
        Ok(Self {
            fingerprint,
            kind: group.kind,
            code: group.code,
            message: group.message,
            failures: group.failures,
            given_up: group.given_up,
            first_at: group.first_at,
            last_at: group.last_at,
            last_job,
            state,
            note: group.note,
            said_by: group.said_by,
            assignee: group.assignee,
            came_with: group.came_with,
            given_up_filter,
        })
    }
}

/// What failed lately.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Failures {
    /// The latest first, up to 200.
    errors: Vec<ErrorGroupResource>,
    /// What failed before is left out.
    since: DateTime<Utc>,
    /// Failures that were looked at.
    looked_at: i64,
    /// Whether those were all since then; otherwise they are the latest.
    exact: bool,
}

/// List what failed in the last seven days.
///
/// One group for each kind and code; the same figures as on the dashboard. `given_up_filter` goes into a bulk operation as it is.
#[utoipa::path(
    get, path = "/v1/errors", tag = "Jobs", operation_id = "list_errors",
    responses(
        (status = 200, description = "The groups", body = Failures),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_errors(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Answer<Failures>, Problem> {
    let lately = Lately::of(&app, caller.tenant).await?;
    let (since, looked_at, exact) = (lately.since, lately.looked_at(), lately.is_exact());
    let errors = lately.groups.into_iter().map(ErrorGroupResource::of).collect::<Result<_, _>>()?;
    Ok(Answer(Failures { errors, since, looked_at, exact }))
}

/// Look at a group of errors.
///
/// One of those that failed in the last seven days.
#[utoipa::path(
    get, path = "/v1/errors/{fingerprint}", tag = "Jobs", operation_id = "get_error_group",
    params(("fingerprint" = String, Path, description = "What the group is called", example = "9f86d081884c7d65")),
    responses(
        (status = 200, description = "The group", body = ErrorGroupResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_error_group(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<String>,
) -> Result<Answer<ErrorGroupResource>, Problem> {
    let found = Lately::of(&app, caller.tenant).await?.find(&id);
    Ok(Answer(ErrorGroupResource::of(found.ok_or_else(|| Problem::not_found("group of errors"))?)?))
}
