//! Under which versions of the program a group of errors was seen.

use axum::{Json as Answer, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::error_groups::{self, ErrorVersion};
use utoipa::ToSchema;

use super::errors::Lately;
use crate::{
    AppState,
    auth::Reader,
    extract::Id,
    limits::ERROR_VERSIONS_MAX,
    problem::{Problem, ProblemDocument},
};

/// A version of the program under which it failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErrorVersion)]
pub(crate) struct ErrorVersionResource {
    /// What workers of it say that they are of.
    #[schema(example = "0.4.0+3f2a9c1")]
    version: String,
    /// How many attempts failed so under it.
    failures: i64,
    /// The first of them.
    first_at: DateTime<Utc>,
    /// The latest.
    last_at: DateTime<Utc>,
}

impl ErrorVersionResource {
    fn of(version: ErrorVersion) -> Self {
        let ErrorVersion { version, failures, first_at, last_at } = version;
        Self { version, failures, first_at, last_at }
    }
}

/// Under which versions a group of errors was seen.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorVersions {
    /// The latest seen first, up to 50.
    versions: Vec<ErrorVersionResource>,
    /// Under which it was first seen, of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_version: Option<String>,
    /// Under which it was seen last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_version: Option<String>,
}

/// The version under which it was first seen, and the one under which it was seen last, of `versions`.
pub(crate) fn ends(versions: &[ErrorVersion]) -> Option<(&ErrorVersion, &ErrorVersion)> {
    let first = versions.iter().min_by_key(|one| one.first_at)?;
    Some((first, versions.iter().max_by_key(|one| one.last_at)?))
}

/// See under which versions a group of errors was seen.
///
/// Known by the workers that the jobs failed on. Empty where those were of a time at which this was not kept.
#[utoipa::path(
    get, path = "/v1/errors/{fingerprint}/versions", tag = "Jobs", operation_id = "list_error_versions",
    params(("fingerprint" = String, Path, description = "What the group is called", example = "9f86d081884c7d65")),
    responses(
        (status = 200, description = "The versions", body = ErrorVersions),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_error_versions(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<String>,
) -> Result<Answer<ErrorVersions>, Problem> {
    let found = Lately::of(&app, caller.tenant).await?.find(&id);
    let group = found.ok_or_else(|| Problem::not_found("group of errors"))?;
    let versions = error_groups::versions(&app.db, caller.tenant, &group, ERROR_VERSIONS_MAX).await?;
    let named = |one: &ErrorVersion| one.version.clone();
    let (first_version, last_version) =
        ends(&versions).map(|(first, last)| (named(first), named(last))).unzip();
    let versions = versions.into_iter().map(ErrorVersionResource::of).collect();
    Ok(Answer(ErrorVersions { versions, first_version, last_version }))
}
