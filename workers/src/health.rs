//! What a supervisor asks: is the process there, can it work, and its metrics.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use queue::{Health, Ring};
use serde_json::json;
use store::{StoreError, housekeeping, sealing};
use telemetry::metrics::{self as names, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use crate::{claims::Claims, deps::Deps};

/// A loop that has not been seen turning for so long is dead.
const SILENT_MAX: Duration = Duration::from_secs(15);
/// How long one dependency may take to answer.
const CHECK_MAX: Duration = Duration::from_secs(1);

/// What is asked about.
pub struct Asked {
    /// The outside.
    pub deps: Arc<Deps>,
    /// Redis.
    pub ring: Ring,
    /// The pulse of each queue's loop.
    pub loops: Vec<(jobs::Queue, Health)>,
    /// The slots of each queue.
    pub claims: Vec<Arc<Claims>>,
    /// Given when the process drains.
    pub drain: CancellationToken,
    /// Metrics.
    pub prometheus: PrometheusHandle,
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn router(asked: Arc<Asked>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(asked)
}

async fn ready(State(asked): State<Arc<Asked>>) -> Response {
    let mut wrong = Vec::new();
    if asked.drain.is_cancelled() {
        wrong.push("the process is draining".to_owned());
    }
    if !within(asked.deps.db.check()).await {
        wrong.push("Postgres does not answer".to_owned());
    }
    if let Ok(Err(error @ StoreError::NoMasterKey { .. })) =
        tokio::time::timeout(CHECK_MAX, sealing::check(&asked.deps.db)).await
    {
        wrong.push(error.to_string());
    }
    if !within(asked.ring.check()).await {
        wrong.push("Redis does not answer; jobs are picked up from Postgres, more slowly".to_owned());
    }
    if !within(asked.deps.blobs.check()).await {
        wrong.push("S3 does not answer".to_owned());
    }
    for (queue, health) in &asked.loops {
        if health.silent_for() > SILENT_MAX {
            wrong.push(format!("the loop of queue {queue} is not turning"));
        }
    }
    if wrong.is_empty() {
        Json(json!({ "status": "ready" })).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not_ready", "wrong": wrong })))
            .into_response()
    }
}

async fn within<T, E>(check: impl Future<Output = Result<T, E>>) -> bool {
    matches!(tokio::time::timeout(CHECK_MAX, check).await, Ok(Ok(_)))
}

/// Depth and age are read from the ledger when they are asked for, not counted along: a count that is kept can be wrong.
async fn scrape(State(asked): State<Arc<Asked>>) -> Response {
    if let Ok(Ok(depths)) = tokio::time::timeout(CHECK_MAX, housekeeping::depths(&asked.deps.db)).await {
        for depth in depths {
            let queue = depth.queue.name();
            metrics::gauge!(names::JOBS, "state" => "available", "queue" => queue)
                .set(depth.available as f64);
            metrics::gauge!(names::JOBS, "state" => "running", "queue" => queue).set(depth.running as f64);
            metrics::gauge!(names::PROMISES_AT_RISK, "queue" => queue).set(depth.at_risk as f64);
            metrics::gauge!(names::QUEUE_OLDEST_SECONDS, "queue" => queue).set(depth.oldest_s);
        }
    }
    for claims in &asked.claims {
        let queue = claims.queue.name();
        let free = claims.slots.available_permits();
        let busy = claims.slots_max.saturating_sub(free);
        metrics::gauge!(names::WORKER_SLOTS, "queue" => queue, "state" => "free").set(free as f64);
        metrics::gauge!(names::WORKER_SLOTS, "queue" => queue, "state" => "busy").set(busy as f64);
        if let Ok(Ok(tickets)) = tokio::time::timeout(CHECK_MAX, asked.ring.waiting(claims.queue)).await {
            metrics::gauge!(names::TICKETS_WAITING, "queue" => queue).set(tickets as f64);
        }
    }
    asked.prometheus.render().into_response()
}
