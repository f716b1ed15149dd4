//! Deliveries: making, reading, revoking and removing them. Listing them is beside this.

use ::jobs::{AssetId, DeliveryId, JobId, State, Variant};
use axum::{
    Json as Body,
    extract::State as App,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use blob::Key;
use chrono::{DateTime, TimeDelta, Utc};
use rand::{TryRngCore, rngs::OsRng};
use serde::Serialize;
use serde_json::Value;
use store::{
    brands,
    deliveries::{self, Created, Delivery, NewDelivery, Note},
    reads,
    submit::Answer,
};
use utoipa::ToSchema;

use super::{
    delivery_body::DeliveryBody,
    submit::{mismatch, replayed, respond},
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    delivery::address,
    extract::{Id, Json},
    idempotency,
    limits::{DELIVERY_DAYS_DEFAULT, READ_URL_TTL},
    problem::{FieldError, Problem, ProblemDocument},
};

const ROUTE: &str = "POST /v1/deliveries";

/// A delivery as it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryResource {
    /// Which it is.
    #[schema(value_type = String, example = "dlv_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: DeliveryId,
    /// What it is called.
    title: String,
    /// `preparing`, `open`, `expired` or `revoked`.
    state: &'static str,
    /// The page. Whoever has this link sees what is delivered.
    link: String,
    /// When the link ends.
    expires_at: DateTime<Utc>,
    /// When it was published last.
    #[serde(skip_serializing_if = "Option::is_none")]
    published_at: Option<DateTime<Utc>>,
    /// When what it shows now was approved by somebody who has the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_at: Option<DateTime<Utc>>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl DeliveryResource {
    pub(super) fn of(delivery: &Delivery, public_url: &str) -> Self {
        Self {
            id: delivery.id(),
            title: delivery.title.clone(),
            state: delivery.state().name(),
            link: address(public_url, delivery),
            expires_at: delivery.expires_at,
            published_at: delivery.published_at,
            approved_at: delivery.approved_at.filter(|_| delivery.is_approved()),
            created_at: delivery.created_at,
        }
    }
}

/// A delivery with what is in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryDetail {
    #[serde(flatten)]
    delivery: DeliveryResource,
    /// How publishing it goes; none once it went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    publishing: Option<Publishing>,
    /// What was put in, in order.
    files: Vec<DeliveredFile>,
    /// The archives that are packed; none when one of the files was deleted, or is held, since.
    archives: Vec<DeliveryArchive>,
    /// What those who have the link want changed, in the order in which they said so.
    notes: Vec<DeliveryNote>,
}

/// How the job goes that publishes a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Publishing {
    /// The job.
    #[schema(value_type = String)]
    job: JobId,
    /// Its state. `discarded` and `cancelled` are ends: mend what `error` names, then publish again.
    #[schema(value_type = String)]
    state: State,
    /// What it waits for, or why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
}

/// What somebody who has the link wants changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryNote {
    /// From 1.
    number: i16,
    /// Which file of what was shown then, from 1.
    place: i16,
    /// False when something else was published since.
    current: bool,
    /// Where, in thousandths of the picture's width; none when it is about the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<i16>,
    /// Where, in thousandths of the picture's height.
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<i16>,
    /// In words.
    text: String,
    /// When it was said.
    created_at: DateTime<Utc>,
}

/// A file of a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveredFile {
    /// The asset.
    #[schema(value_type = String)]
    asset: AssetId,
    /// What it is called.
    name: String,
}

/// Everything of a delivery in one file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryArchive {
    /// `mls`, `print`, `mls_branded`, `print_branded` or `original`.
    variant: String,
    /// Its size.
    bytes: i64,
    /// Files in it.
    files: i32,
    /// SHA-256 of it, hexadecimal.
    sha256: String,
    /// Where to GET it; works for 15 minutes.
    url: String,
}

/// Hand files over.
///
/// Makes the pictures that are missing, publishes the delivery when they are there, and packs its archives. The link works
/// from then on.
#[utoipa::path(
    post, path = "/v1/deliveries", tag = "Files", operation_id = "create_delivery", request_body = DeliveryBody,
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 201, description = "It is being prepared", body = DeliveryResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn create_delivery(
    App(app): App<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<DeliveryBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    body.check()?;
    let branded = body.archives.iter().flatten().position(|variant: &Variant| variant.is_branded());
    if let Some(at) = branded
        && brands::brand(&app.db, caller.tenant).await?.is_none()
    {
        let detail = "there is no mark to put on pictures: PUT /v1/brand first";
        return Err(Problem::invalid(vec![FieldError::new(format!("/archives/{at}"), detail)]));
    }
    let mut link_secret = [0; 32];
    OsRng.try_fill_bytes(&mut link_secret).map_err(Problem::internal)?;
    let days = i64::from(body.expires_in_days.unwrap_or(DELIVERY_DAYS_DEFAULT));
    let new = NewDelivery {
        id: DeliveryId::new(),
        title: body.title.trim().to_owned(),
        link_secret,
        expires_at: Utc::now() + TimeDelta::days(days),
        items: body.files.iter().map(|file| (file.asset, file.name.clone())).collect(),
        by: caller.key.to_string(),
    };
    let jobs = |media_types: &[String]| body.jobs(new.id, media_types);
    let answer = |made: &Delivery| {
        let resource = DeliveryResource::of(made, &app.settings.public_url);
        Answer::of(201, Some(format!("/v1/deliveries/{}", made.id())), &resource)
    };
    match deliveries::create(&app.db, caller.tenant, &new, key.as_ref(), jobs, answer).await? {
        Created::New(answer) => Ok(respond(answer)),
        Created::Replayed(answer) => Ok(replayed(respond(answer))),
        Created::Mismatch => Err(mismatch()),
        Created::NoAsset(at) => {
            let pointer = format!("/files/{at}/asset");
            Err(Problem::invalid(vec![FieldError::new(pointer, "there is no such asset")]))
        }
    }
}

/// Look at a delivery.
#[utoipa::path(
    get, path = "/v1/deliveries/{id}", tag = "Files", operation_id = "get_delivery",
    params(("id" = String, Path, description = "The delivery")),
    responses(
        (status = 200, description = "The delivery with what is in it", body = DeliveryDetail),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_delivery(
    App(app): App<AppState>,
    Reader(caller): Reader,
    Id(id): Id<DeliveryId>,
) -> Result<Body<DeliveryDetail>, Problem> {
    let (db, tenant) = (&app.db, caller.tenant);
    let mut delivery = deliveries::delivery(db, tenant, id).await?.ok_or_else(no_delivery)?;
    let items = deliveries::items(db, tenant, id).await?;
    let archives = archives(&app, &mut delivery).await?;
    let notes = deliveries::notes(db, tenant, id).await?;
    Ok(Body(DeliveryDetail {
        delivery: DeliveryResource::of(&delivery, &app.settings.public_url),
        publishing: publishing(&app, &delivery).await?,
        files: items.into_iter().map(|item| DeliveredFile { asset: item.asset(), name: item.name }).collect(),
        archives,
        notes: notes.into_iter().map(|note| said(&delivery, note)).collect(),
    }))
}

/// What is packed of `delivery`, and where to get it: nothing once a file in it is not served any more.
async fn archives(app: &AppState, delivery: &mut Delivery) -> Result<Vec<DeliveryArchive>, Problem> {
    let (db, tenant, id) = (&app.db, delivery.tenant(), delivery.id());
    if let Some(manifest) = &mut delivery.manifest {
        deliveries::withhold(db, tenant, manifest).await?;
        if manifest.lacks_files() {
            return Ok(Vec::new());
        }
    }
    let mut archives = Vec::new();
    for archive in deliveries::archives(db, tenant, id).await? {
        let key = Key::parse(&archive.object_key).map_err(Problem::internal)?;
        let name = format!("{} {}.zip", delivery.title, archive.variant);
        archives.push(DeliveryArchive {
            url: app.blobs.presign_get(&key, READ_URL_TTL, Some(&name)).await?.url,
            variant: archive.variant,
            bytes: archive.bytes,
            files: archive.files,
            sha256: archive.sha256,
        });
    }
    Ok(archives)
}

/// How publishing `delivery` goes, unless it went well, or so long ago that the job is forgotten.
async fn publishing(app: &AppState, delivery: &Delivery) -> Result<Option<Publishing>, Problem> {
    let Some(job) = delivery.publish_job() else { return Ok(None) };
    let Some(record) = reads::get(&app.db, delivery.tenant(), job).await? else { return Ok(None) };
    let state = record.state()?;
    let error = record.error.map(|error| error.0);
    Ok((state != State::Completed).then_some(Publishing { job, state, error }))
}

fn said(delivery: &Delivery, note: Note) -> DeliveryNote {
    DeliveryNote {
        number: note.number,
        place: note.place,
        current: delivery.manifest_sha256.as_deref() == Some(&note.manifest_sha256),
        x: note.x,
        y: note.y,
        text: note.text,
        created_at: note.created_at,
    }
}

/// Take a link back.
///
/// It shows nothing from now on. What was downloaded stays where it is.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/revoke", tag = "Files", operation_id = "revoke_delivery",
    params(("id" = String, Path, description = "The delivery")),
    responses(
        (status = 204, description = "The link shows nothing any more"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn revoke_delivery(
    App(app): App<AppState>,
    Writer(caller): Writer,
    Id(id): Id<DeliveryId>,
) -> Result<StatusCode, Problem> {
    if !deliveries::revoke(&app.db, caller.tenant, id).await? {
        return Err(no_delivery());
    }
    tracing::info!(delivery.id = %id, "The link of {id} was taken back");
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a delivery.
///
/// With its archives. The assets in it stay.
#[utoipa::path(
    delete, path = "/v1/deliveries/{id}", tag = "Files", operation_id = "remove_delivery",
    params(("id" = String, Path, description = "The delivery")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_delivery(
    App(app): App<AppState>,
    Writer(caller): Writer,
    Id(id): Id<DeliveryId>,
) -> Result<StatusCode, Problem> {
    if !deliveries::remove(&app.db, caller.tenant, id).await? {
        return Err(no_delivery());
    }
    tracing::info!(delivery.id = %id, "{id} was removed");
    Ok(StatusCode::NO_CONTENT)
}

fn no_delivery() -> Problem {
    Problem::not_found("delivery")
}
