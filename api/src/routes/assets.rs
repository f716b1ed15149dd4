//! Originals and what was made of them.

use ::jobs::{AssetId, AssetState, RenditionId, TenantId, kinds::media_probe::MediaProbe};
use axum::{Json, extract::State, response::Redirect};
use base64::{Engine, engine::general_purpose::STANDARD};
use blob::{Key, Presigned};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{
    enqueue::Enqueued,
    media::{self, Asset, Rendition},
    probes::{self, Position},
    scans::{self, Release},
};
use utoipa::ToSchema;

use super::{
    asset_films::{FilmResource, films_of},
    focal_point::FocalPointBody,
};
use crate::{
    AppState,
    auth::{Admin, Caller, Reader},
    completion::follow_up,
    extract::{Id, Json as JsonBody},
    intake,
    limits::{READ_URL_TTL, RELEASE_REASON_CHARS_MAX, SCAN_RETRY_S},
    problem::{Code, FieldError, Problem, ProblemDocument},
};

/// A verified original and the pictures made from it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Asset)]
pub(crate) struct AssetResource {
    /// Which it is.
    #[schema(value_type = String, example = "ast_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: AssetId,
    /// `quarantined` until the virus scanner has looked, then `clean`, `infected` or `unscannable`. Only of a clean one are
    /// there URLs.
    #[schema(example = "clean")]
    state: &'static str,
    /// What the virus scanner found, or why it could not scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<String>,
    /// Which scanner it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    scanner: Option<String>,
    /// When it was scanned.
    #[serde(skip_serializing_if = "Option::is_none")]
    scanned_at: Option<DateTime<Utc>>,
    /// Who let it go although it was held, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<ReleasedResource>,
    /// SHA-256 of its bytes, hexadecimal.
    sha256: String,
    /// Its size.
    bytes: i64,
    /// What it is, by its bytes.
    media_type: String,
    /// What you called it.
    filename: Option<String>,
    /// Width as displayed, once a job has looked inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<i32>,
    /// Height as displayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<i32>,
    /// What is in it: kind, orientation, colours, and how it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    probe: Option<Value>,
    /// Where it was taken. Only for keys with the scope `admin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<PositionResource>,
    /// What it is about, if somebody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    focal_point: Option<FocalPointBody>,
    /// ThumbHash, base64: a placeholder of about 25 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbhash: Option<String>,
    /// What else was learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
    /// Where to GET the original.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// When all URLs here stop working.
    #[serde(skip_serializing_if = "Option::is_none")]
    urls_expire_at: Option<DateTime<Utc>>,
    /// When it was verified.
    created_at: DateTime<Utc>,
    /// What may be done with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<String>,
    /// Nobody may delete it before.
    #[serde(skip_serializing_if = "Option::is_none")]
    retain_until: Option<DateTime<Utc>>,
    /// It is deleted then, by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_at: Option<DateTime<Utc>>,
    /// By preset, largest first. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    renditions: Option<Vec<RenditionResource>>,
    /// What was made of a film, by preset. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    films: Option<Vec<FilmResource>>,
}

/// An operator's word on what was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Released)]
pub(crate) struct ReleasedResource {
    /// Which key.
    by: String,
    /// Why.
    reason: String,
    /// When.
    at: DateTime<Utc>,
}

/// Where something was taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Position)]
pub(crate) struct PositionResource {
    /// In degrees, north of the equator.
    latitude: f64,
    /// In degrees, east of Greenwich.
    longitude: f64,
    /// In metres above the sea.
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude_m: Option<f64>,
}

/// A picture made from an asset.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rendition)]
pub(crate) struct RenditionResource {
    /// Which it is.
    #[schema(value_type = String)]
    id: RenditionId,
    /// Which ladder: `name@version`.
    preset: String,
    /// Which size of the ladder.
    rung: String,
    /// `jpeg`, `webp` or `avif`.
    format: String,
    /// In pixels.
    width: i32,
    /// In pixels.
    height: i32,
    /// Size of the file.
    bytes: i64,
    /// Where to GET it.
    url: String,
}

/// Look at an asset.
#[utoipa::path(
    get, path = "/v1/assets/{id}", tag = "Files", operation_id = "get_asset",
    params(("id" = String, Path, description = "The asset")),
    responses(
        (status = 200, description = "The asset; its URLs work for 15 minutes", body = AssetResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_asset(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<AssetId>,
) -> Result<Json<AssetResource>, Problem> {
    Ok(Json(show(&app, &caller, id).await?))
}

/// The original itself.
///
/// Answers with a redirect to S3 that works for 15 minutes.
#[utoipa::path(
    get, path = "/v1/assets/{id}/original", tag = "Files", operation_id = "get_original",
    params(("id" = String, Path, description = "The asset")),
    responses(
        (status = 307, description = "Where it is"),
        (status = "default", description = "A problem; 409 while the file is in quarantine, or held", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_original(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<AssetId>,
) -> Result<Redirect, Problem> {
    let asset = find(&app, caller.tenant, id).await?;
    let state = asset.state()?;
    match state {
        AssetState::Clean => Ok(Redirect::temporary(&original(&app, &asset).await?.url)),
        AssetState::Quarantined => {
            let detail = "the virus scanner has not looked at the file yet";
            Err(Problem::new(Code::AssetQuarantined, detail).retry_after(SCAN_RETRY_S))
        }
        AssetState::Infected | AssetState::Unscannable => Err(held(state)),
    }
}

pub(super) fn held(state: AssetState) -> Problem {
    Problem::new(Code::AssetHeld, format!("the file is {state}"))
}

/// Why a held file is let go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Release)]
pub(crate) struct ReleaseBody {
    /// For whoever looks at it later, up to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Let a held file go.
///
/// What the virus scanner found in it is taken for harmless, as long as it finds nothing else. Of a clean file this
/// changes nothing.
#[utoipa::path(
    post, path = "/v1/assets/{id}/release", tag = "Files", operation_id = "release_asset", request_body = ReleaseBody,
    params(("id" = String, Path, description = "The asset")),
    responses(
        (status = 200, description = "The asset, which is clean now", body = AssetResource),
        (status = "default", description = "A problem; 409 while the file has not been scanned", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"])),
)]
pub(crate) async fn release_asset(
    State(app): State<AppState>,
    Admin(caller): Admin,
    Id(id): Id<AssetId>,
    JsonBody(body): JsonBody<ReleaseBody>,
) -> Result<Json<AssetResource>, Problem> {
    let because = body.reason.trim();
    if !(1..=RELEASE_REASON_CHARS_MAX).contains(&because.chars().count()) || because.contains('\0') {
        let detail = format!("1 to {RELEASE_REASON_CHARS_MAX} characters");
        return Err(Problem::invalid(vec![FieldError::new("/reason", detail)]));
    }
    let (by, probe) = (caller.key.to_string(), follow_up(&MediaProbe { asset: id })?);
    let release = Release { asset: id, by: &by, because };
    if scans::release(&app.db, caller.tenant, release, std::slice::from_ref(&probe)).await? {
        intake::count(&[(probe.kind, probe.queue)], &[Enqueued::Inserted]);
        tracing::warn!(asset.id = %id, "{id} was released although the virus scanner held it");
    } else if find(&app, caller.tenant, id).await?.state()? == AssetState::Quarantined {
        let detail = "the virus scanner has not looked at the file yet; there is nothing to release it from";
        return Err(Problem::new(Code::AssetQuarantined, detail).retry_after(SCAN_RETRY_S));
    }
    Ok(Json(show(&app, &caller, id).await?))
}

pub(super) async fn find(app: &AppState, tenant: TenantId, id: AssetId) -> Result<Asset, Problem> {
    media::asset(&app.db, tenant, id).await?.ok_or_else(|| Problem::not_found("asset"))
}

async fn original(app: &AppState, asset: &Asset) -> Result<Presigned, Problem> {
    let key = Key::parse(&asset.object_key).map_err(Problem::internal)?;
    Ok(app.blobs.presign_get(&key, READ_URL_TTL, asset.filename.as_deref()).await?)
}

impl AssetResource {
    /// What a list says of it: no addresses, and nothing personal.
    pub(super) fn line(asset: Asset) -> Result<Self, Problem> {
        let state = asset.state()?;
        let released = asset.released_by.as_ref().zip(asset.released_because.as_ref()).zip(asset.released_at);
        Ok(Self {
            id: asset.id(),
            focal_point: asset.focal_point().map(FocalPointBody::of),
            state: state.name(),
            released: released.map(|((by, reason), at)| ReleasedResource {
                by: by.clone(),
                reason: reason.clone(),
                at,
            }),
            finding: asset.finding,
            scanner: asset.scanner,
            scanned_at: asset.scanned_at,
            sha256: asset.sha256,
            bytes: asset.bytes,
            media_type: asset.media_type,
            width: asset.width,
            height: asset.height,
            probe: asset.probe.map(|probe| probe.0),
            position: None,
            thumbhash: asset.thumbhash.map(|hash| STANDARD.encode(hash)),
            details: asset.details.map(|details| details.0),
            url: None,
            urls_expire_at: None,
            created_at: asset.created_at,
            filename: asset.filename,
            license: asset.terms.license,
            retain_until: asset.terms.retain_until,
            delete_at: asset.terms.delete_at,
            renditions: None,
            films: None,
        })
    }
}

/// The asset as clients see it.
pub(crate) async fn show(app: &AppState, caller: &Caller, id: AssetId) -> Result<AssetResource, Problem> {
    let tenant = caller.tenant;
    let asset = find(app, tenant, id).await?;
    let (mut renditions, mut films, mut url) = (Vec::new(), Vec::new(), None);
    if asset.state()? == AssetState::Clean {
        for rendition in media::renditions(&app.db, tenant, id).await? {
            renditions.push(picture(app, rendition).await?);
        }
        films = films_of(app, tenant, id).await?;
        url = Some(original(app, &asset).await?);
    }
    let position = if caller.is_admin() { probes::position(&app.db, tenant, id).await? } else { None };
    Ok(AssetResource {
        position: position.map(|Position { latitude, longitude, altitude_m }| PositionResource {
            latitude,
            longitude,
            altitude_m,
        }),
        urls_expire_at: url.as_ref().map(|url| url.expires_at),
        url: url.map(|url| url.url),
        renditions: Some(renditions),
        films: Some(films),
        ..AssetResource::line(asset)?
    })
}

async fn picture(app: &AppState, rendition: Rendition) -> Result<RenditionResource, Problem> {
    let key = Key::parse(&rendition.object_key).map_err(Problem::internal)?;
    let url = app.blobs.presign_get(&key, READ_URL_TTL, None).await?.url;
    Ok(RenditionResource {
        id: rendition.id(),
        preset: rendition.preset,
        rung: rendition.rung,
        format: rendition.format,
        width: rendition.width,
        height: rendition.height,
        bytes: rendition.bytes,
        url,
    })
}
