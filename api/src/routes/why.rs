//! `GET /v1/jobs/{id}/why`.

use ::jobs::JobId;
use axum::{Json, extract::State};
use store::{reads, why};

use crate::{
    AppState,
    auth::Reader,
    extract::Id,
    problem::{Problem, ProblemDocument},
    waiting::{self, WhyResource},
};

/// Ask why a job is not running.
///
/// In plain words with numbers: what holds it back, who waits before it, and when it is likely to begin.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/why", tag = "Jobs", operation_id = "why_job",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, description = "The reasons, the weightiest first", body = WhyResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn why_job(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<JobId>,
) -> Result<Json<WhyResource>, Problem> {
    let facts = why::facts(&app.db, caller.tenant, id).await?;
    let record = reads::get(&app.db, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("job"))?;
    Ok(Json(waiting::explain(&record, facts.as_ref(), chrono::Utc::now())?))
}
