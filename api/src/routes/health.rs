//! What machines ask: is it alive, is it ready, how is it doing.

use std::time::Instant;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use store::{StoreError, sealing};

use crate::{
    AppState,
    limits::{READY_CACHE, READY_TIMEOUT},
    problem::Problem,
};

/// Whether the process is alive.
#[utoipa::path(
    get, path = "/healthz", tag = "Operation", operation_id = "healthz",
    responses((status = 200, description = "The process answers", body = Object)),
)]
pub(crate) async fn healthz() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// Whether requests can be answered: which of Postgres and S3 does not answer within a second.
#[utoipa::path(
    get, path = "/readyz", tag = "Operation", operation_id = "readyz",
    responses(
        (status = 200, description = "Everything we need answers", body = Object),
        (status = 503, description = "`postgres`, `s3` or `keys` is not `ok`, or the process is stopping", body = Object),
    ),
)]
pub(crate) async fn readyz(State(app): State<AppState>) -> Response {
    let Ready { postgres, s3, keys, .. } = look(&app).await;
    let stopping = app.stopping.is_cancelled();
    let word = |is_ok: bool| if is_ok { "ok" } else { "unreachable" };
    let status =
        if postgres && s3 && keys && !stopping { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let keys = if keys { "ok" } else { "missing" };
    let body = json!({ "postgres": word(postgres), "s3": word(s3), "keys": keys, "stopping": stopping });
    (status, Json(body)).into_response()
}

/// What was found when we last looked.
#[derive(Clone, Copy)]
pub(crate) struct Ready {
    at: Instant,
    postgres: bool,
    s3: bool,
    /// Every tenant that is encrypted can be served.
    keys: bool,
}

/// What answers of the services we need.
#[derive(Clone, Copy)]
pub(crate) struct Services {
    /// Whether files can be read and written.
    pub(crate) s3: bool,
}

/// What answers at this moment, for people.
pub(crate) async fn services(app: &AppState) -> Services {
    Services { s3: look(app).await.s3 }
}

/// What is ready; whoever asks at the same time gets the same answer.
async fn look(app: &AppState) -> Ready {
    let mut known = app.ready.lock().await;
    if let Some(ready) = known.filter(|ready| ready.at.elapsed() < READY_CACHE) {
        return ready;
    }
    let (postgres, keys, s3) = tokio::join!(
        tokio::time::timeout(READY_TIMEOUT, app.db.check()),
        tokio::time::timeout(READY_TIMEOUT, sealing::check(&app.db)),
        tokio::time::timeout(READY_TIMEOUT, app.blobs.check()),
    );
    let ready = Ready {
        at: Instant::now(),
        postgres: matches!(postgres, Ok(Ok(()))),
        s3: matches!(s3, Ok(Ok(()))),
        keys: !matches!(keys, Ok(Err(StoreError::NoMasterKey { .. }))),
    };
    *known = Some(ready);
    ready
}

/// Metrics of this process, for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "Operation", operation_id = "metrics",
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain")),
)]
pub(crate) async fn metrics(State(app): State<AppState>) -> Result<Response, Problem> {
    let handle = app.metrics.as_ref().ok_or_else(|| Problem::not_found("path"))?;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], handle.render()).into_response())
}
