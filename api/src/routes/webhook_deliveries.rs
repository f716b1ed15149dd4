//! What endpoints were told, and telling them again.

use ::jobs::{WebhookDeliveryId, WebhookEndpointId, WebhookMessageId};
use axum::{
    Json as Body,
    extract::{Path, State},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::outbox::{self, Attempt, Delivery, Filter, Resent};
use utoipa::{IntoParams, ToSchema};
use webhooks::Event;

use super::{
    jobs::{page_size, read_cursor, write_cursor},
    webhook_endpoints::no_endpoint,
};
use crate::{
    AppState,
    auth::{Reader, Retrier},
    extract::{Id, Params},
    limits::{PAGE_DEFAULT, PAGE_MAX, WEBHOOK_ATTEMPTS_MAX},
    problem::{Code, Problem, ProblemDocument},
    seeing::Shown,
};

/// The states of a delivery.
pub(crate) const STATES: [&str; 3] = ["pending", "delivered", "failed"];

/// One message on its way to one endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(crate) struct DeliveryResource {
    /// Which it is.
    #[schema(value_type = String, example = "whd_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: WebhookDeliveryId,
    /// Of which message: what the endpoint sees as `webhook-id`.
    #[schema(value_type = String)]
    message: WebhookMessageId,
    /// What happened.
    event_type: String,
    /// To what.
    subject: String,
    /// `pending`, `delivered` or `failed`.
    state: String,
    /// How often it was tried.
    attempts: i32,
    /// When it happened.
    happened_at: DateTime<Utc>,
    /// When it got through.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<DateTime<Utc>>,
}

impl DeliveryResource {
    fn of(delivery: Delivery) -> Self {
        Self {
            id: delivery.id(),
            message: delivery.message(),
            event_type: delivery.event_type,
            subject: delivery.subject,
            state: delivery.state,
            attempts: delivery.attempts,
            happened_at: delivery.happened_at,
            delivered_at: delivery.delivered_at,
        }
    }
}

/// Which deliveries are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryParams {
    /// `pending`, `delivered` or `failed`.
    state: Option<String>,
    /// Of exactly this type.
    event_type: Option<String>,
    /// Of what did not happen before.
    since: Option<DateTime<Utc>>,
    /// Of what happened before.
    until: Option<DateTime<Utc>>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// A page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookDeliveryPage {
    /// The deliveries, without their attempts.
    deliveries: Vec<DeliveryResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List what an endpoint was told, newest first.
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{id}/deliveries", tag = "Webhooks", operation_id = "list_webhook_deliveries",
    params(("id" = String, Path, description = "The endpoint"), DeliveryParams),
    responses(
        (status = 200, description = "A page", body = WebhookDeliveryPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_webhook_deliveries(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<WebhookEndpointId>,
    Params(params): Params<DeliveryParams>,
) -> Result<Body<WebhookDeliveryPage>, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let before = params.cursor.as_deref().map(read_cursor::<WebhookDeliveryId>).transpose()?;
    if params.state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(Problem::new(Code::InvalidParameter, format!("state takes {}", STATES.join(", "))));
    }
    outbox::get(&app.db, caller.tenant, id).await?.ok_or_else(no_endpoint)?;
    let filter = Filter {
        state: params.state,
        event_type: params.event_type,
        since: params.since,
        until: params.until,
    };
    let most = i64::from(limit) + 1;
    let mut found = outbox::deliveries(&app.db, caller.tenant, Some(id), &filter, before, most).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.id()));
    Ok(Body(WebhookDeliveryPage { deliveries: found.into_iter().map(DeliveryResource::of).collect(), next }))
}

/// A delivery with its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookDeliveryDetail {
    #[serde(flatten)]
    delivery: DeliveryResource,
    /// The body of each request: the same bytes each time. Left out for keys without the scope `payloads:read`, as are answers.
    body: Option<String>,
    /// Latest first, at most 100.
    tried: Vec<WebhookAttempt>,
}

/// An attempt to tell an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookAttempt {
    /// From 1.
    number: i32,
    /// When.
    attempted_at: DateTime<Utc>,
    /// What was sent: its `url` and `headers`; none when nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    request: Option<Value>,
    /// What was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<i16>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// How long it took.
    took_ms: i32,
    /// The beginning of the answer, up to 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

impl WebhookAttempt {
    fn of(attempt: Attempt) -> Self {
        Self {
            number: attempt.number,
            attempted_at: attempt.attempted_at,
            request: attempt.request.map(|request| request.0),
            status: attempt.status,
            error: attempt.error,
            took_ms: attempt.took_ms,
            answer: attempt.answer,
        }
    }
}

/// See how telling went.
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{id}/deliveries/{delivery}", tag = "Webhooks", operation_id = "get_webhook_delivery",
    params(("id" = String, Path, description = "The endpoint"), ("delivery" = String, Path, description = "The delivery")),
    responses(
        (status = 200, description = "The delivery with its attempts", body = WebhookDeliveryDetail),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_webhook_delivery(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Path(path): Path<(String, String)>,
) -> Result<Shown<WebhookDeliveryDetail>, Problem> {
    let (endpoint, id) = ids(&path)?;
    let delivery = outbox::delivery(&app.db, caller.tenant, endpoint, id).await?.ok_or_else(no_delivery)?;
    let tried = outbox::attempts(&app.db, caller.tenant, id, WEBHOOK_ATTEMPTS_MAX).await?;
    let tried = tried.into_iter().map(WebhookAttempt::of).collect();
    let told = outbox::dispatch(&app.db, caller.tenant, id).await?.ok_or_else(no_delivery)?;
    let (message, tenant) = (told.message.to_string(), caller.tenant.to_string());
    let event = Event {
        id: &message,
        tenant: &tenant,
        event_type: &told.event_type,
        subject: &told.subject,
        time: told.happened_at,
        data: &told.data,
    };
    let detail = WebhookDeliveryDetail {
        delivery: DeliveryResource::of(delivery),
        body: Some(event.envelope()),
        tried,
    };
    Ok(Shown(caller.sight(), detail))
}

fn ids((endpoint, delivery): &(String, String)) -> Result<(WebhookEndpointId, WebhookDeliveryId), Problem> {
    endpoint.parse().ok().zip(delivery.parse().ok()).ok_or_else(no_delivery)
}

fn no_delivery() -> Problem {
    Problem::not_found("delivery")
}

/// Tell an endpoint once more.
///
/// Under the same `webhook-id`, so that it can tell that it has heard of this. One that is being tried already is tried when
/// its time comes; one that was told a moment ago is refused (409, `job_running`) until the job that told it has ended.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/deliveries/{delivery}/resend", tag = "Webhooks", operation_id = "resend_webhook_delivery",
    params(("id" = String, Path, description = "The endpoint"), ("delivery" = String, Path, description = "The delivery")),
    responses(
        (status = 202, description = "It is on its way"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"]), ("api_key" = ["queue:operate"])),
)]
pub(crate) async fn resend_webhook_delivery(
    State(app): State<AppState>,
    Retrier(caller): Retrier,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (endpoint, id) = ids(&path)?;
    match outbox::resend(&app.db, caller.tenant, endpoint, id).await? {
        Resent::Done => Ok(StatusCode::ACCEPTED),
        Resent::NoDelivery => Err(no_delivery()),
        Resent::StillHeld(job) => {
            let detail = format!("{job}, which told it before, has not ended; say it again when it has");
            Err(Problem::new(Code::JobRunning, detail).retry_after(1))
        }
    }
}
