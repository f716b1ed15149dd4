//! What people say of groups of errors, and who looks after them.

use ::jobs::{TenantId, UserId};
use axum::{Json as Answer, extract::State};
use serde::Deserialize;
use serde_json::{Value, json};
use store::error_groups::{self, ErrorGroup, Said};
use utoipa::ToSchema;

use super::errors::{ErrorGroupResource, Lately, fingerprint};
use crate::{
    AppState,
    auth::{Caller, Operator},
    extract::{Id, Json},
    limits::ERROR_NOTE_CHARS_MAX,
    problem::{FieldError, Problem, ProblemDocument},
};

/// What is said of a group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ErrorJudgement)]
pub(crate) struct JudgementBody {
    /// `resolved`: it is mended, and comes back when it fails again. `ignored`: it may stay. `open`: it is to be looked at.
    #[schema(example = "resolved")]
    state: String,
    /// Why.
    #[serde(default)]
    #[schema(example = "the printer has new paper", max_length = 500)]
    note: Option<String>,
}

/// Who is asked to look after a group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ErrorAssignee)]
pub(crate) struct AssigneeBody {
    /// The address of somebody who steers this tenant's work; left out for the person whom the key was made for.
    #[serde(default)]
    #[schema(example = "ann@example.com")]
    email: Option<String>,
}

/// What a judgement says, or every field that keeps it from being said.
pub(crate) fn judgement<'a>(state: &str, note: &'a str) -> Result<(Said, Option<&'a str>), Problem> {
    let mut errors = Vec::new();
    let said = state.parse::<Said>();
    if said.is_err() {
        errors.push(FieldError::new("/state", "open, ignored or resolved"));
    }
    let note = Some(note.trim()).filter(|note| !note.is_empty());
    let fits = |note: &str| note.chars().count() <= ERROR_NOTE_CHARS_MAX && !note.contains('\0');
    if !note.is_none_or(fits) {
        errors.push(FieldError::new("/note", format!("up to {ERROR_NOTE_CHARS_MAX} characters")));
    }
    match said {
        Ok(said) if errors.is_empty() => Ok((said, note)),
        _ => Err(Problem::invalid(errors)),
    }
}

/// How a group stands, as it is written down.
pub(crate) fn told(group: &ErrorGroup) -> Value {
    json!({
        "kind": group.kind, "code": group.code, "state": group.said().map(Said::name).unwrap_or_default(),
        "note": group.note, "by": group.said_by, "assignee": group.assignee,
    })
}

/// Say what is to become of a group of errors.
///
/// In place of what was said before. It is written into the tenant's log.
#[utoipa::path(
    put, path = "/v1/errors/{fingerprint}/state", tag = "Jobs", operation_id = "judge_error_group", request_body = JudgementBody,
    params(("fingerprint" = String, Path, description = "What the group is called", example = "9f86d081884c7d65")),
    responses(
        (status = 200, description = "The group", body = ErrorGroupResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn judge_error_group(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(id): Id<String>,
    Json(body): Json<JudgementBody>,
) -> Result<Answer<ErrorGroupResource>, Problem> {
    let (said, note) = judgement(&body.state, body.note.as_deref().unwrap_or_default())?;
    let (group, by) = (found(&app, caller.tenant, &id).await?, caller.key.to_string());
    let change = json!({ "state": said.name(), "note": note, "by": by });
    let noted = noted(&caller, "error.judge", &group, &change);
    error_groups::say(&app.db, caller.tenant, &group, said, note, &by, Some(&noted)).await?;
    ErrorGroupResource::of(found(&app, caller.tenant, &id).await?).map(Answer)
}

/// Ask somebody to look after a group of errors.
///
/// It is written into the tenant's log.
#[utoipa::path(
    put, path = "/v1/errors/{fingerprint}/assignee", tag = "Jobs", operation_id = "assign_error_group", request_body = AssigneeBody,
    params(("fingerprint" = String, Path, description = "What the group is called")),
    responses(
        (status = 200, description = "The group", body = ErrorGroupResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn assign_error_group(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(id): Id<String>,
    Json(body): Json<AssigneeBody>,
) -> Result<Answer<ErrorGroupResource>, Problem> {
    let to = match &body.email {
        Some(email) => steering(&app, caller.tenant, &email.to_lowercase()).await?,
        None => caller.person,
    };
    let to = to.ok_or_else(|| {
        let detail = "somebody who steers this tenant's work; a key that was made for nobody has to say who";
        Problem::invalid(vec![FieldError::new("/email", detail)])
    })?;
    let who = body.email.unwrap_or_else(|| to.to_string());
    assign(&app, &caller, &id, Some(to), &json!({ "assignee": who })).await.map(Answer)
}

/// Let nobody look after a group of errors.
///
/// It is written into the tenant's log.
#[utoipa::path(
    delete, path = "/v1/errors/{fingerprint}/assignee", tag = "Jobs", operation_id = "unassign_error_group",
    params(("fingerprint" = String, Path, description = "What the group is called")),
    responses(
        (status = 200, description = "The group", body = ErrorGroupResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn unassign_error_group(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(id): Id<String>,
) -> Result<Answer<ErrorGroupResource>, Problem> {
    assign(&app, &caller, &id, None, &json!({ "assignee": null })).await.map(Answer)
}

async fn assign(
    app: &AppState,
    caller: &Caller,
    id: &str,
    to: Option<UserId>,
    change: &Value,
) -> Result<ErrorGroupResource, Problem> {
    let group = found(app, caller.tenant, id).await?;
    let noted = noted(caller, "error.assign", &group, change);
    error_groups::assign(&app.db, caller.tenant, &group, to, Some(&noted)).await?;
    ErrorGroupResource::of(found(app, caller.tenant, id).await?)
}

/// Who steers the work of `tenant` and has this address.
async fn steering(app: &AppState, tenant: TenantId, email: &str) -> Result<Option<UserId>, Problem> {
    let steering = error_groups::operators(&app.db, tenant).await?;
    Ok(steering.iter().find(|one| one.email == email).map(error_groups::Steering::id))
}

async fn found(app: &AppState, tenant: TenantId, id: &str) -> Result<ErrorGroup, Problem> {
    let found = Lately::of(app, tenant).await?.find(id);
    found.ok_or_else(|| Problem::not_found("group of errors"))
}

/// What is written down of a change to `group`.
fn noted(caller: &Caller, action: &str, group: &ErrorGroup, change: &Value) -> Value {
    let (before, mut after) = (told(group), told(group));
    for (name, value) in change.as_object().into_iter().flatten() {
        after[name] = value.clone();
    }
    json!({
        "by": caller.key.to_string(), "action": action, "target": fingerprint(group), "before": before, "after": after,
        "outcome": "done",
    })
}

#[cfg(test)]
mod tests {
    use store::error_groups::Said;

    use super::judgement;

    #[test]
    fn a_judgement_is_one_of_three_words_and_perhaps_a_note() {
        assert_eq!(judgement("resolved", " new paper ").unwrap(), (Said::Resolved, Some("new paper")));
        assert_eq!(judgement("open", " ").unwrap(), (Said::Open, None));
        assert!(judgement("open", &"ä".repeat(500)).is_ok());
        for (state, note) in [("regressed", ""), ("", ""), ("open", "a\0b"), ("open", &*"x".repeat(501))] {
            assert!(judgement(state, note).is_err(), "{state} {note}");
        }
    }
}
