//! Rules of a house for who is asked first, under names. A request keeps the version that it was made by.

use axum::{
    Json as Body,
    extract::{Path, State},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::matches::{self, Preset, PresetSet};
use utoipa::ToSchema;

use super::{
    booking_body::{Checks, TermsBody},
    membership_body::is_word,
    memberships::changed,
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::Json,
    limits::MATCH_PRESETS_MAX,
    problem::{Code, Problem, ProblemDocument},
};

/// Rules that are about to have a name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMatchPreset)]
pub(crate) struct PresetBody {
    /// The version that was seen; none for a new name.
    #[serde(default)]
    version: Option<i32>,
    /// The rules.
    terms: TermsBody,
}

/// Rules under a name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchPreset)]
pub(crate) struct PresetResource {
    /// What a request calls them.
    #[schema(example = "house")]
    name: String,
    /// Rises with each change, and is never used twice; a change names the one it saw.
    version: i32,
    /// The rules.
    terms: TermsBody,
    /// When they were changed last.
    updated_at: DateTime<Utc>,
}

impl PresetResource {
    fn of(row: Preset) -> Self {
        let terms = TermsBody::of(row.terms.0);
        Self { name: row.name, version: row.version, terms, updated_at: row.updated_at }
    }
}

/// Give rules a name, or change those that have it.
///
/// All of them. A change names the version it saw; another one is answered with 409 and how they are now. Requests that were made
/// before keep the rules that were theirs.
#[utoipa::path(
    put, path = "/v1/match-presets/{name}", tag = "Matching", operation_id = "set_match_preset", request_body = PresetBody,
    params(("name" = String, Path, description = "What they are called: a-z, 0-9, _ and -")),
    responses(
        (status = 200, description = "As they are now", body = PresetResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn set_match_preset(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Path(name): Path<String>,
    Json(body): Json<PresetBody>,
) -> Result<Body<PresetResource>, Problem> {
    if !is_word(&name) {
        return Err(Problem::new(Code::InvalidParameter, "a name takes a-z, 0-9, _ and -"));
    }
    let mut checks = Checks::default();
    let terms = TermsBody::check(Some(body.terms), &mut checks);
    checks.done()?;
    let (named, by) = ((name.as_str(), body.version), caller.key.to_string());
    match matches::set_preset(&app.db, caller.tenant, named, &terms, &by, MATCH_PRESETS_MAX).await? {
        PresetSet::Done(set) => Ok(Body(PresetResource::of(set))),
        PresetSet::Moved(current) => Err(changed(&PresetResource::of(current))),
        PresetSet::Missing => Err(no_preset()),
        PresetSet::TooMany => {
            let detail = format!("there are {MATCH_PRESETS_MAX} presets already; remove one first");
            Err(Problem::new(Code::TooMany, detail))
        }
    }
}

/// The rules that have names.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatchPresetList {
    /// By name.
    presets: Vec<PresetResource>,
}

/// List rules that have names.
#[utoipa::path(
    get, path = "/v1/match-presets", tag = "Matching", operation_id = "list_match_presets",
    responses(
        (status = 200, description = "All of them, by name", body = MatchPresetList),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_match_presets(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Body<MatchPresetList>, Problem> {
    let found = matches::presets(&app.db, caller.tenant, MATCH_PRESETS_MAX).await?;
    Ok(Body(MatchPresetList { presets: found.into_iter().map(PresetResource::of).collect() }))
}

/// Forget rules. Requests that were made by them keep them.
#[utoipa::path(
    delete, path = "/v1/match-presets/{name}", tag = "Matching", operation_id = "remove_match_preset",
    params(("name" = String, Path, description = "What they are called")),
    responses(
        (status = 204, description = "They have no name any more"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_match_preset(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let removed = is_word(&name) && matches::remove_preset(&app.db, caller.tenant, &name).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(no_preset()) }
}

fn no_preset() -> Problem {
    Problem::not_found("preset of rules")
}
