//! A job once more, with other arguments. The dashboard and the API make clones in the same way.

use axum::{http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use jobs::{JobId, Priority, Queue, TenantId};
use payloads::Of;
use serde_json::{Value, json};
use store::{
    payload::Field,
    reads::{self, JobRecord},
};

use crate::{
    AppState,
    auth::Caller,
    extract::typed,
    large,
    problem::Problem,
    routes::submit::{self, Asked},
    submission::NewJobBody,
};

/// The member of a clone's metadata that names what it was cloned from.
pub(crate) const CLONE_OF: &str = "clone_of";

/// A job that is to be cloned.
pub(crate) struct Original {
    pub(crate) record: JobRecord,
    /// All of its arguments, wherever they are.
    pub(crate) args: Value,
}

/// What a clone has instead of what the job had.
pub(crate) struct Other {
    /// All of its arguments, made of those that were shown.
    pub(crate) args: Value,
    pub(crate) queue: Option<Queue>,
    pub(crate) priority: Option<Priority>,
    pub(crate) scheduled_at: Option<DateTime<Utc>>,
}

/// The job that is to be cloned.
pub(crate) async fn original(app: &AppState, tenant: TenantId, id: JobId) -> Result<Original, Problem> {
    let record = reads::get(&app.db, tenant, id).await?.ok_or_else(|| Problem::not_found("job"))?;
    let of = Of { tenant, job: id, field: Field::Args };
    let args = large::value(app, of, record.args.0.clone()).await?;
    Ok(Original { record, args })
}

/// Submits a clone of a job, as a request to `route`.
pub(crate) async fn submit(
    app: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    route: &'static str,
    Original { record, args }: &Original,
    other: Other,
) -> Result<Response, Problem> {
    let mut metadata =
        record.metadata.as_ref().and_then(|kept| kept.0.as_object().cloned()).unwrap_or_default();
    metadata.insert(CLONE_OF.to_owned(), record.id().to_string().into());
    let args = caller.sight().made(&record.kind, args, other.args)?;
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
