//! Whether throwing away many jobs takes two people.

use axum::{Json as Answer, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{
    audit,
    bulk::{self, FourEyes},
};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::{Admin, Caller, Reader},
    extract::Json,
    limits::BULK_EXPECTED_MAX,
    problem::{FieldError, Problem, ProblemDocument},
};

/// From how many jobs on a second person is needed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewFourEyes)]
pub(crate) struct FourEyesBody {
    /// Bulk operations that cancel or discard more jobs than this wait until somebody else has confirmed them.
    #[schema(minimum = 0, maximum = 1_000_000_000, example = 1_000)]
    more_than: i64,
}

/// From how many jobs on a second person is needed, and who said so.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FourEyes)]
pub(crate) struct FourEyesResource {
    /// As it was set.
    more_than: i64,
    /// The API key that set it.
    updated_by: String,
    /// When.
    updated_at: DateTime<Utc>,
}

impl FourEyesResource {
    fn of(wanted: FourEyes) -> Self {
        let FourEyes { more_than, updated_by, updated_at } = wanted;
        Self { more_than, updated_by, updated_at }
    }
}

/// See from how many jobs on a second person is needed.
#[utoipa::path(
    get, path = "/v1/four-eyes", tag = "Bulk operations", operation_id = "get_four_eyes",
    responses(
        (status = 200, description = "What is set", body = FourEyesResource),
        (status = "default", description = "A problem; 404 when one person is enough", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_four_eyes(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Answer<FourEyesResource>, Problem> {
    let wanted = bulk::wanted(&app.db, caller.tenant).await?;
    wanted.map(|wanted| Answer(FourEyesResource::of(wanted))).ok_or_else(not_set)
}

/// Set from how many jobs on a second person is needed.
///
/// For bulk operations that cancel or discard. It is written into the tenant's log.
#[utoipa::path(
    put, path = "/v1/four-eyes", tag = "Bulk operations", operation_id = "set_four_eyes", request_body = FourEyesBody,
    responses(
        (status = 200, description = "What is set", body = FourEyesResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"])),
)]
pub(crate) async fn set_four_eyes(
    State(app): State<AppState>,
    Admin(caller): Admin,
    Json(body): Json<FourEyesBody>,
) -> Result<Answer<FourEyesResource>, Problem> {
    if !(0..=BULK_EXPECTED_MAX).contains(&body.more_than) {
        let detail = format!("0 to {BULK_EXPECTED_MAX}");
        return Err(Problem::invalid(vec![FieldError::new("/more_than", detail)]));
    }
    let before = bulk::wanted(&app.db, caller.tenant).await?;
    bulk::want(&app.db, caller.tenant, body.more_than, &caller.key.to_string()).await?;
    write_down(&app, &caller, before, json!({ "more_than": body.more_than })).await?;
    let wanted = bulk::wanted(&app.db, caller.tenant).await?;
    wanted.map(|wanted| Answer(FourEyesResource::of(wanted))).ok_or_else(not_set)
}

/// Let one person be enough.
///
/// Operations that wait already go on waiting. It is written into the tenant's log.
#[utoipa::path(
    delete, path = "/v1/four-eyes", tag = "Bulk operations", operation_id = "remove_four_eyes",
    responses(
        (status = 204, description = "One person is enough"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"])),
)]
pub(crate) async fn remove_four_eyes(
    State(app): State<AppState>,
    Admin(caller): Admin,
) -> Result<StatusCode, Problem> {
    let before = bulk::wanted(&app.db, caller.tenant).await?;
    if !bulk::want_no_more(&app.db, caller.tenant).await? {
        return Err(not_set());
    }
    write_down(&app, &caller, before, Value::Null).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Two people have to be able to trust that nobody changed this unseen.
async fn write_down(
    app: &AppState,
    caller: &Caller,
    before: Option<FourEyes>,
    after: Value,
) -> Result<(), Problem> {
    let before = before.map(|before| json!({ "more_than": before.more_than, "by": before.updated_by }));
    let said = json!({
        "by": caller.key.to_string(), "action": "four_eyes.set", "before": before, "after": after, "outcome": "done",
    });
    audit::append(&app.db, Some(caller.tenant), &said).await?;
    Ok(())
}

fn not_set() -> Problem {
    Problem::not_found("rule of four eyes; one person is enough")
}
