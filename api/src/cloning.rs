//! A job once more, with other arguments. The dashboard and the API make clones in the same way.

use axum::{http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use jobs::{JobId, Priority, Queue, TenantId};
use serde_json::{Value, json};
use store::reads::{self, JobRecord};

use crate::{
    AppState,
    auth::Caller,
    extract::typed,
    problem::Problem,
    routes::submit::{self, Asked},
    submission::NewJobBody,
};

/// The member of a clone's metadata that names what it was cloned from.
pub(crate) const CLONE_OF: &str = "clone_of";

/// What a clone has instead of what the job had.
pub(crate) struct Other {
    /// All of its arguments.
    pub(crate) args: Value,
    pub(crate) queue: Option<Queue>,
    pub(crate) priority: Option<Priority>,
    pub(crate) scheduled_at: Option<DateTime<Utc>>,
}

/// The job that is to be cloned.
pub(crate) async fn original(app: &AppState, tenant: TenantId, id: JobId) -> Result<JobRecord, Problem> {
    reads::get(&app.db, tenant, id).await?.ok_or_else(|| Problem::not_found("job"))
}

/// Submits a clone of `record`, as a request to `route`.
pub(crate) async fn submit(
    app: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    route: &'static str,
    record: &JobRecord,
    other: Other,
) -> Result<Response, Problem> {
    let mut metadata =
        record.metadata.as_ref().and_then(|kept| kept.0.as_object().cloned()).unwrap_or_default();
    metadata.insert(CLONE_OF.to_owned(), record.id().to_string().into());
    let mut args = other.args;
    // Whoever may not see what is private leaves it as it stands, unless they put something else there.
    if let (Some(spec), Some(before)) = (jobs::spec(&record.kind), record.args.0.inline()) {
        jobs::private::uncover(&spec.args_schema, &mut args, before);
    }
    let body: NewJobBody = typed(&json!({
        "kind": record.kind, "version": record.kind_version, "args": args, "queue": record.queue,
        "priority": record.priority, "max_attempts": record.max_attempts,
        "tags": record.tags.as_deref().unwrap_or_default(), "metadata": metadata,
    }))?;
    let body = NewJobBody {
        queue: other.queue.or(body.queue),
        priority: other.priority.or(body.priority),
        scheduled_at: other.scheduled_at,
        ..body
    };
    Box::pin(submit::take(app, caller, headers, Asked { route, is_own: false }, body)).await
}
