//! Dead letters: jobs that were given up and have not begun again, and who looks after them.

use ::jobs::JobId;
use axum::{Json as Answer, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::dead_letters::{self, Care, DEAD_COUNTED_MAX, DeadLetters};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::{Operator, Reader},
    extract::{Id, Json},
    limits::{CARE_OWNER_CHARS_MAX, CARE_RUNBOOK_BYTES_MAX, LOOK_AFTER_S_MAX, LOOK_AFTER_S_MIN},
    problem::{FieldError, Problem, ProblemDocument},
};

/// Who looks after the dead letters of a kind. Something has to be said.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KindCare)]
pub(crate) struct CareBody {
    /// Whom to ask: a team, a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "media team", max_length = 200)]
    owner: Option<String>,
    /// Where it says what to do: an http or https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://wiki.example.com/films", max_length = 500)]
    runbook: Option<String>,
    /// Within so many seconds each of them is looked after; what lies there for longer is told at home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 2_592_000, example = 86_400)]
    look_after_s: Option<i32>,
}

impl CareBody {
    /// What is stored, for a kind, or every field that keeps it from being stored.
    fn check(self, kind: &str) -> Result<Care, Problem> {
        let mut errors = Vec::new();
        let mut refuse = |pointer: &str, wrong: bool, detail: String| {
            if wrong {
                errors.push(FieldError::new(pointer, detail));
            }
        };
        refuse("", ::jobs::spec(kind).is_none(), "no such kind; see GET /v1/kinds".to_owned());
        let nothing = self.owner.is_none() && self.runbook.is_none() && self.look_after_s.is_none();
        refuse("", nothing, "give owner, runbook, look_after_s, or several of them".to_owned());
        let is_name = |text: &String| {
            (1..=CARE_OWNER_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        let detail = format!("1 to {CARE_OWNER_CHARS_MAX} characters, none of them a control character");
        refuse("/owner", !self.owner.as_ref().is_none_or(is_name), detail);
        let is_link = |text: &String| {
            text.len() <= CARE_RUNBOOK_BYTES_MAX
                && ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme))
                && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let detail =
            format!("an http or https URL of up to {CARE_RUNBOOK_BYTES_MAX} visible ASCII characters");
        refuse("/runbook", !self.runbook.as_ref().is_none_or(is_link), detail);
        let seconds = LOOK_AFTER_S_MIN..=LOOK_AFTER_S_MAX;
        let detail = format!("{LOOK_AFTER_S_MIN} to {LOOK_AFTER_S_MAX}");
        refuse("/look_after_s", !self.look_after_s.is_none_or(|s| seconds.contains(&s)), detail);
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        Ok(Care { owner: self.owner, runbook: self.runbook, look_after_s: self.look_after_s })
    }
}

/// The dead letters of a kind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetters)]
pub(crate) struct DeadLettersResource {
    /// Of which kind.
    #[schema(example = "media.rendition")]
    kind: String,
    /// How many; at least so many when `exact` is false.
    jobs: i64,
    /// Whether they were counted to the end.
    exact: bool,
    /// When the first of them was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_at: Option<DateTime<Utc>>,
    /// The job that has lain there longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    oldest_job: Option<JobId>,
    /// Until when that one is to be looked after.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<DateTime<Utc>>,
    /// Whether it has lain there for longer.
    late: bool,
    #[serde(flatten)]
    care: CareBody,
    /// Who said so last: an API key, or somebody by their address.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<DateTime<Utc>>,
}

impl DeadLettersResource {
    fn of(letters: DeadLetters) -> Self {
        let due_at = letters.due_at();
        let (updated_by, updated_at) =
            letters.said().map(|(by, at)| (Some(by.to_owned()), Some(at))).unwrap_or_default();
        Self {
            jobs: letters.jobs.min(DEAD_COUNTED_MAX),
            exact: letters.jobs <= DEAD_COUNTED_MAX,
            oldest_at: letters.oldest_at,
            oldest_job: letters.oldest_job(),
            due_at,
            late: due_at.is_some_and(|due_at| due_at < Utc::now()),
            kind: letters.kind,
            care: CareBody {
                owner: letters.care.owner,
                runbook: letters.care.runbook,
                look_after_s: letters.care.look_after_s,
            },
            updated_by,
            updated_at,
        }
    }
}

/// Every kind that has dead letters, or of which it is said who looks after them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AllDeadLetters {
    /// By kind.
    kinds: Vec<DeadLettersResource>,
}

/// List the dead letters by kind.
///
/// Jobs that were given up and have not begun again, counted up to 10,000 of each kind.
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "Jobs", operation_id = "list_dead_letters",
    responses(
        (status = 200, description = "Every kind that has some, or of which it is said who looks after them", body = AllDeadLetters),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_dead_letters(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Answer<AllDeadLetters>, Problem> {
    let kinds = dead_letters::list(&app.db, caller.tenant).await?;
    Ok(Answer(AllDeadLetters { kinds: kinds.into_iter().map(DeadLettersResource::of).collect() }))
}

/// Say who looks after the dead letters of a kind.
///
/// In place of what was said before.
#[utoipa::path(
    put, path = "/v1/dead-letters/{kind}/care", tag = "Jobs", operation_id = "set_kind_care", request_body = CareBody,
    params(("kind" = String, Path, description = "Which kind", example = "probe.work")),
    responses(
        (status = 200, description = "The dead letters of the kind, and what is said of them", body = DeadLettersResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn set_kind_care(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(kind): Id<String>,
    Json(body): Json<CareBody>,
) -> Result<Answer<DeadLettersResource>, Problem> {
    let care = body.check(&kind)?;
    dead_letters::set_care(&app.db, caller.tenant, &kind, &care, &caller.key.to_string()).await?;
    tracing::info!(job.kind = kind, "Who looks after the dead letters of a kind was set");
    let kinds = dead_letters::list(&app.db, caller.tenant).await?;
    let found = kinds.into_iter().find(|of| of.kind == kind);
    found.map(|of| Answer(DeadLettersResource::of(of))).ok_or_else(nothing_said)
}

/// Take back who looks after the dead letters of a kind.
#[utoipa::path(
    delete, path = "/v1/dead-letters/{kind}/care", tag = "Jobs", operation_id = "remove_kind_care",
    params(("kind" = String, Path, description = "Which kind")),
    responses(
        (status = 204, description = "Nothing is said of them any more"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn remove_kind_care(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(kind): Id<String>,
) -> Result<StatusCode, Problem> {
    if !dead_letters::remove_care(&app.db, caller.tenant, &kind).await? {
        return Err(nothing_said());
    }
    Ok(StatusCode::NO_CONTENT)
}

fn nothing_said() -> Problem {
    Problem::not_found("word on who looks after that kind")
}
