//! `GET /v1/assets/{id}`.

use ::jobs::{AssetId, RenditionId, TenantId};
use axum::{Json, extract::State};
use base64::{Engine, engine::general_purpose::STANDARD};
use blob::Key;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use store::media::{self, Rendition};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Reader,
    extract::Id,
    limits::READ_URL_TTL,
    problem::{Problem, ProblemDocument},
};

/// A verified original and the pictures made from it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Asset)]
pub(crate) struct AssetResource {
    /// Which it is.
    #[schema(value_type = String, example = "ast_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: AssetId,
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
    /// ThumbHash, base64: a placeholder of about 25 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbhash: Option<String>,
    /// What else was learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
    /// Where to GET the original.
    url: String,
    /// When all URLs here stop working.
    urls_expire_at: DateTime<Utc>,
    /// When it was verified.
    created_at: DateTime<Utc>,
    /// By preset, largest first.
    renditions: Vec<RenditionResource>,
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
    Ok(Json(show(&app, caller.tenant, id).await?))
}

/// The asset as clients see it.
pub(crate) async fn show(app: &AppState, tenant: TenantId, id: AssetId) -> Result<AssetResource, Problem> {
    let asset = media::asset(&app.db, tenant, id).await?.ok_or_else(|| Problem::not_found("asset"))?;
    let mut renditions = Vec::new();
    for rendition in media::renditions(&app.db, tenant, id).await? {
        renditions.push(picture(app, rendition).await?);
    }
    let name = asset.filename.as_deref();
    let key = Key::parse(&asset.object_key).map_err(Problem::internal)?;
    let original = app.blobs.presign_get(&key, READ_URL_TTL, name).await?;
    Ok(AssetResource {
        id,
        sha256: asset.sha256,
        bytes: asset.bytes,
        media_type: asset.media_type,
        width: asset.width,
        height: asset.height,
        thumbhash: asset.thumbhash.map(|hash| STANDARD.encode(hash)),
        details: asset.details.map(|details| details.0),
        url: original.url,
        urls_expire_at: original.expires_at,
        created_at: asset.created_at,
        filename: asset.filename,
        renditions,
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
