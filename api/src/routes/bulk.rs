//! Bulk operations: looking before, beginning, following and stopping them.

use ::jobs::BulkOperationId;
use axum::{
    Json as Answer,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{
    audit,
    bulk::{
        self, Begun, By, Confirmation, Expected, Operation, OperationState, Steered, UNDO_DAYS_MAX, Wanted,
    },
    submit,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    jobs::{link_next, page_size, read_cursor, write_cursor},
    submit::{mismatch, replayed, respond},
};
use crate::{
    AppState,
    auth::{Caller, Operator, Reader},
    bulk::{BulkBody, BulkResource, PreviewResource},
    extract::{Id, Json, Params},
    idempotency,
    limits::{BULK_RUNNING_MAX, PAGE_DEFAULT, PAGE_MAX},
    problem::{Code, Problem, ProblemDocument},
};

const ROUTE: &str = "POST /v1/bulk-operations";
const UNDO_ROUTE: &str = "POST /v1/bulk-operations/{id}/undo";

/// Do something to every job that fits a filter.
///
/// Workers do it batch by batch, and go on where they were if one of them dies. Only jobs that are there now, or have ended,
/// are met, each once. With `dry_run` nothing is done: the answer counts the jobs and shows some, and no
/// `Idempotency-Key` is needed.
#[utoipa::path(
    post, path = "/v1/bulk-operations", tag = "Bulk operations", operation_id = "begin_bulk_operation",
    request_body = BulkBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Fresh for every new request, the same for its retries; kept 24 h. Not needed for a dry run")),
    responses(
        (status = 202, description = "It is in the ledger; `Location` is where to follow it", body = BulkResource),
        (status = 200, description = "A dry run: what it would meet", body = PreviewResource),
        (status = "default", description = "A problem; 409 when other jobs fit than `expected_count` says", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn begin_bulk_operation(
    State(app): State<AppState>,
    Operator(caller): Operator,
    headers: HeaderMap,
    Json(body): Json<BulkBody>,
) -> Result<Response, Problem> {
    if body.dry_run {
        let (wanted, _) = body.check().map_err(Problem::invalid)?;
        let preview = bulk::preview(&app.db, caller.tenant, &wanted.filter).await?;
        return Ok(Answer(PreviewResource::of(preview)?).into_response());
    }
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let (wanted, expected) = body.check().map_err(Problem::invalid)?;
    start(&app, &caller, &wanted, expected, key.as_ref()).await
}

/// Begins what is wanted.
async fn start(
    app: &AppState,
    caller: &Caller,
    wanted: &Wanted,
    expected: Option<Expected>,
    key: Option<&submit::Idempotency>,
) -> Result<Response, Problem> {
    let by = caller.key.to_string();
    let asks = By { name: &by, person: caller.person };
    let begun = bulk::begin(&app.db, caller.tenant, wanted, expected, asks, BULK_RUNNING_MAX, key, answer);
    match Box::pin(begun).await? {
        Begun::New(answer) => {
            let operation: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
            let id = operation["id"].as_str().unwrap_or_default();
            tracing::info!(
                bulk.id = id,
                requested_by = by,
                matched = operation["matched"].as_i64(),
                "{id} ({}) was asked for",
                wanted.action.name()
            );
            Ok(respond(answer))
        }
        Begun::Replayed(answer) => Ok(replayed(respond(answer))),
        Begun::Mismatch => Err(mismatch()),
        Begun::Moved { count, is_exact } => {
            let least = if is_exact { "" } else { "at least " };
            let problem =
                Problem::new(Code::CountMoved, format!("{least}{count} jobs fit; nothing was done"));
            Err(problem.member("count", count.into()).member("exact", is_exact.into()))
        }
        Begun::TooMany => Err(Problem::new(
            Code::TooMany,
            format!(
                "a tenant has at most {BULK_RUNNING_MAX} bulk operations running; wait for one, or cancel it"
            ),
        )),
    }
}

fn answer(begun: &Operation) -> submit::Answer {
    let location = format!("/v1/bulk-operations/{}", begun.id());
    submit::Answer::of(202, Some(location), &BulkResource::of(begun).ok())
}

/// Where to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BulkParams {
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// A page of bulk operations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkOperations {
    /// Newest first.
    bulk_operations: Vec<BulkResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List the bulk operations, newest first.
#[utoipa::path(
    get, path = "/v1/bulk-operations", tag = "Bulk operations", operation_id = "list_bulk_operations", params(BulkParams),
    responses(
        (status = 200, description = "A page", body = BulkOperations),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_bulk_operations(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<BulkParams>,
) -> Result<Response, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let before = params.cursor.as_deref().map(read_cursor).transpose()?;
    let mut found = bulk::list(&app.db, caller.tenant, before, i64::from(limit) + 1).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.id()));
    let link = next.as_ref().and_then(|next| link_next("/v1/bulk-operations", limit, next));
    let bulk_operations = found.iter().map(BulkResource::of).collect::<Result<_, _>>()?;
    let mut response = Answer(BulkOperations { bulk_operations, next }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

/// Look at a bulk operation.
#[utoipa::path(
    get, path = "/v1/bulk-operations/{id}", tag = "Bulk operations", operation_id = "get_bulk_operation",
    params(("id" = String, Path, description = "The bulk operation")),
    responses(
        (status = 200, description = "How far it is; `Retry-After` while it runs", body = BulkResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_bulk_operation(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<BulkOperationId>,
) -> Result<Response, Problem> {
    let found = bulk::get(&app.db, caller.tenant, id).await?.ok_or_else(not_found)?;
    let is_running = found.state()? == OperationState::Running;
    let mut response = Answer(BulkResource::of(&found)?).into_response();
    if is_running {
        response.headers_mut().insert(header::RETRY_AFTER, 1.into());
    }
    Ok(response)
}

fn not_found() -> Problem {
    Problem::not_found("bulk operation")
}

/// Stop a bulk operation.
///
/// No further batch begins; what was done stays done. Doing it twice is no mistake.
#[utoipa::path(
    post, path = "/v1/bulk-operations/{id}/cancel", tag = "Bulk operations", operation_id = "cancel_bulk_operation",
    params(("id" = String, Path, description = "The bulk operation")),
    responses(
        (status = 200, description = "It is stopped", body = BulkResource),
        (status = "default", description = "A problem; 409 when it had ended", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn cancel_bulk_operation(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(id): Id<BulkOperationId>,
) -> Result<Answer<BulkResource>, Problem> {
    let by = caller.key.to_string();
    let steered = bulk::cancel(&app.db, caller.tenant, id, &by).await?;
    told(steered, OperationState::Cancelled, &by)
}

/// Let a bulk operation begin that waits for a second person.
///
/// A key counts as the person it was made for; one that was made for nobody cannot say yes. Where such a key asked, the first who
/// says yes takes it on, and another lets it begin. It is written into the tenant's log.
#[utoipa::path(
    post, path = "/v1/bulk-operations/{id}/confirm", tag = "Bulk operations", operation_id = "confirm_bulk_operation",
    params(("id" = String, Path, description = "The bulk operation")),
    responses(
        (status = 200, description = "It runs, or it waits for one more", body = BulkResource),
        (status = "default", description = "A problem; 403 for who asked for it or took it on, 409 when it waits for nobody", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn confirm_bulk_operation(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(id): Id<BulkOperationId>,
) -> Result<Answer<BulkResource>, Problem> {
    confirm(&app, &caller, id).await?;
    let found = bulk::get(&app.db, caller.tenant, id).await?.ok_or_else(not_found)?;
    let said = json!({
        "by": caller.key.to_string(), "action": "bulk.confirm", "target": id, "outcome": "done", "person": caller.person,
        "after": { "requested_by": found.requested_by, "taken_on_by": found.taken_on_by, "confirmed_by": found.confirmed_by },
    });
    audit::append(&app.db, Some(caller.tenant), &said).await?;
    Ok(Answer(BulkResource::of(&found)?))
}

/// Says yes, as whoever asks.
pub(crate) async fn confirm(app: &AppState, caller: &Caller, id: BulkOperationId) -> Result<(), Problem> {
    let by = caller.key.to_string();
    let says = By { name: &by, person: caller.person };
    match bulk::confirm(&app.db, caller.tenant, id, says).await? {
        Confirmation::Now | Confirmation::TakenOn => Ok(()),
        Confirmation::SamePerson => {
            Err(Problem::new(Code::NotAllowed, "you asked for it yourself; somebody else has to say yes"))
        }
        Confirmation::Nobody => {
            Err(Problem::new(Code::NotAllowed, "this key was made for nobody; a person has to say yes"))
        }
        Confirmation::NotWaiting => Err(Problem::new(Code::TooLate, format!("{id} waits for nobody"))),
        Confirmation::NotFound => Err(not_found()),
    }
}

/// Pause a bulk operation.
///
/// No further batch begins until it is resumed; what was done stays done. Doing it twice is no mistake.
#[utoipa::path(
    post, path = "/v1/bulk-operations/{id}/pause", tag = "Bulk operations", operation_id = "pause_bulk_operation",
    params(("id" = String, Path, description = "The bulk operation")),
    responses(
        (status = 200, description = "It is paused", body = BulkResource),
        (status = "default", description = "A problem; 409 when it had ended", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn pause_bulk_operation(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(id): Id<BulkOperationId>,
) -> Result<Answer<BulkResource>, Problem> {
    let by = caller.key.to_string();
    told(bulk::pause(&app.db, caller.tenant, id, &by).await?, OperationState::Paused, &by)
}

/// Resume a bulk operation.
///
/// It goes on where it was paused. Doing it twice is no mistake.
#[utoipa::path(
    post, path = "/v1/bulk-operations/{id}/resume", tag = "Bulk operations", operation_id = "resume_bulk_operation",
    params(("id" = String, Path, description = "The bulk operation")),
    responses(
        (status = 200, description = "It runs", body = BulkResource),
        (status = "default", description = "A problem; 409 when it had ended", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn resume_bulk_operation(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(id): Id<BulkOperationId>,
) -> Result<Answer<BulkResource>, Problem> {
    let steered = bulk::resume(&app.db, caller.tenant, id).await?;
    told(steered, OperationState::Running, &caller.key.to_string())
}

/// Says how an operation stands that was to be `wished`.
fn told(steered: Steered, wished: OperationState, by: &str) -> Result<Answer<BulkResource>, Problem> {
    match steered {
        Steered::Now(now) => {
            let (id, is) = (now.id(), wished.name());
            tracing::info!(bulk.id = %id, steered_by = by, processed = now.processed, "{id} is {is} from now on");
            Ok(Answer(BulkResource::of(&now)?))
        }
        Steered::Before(before) if before.state()? == wished => Ok(Answer(BulkResource::of(&before)?)),
        Steered::Before(before) => {
            let is = before.state()?.name();
            let problem = Problem::new(Code::TooLate, format!("{} is {is} already", before.id()));
            Err(problem.member("state", is.into()))
        }
        Steered::NotFound => Err(not_found()),
    }
}

/// Take back what a bulk operation changed.
///
/// Another operation begins: what was cancelled or given up while it waited begins again and waits for the time that it waited for,
/// and what was moved to another priority is moved back. Jobs that began again or were moved since are left alone, and so are those
/// that were running when they were told to stop. A retry cannot be taken back: what it began is running, or has run.
#[utoipa::path(
    post, path = "/v1/bulk-operations/{id}/undo", tag = "Bulk operations", operation_id = "undo_bulk_operation",
    params(
        ("id" = String, Path, description = "The bulk operation"),
        ("Idempotency-Key" = Option<String>, Header, description = "Fresh for every new request, the same for its retries; kept 24 h"),
    ),
    responses(
        (status = 202, description = "The operation that takes it back; `Location` is where to follow it", body = BulkResource),
        (status = "default", description = "A problem; 409 when it has not ended, was a retry, or ended too long ago", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn undo_bulk_operation(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(id): Id<BulkOperationId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, UNDO_ROUTE, &id, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let found = bulk::get(&app.db, caller.tenant, id).await?.ok_or_else(not_found)?;
    let undo = undo_of(&found, Utc::now())?.map_err(|why| Problem::new(Code::TooLate, why))?;
    start(&app, &caller, &undo, None, key.as_ref()).await
}

/// What takes an operation back, or why nothing can.
pub(crate) fn undo_of(operation: &Operation, now: DateTime<Utc>) -> Result<Result<Wanted, String>, Problem> {
    let Some(ended) = operation.finished_at else {
        return Ok(Err("it has not ended; stop it first".to_owned()));
    };
    if ended < now - TimeDelta::days(i64::from(UNDO_DAYS_MAX)) {
        let why = format!("what it changed was kept for {UNDO_DAYS_MAX} days, and it ended before");
        return Ok(Err(why));
    }
    let why = "what a retry began is running, or has run: cancel what still waits instead";
    Ok(operation.undo()?.ok_or_else(|| why.to_owned()))
}
