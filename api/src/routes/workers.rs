//! The worker processes, for keys that run the installation.

use axum::{Json as Answer, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::fleet::{self, Worker};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Installer,
    extract::Id,
    problem::{Problem, ProblemDocument},
};

/// A worker process.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Worker)]
pub(crate) struct WorkerResource {
    /// Its name.
    #[schema(example = "wrk_5f0c1d")]
    name: String,
    /// The machine that it is on, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// What it was built from.
    version: String,
    /// What it listens to.
    queues: Vec<WorkerQueue>,
    /// Jobs that it runs.
    running: i64,
    /// What of the machine's memory it uses, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<i64>,
    /// Since when it is there.
    started_at: DateTime<Utc>,
    /// When it last said so.
    seen_at: DateTime<Utc>,
    /// Whether it was asked to end: it claims nothing more, ends what it has and goes.
    draining: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    drain_requested_at: Option<DateTime<Utc>>,
}

/// What a worker does of a queue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkerQueue {
    /// Which queue.
    queue: String,
    /// How many jobs of it at once.
    slots: i32,
}

/// Every worker that spoke within the hour.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workers {
    /// Whoever spoke last comes first; a thousand at most.
    workers: Vec<WorkerResource>,
}

impl WorkerResource {
    fn of(worker: Worker) -> Self {
        let queues = worker.queues.into_iter().zip(worker.slots);
        Self {
            name: worker.name,
            host: worker.host,
            version: worker.version,
            queues: queues.map(|(queue, slots)| WorkerQueue { queue, slots }).collect(),
            running: worker.running,
            memory_bytes: worker.memory_bytes,
            started_at: worker.started_at,
            seen_at: worker.seen_at,
            draining: worker.drain_requested_at.is_some(),
            drain_requested_at: worker.drain_requested_at,
        }
    }
}

/// List the workers.
///
/// Those that spoke within the hour. Who has been silent for half a minute is most likely dead.
#[utoipa::path(
    get, path = "/v1/workers", tag = "Operation", operation_id = "list_workers",
    responses(
        (status = 200, description = "Every worker", body = Workers),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn list_workers(
    State(app): State<AppState>,
    Installer(caller): Installer,
) -> Result<Answer<Workers>, Problem> {
    let workers = fleet::workers_for_key(&app.db, caller.key_id()?).await?;
    Ok(Answer(Workers { workers: workers.into_iter().map(WorkerResource::of).collect() }))
}

/// Ask a worker to end.
///
/// It claims nothing more, ends what it has, hands back what does not end in time, and goes. Doing it twice is no mistake. It is
/// written into the log of the installation.
#[utoipa::path(
    post, path = "/v1/workers/{name}/drain", tag = "Operation", operation_id = "drain_worker",
    params(("name" = String, Path, description = "The worker", example = "wrk_5f0c1d")),
    responses(
        (status = 200, description = "It was asked", body = WorkerResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn drain_worker(
    State(app): State<AppState>,
    Installer(caller): Installer,
    Id(name): Id<String>,
) -> Result<Answer<WorkerResource>, Problem> {
    let no_worker = || Problem::not_found("worker");
    if name.contains('\0') {
        return Err(no_worker());
    }
    let asked = fleet::drain_for_key(&app.db, caller.key_id()?, &name).await?.ok_or_else(no_worker)?;
    tracing::info!("The worker {name} was asked to end");
    Ok(Answer(WorkerResource::of(asked)))
}
