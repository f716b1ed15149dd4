//! How long history is kept.

use std::collections::BTreeMap;

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use store::retention::{self, Rules};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::{Admin, Reader},
    extract::Json,
    limits::RETENTION_DAYS_MAX,
    problem::{FieldError, Problem, ProblemDocument},
};

/// For how many days ended jobs, their attempts and log lines are kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Retention)]
pub(crate) struct RetentionBody {
    /// Of every kind without a rule of its own; null leaves it to the installation.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3_650)]
    days: Option<u16>,
    /// Of one kind each.
    #[serde(default)]
    #[schema(example = json!({"probe.work": 3}))]
    kinds: BTreeMap<String, u16>,
}

impl RetentionBody {
    fn check(self) -> Result<Rules, Vec<FieldError>> {
        let fits = |days: u16| (1..=RETENTION_DAYS_MAX).contains(&days);
        let detail = || format!("1 to {RETENTION_DAYS_MAX} days");
        let mut errors = Vec::new();
        if !self.days.is_none_or(fits) {
            errors.push(FieldError::new("/days", detail()));
        }
        for (kind, days) in &self.kinds {
            // No kind has a name with a character that a JSON Pointer would have to escape.
            let pointer = format!("/kinds/{kind}");
            if jobs::spec(kind).is_none() {
                errors.push(FieldError::new(pointer, "no such kind; see GET /v1/kinds"));
            } else if !fits(*days) {
                errors.push(FieldError::new(pointer, detail()));
            }
        }
        if errors.is_empty() { Ok(Rules { days: self.days, kinds: self.kinds }) } else { Err(errors) }
    }

    fn of(rules: Rules) -> Self {
        Self { days: rules.days, kinds: rules.kinds }
    }
}

/// Set for how long history is kept.
///
/// In place of what was set before. What is older is deleted within an hour or two. Nothing is kept for longer than the
/// installation keeps it; live jobs are not history.
#[utoipa::path(
    put, path = "/v1/retention", tag = "Operation", operation_id = "set_retention", request_body = RetentionBody,
    responses(
        (status = 200, description = "The rules as they stand", body = RetentionBody),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"])),
)]
pub(crate) async fn set_retention(
    State(app): State<AppState>,
    Admin(caller): Admin,
    Json(body): Json<RetentionBody>,
) -> Result<Answer<RetentionBody>, Problem> {
    let rules = body.check().map_err(Problem::invalid)?;
    retention::set(&app.db, caller.tenant, &rules).await?;
    tracing::info!("The time for which history is kept was set");
    Ok(Answer(RetentionBody::of(rules)))
}

/// See for how long history is kept.
#[utoipa::path(
    get, path = "/v1/retention", tag = "Operation", operation_id = "get_retention",
    responses(
        (status = 200, description = "The rules as they stand", body = RetentionBody),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_retention(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Answer<RetentionBody>, Problem> {
    Ok(Answer(RetentionBody::of(retention::of_tenant(&app.db, caller.tenant).await?)))
}
