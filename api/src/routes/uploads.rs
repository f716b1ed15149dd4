//! Files on their way in: announced, put straight into S3 by the client, then completed.

use std::time::Duration;

use ::jobs::UploadId;
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use blob::{Key, Presigned};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sniff::Kind;
use store::uploads::{self, NewUpload, Upload};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::{Reader, Writer},
    completion::{self, PartBody},
    extract::{Id, Json as JsonBody, MaybeJson},
    limits::{
        UPLOAD_FILM_BYTES_MAX, UPLOAD_PART_BYTES, UPLOAD_PICTURE_BYTES_MAX, UPLOAD_SINGLE_BYTES_MAX,
        UPLOAD_SLACK, UPLOAD_TTL,
    },
    problem::{FieldError, Problem, ProblemDocument},
    routes::assets::{self, AssetResource},
};

const FILENAME_CHARS_MAX: usize = 255;

/// A file that is about to arrive.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUpload)]
pub(crate) struct NewUploadBody {
    /// What you call it. Never becomes part of a path.
    #[serde(default)]
    #[schema(example = "kitchen.jpg")]
    filename: Option<String>,
    /// What it is: image/jpeg, image/png, image/webp, image/gif, image/tiff, image/heic or image/avif; video/mp4,
    /// video/quicktime, video/x-matroska, video/webm, video/x-msvideo or video/mpeg.
    #[schema(example = "image/jpeg")]
    content_type: String,
    /// Its size, up to 256 MiB of a picture and 2,000 MiB of a film.
    #[schema(minimum = 1, maximum = 2_097_152_000)]
    bytes: u64,
    /// Its SHA-256 in hexadecimal, if you know it: a file that arrives damaged is then refused.
    #[serde(default)]
    sha256: Option<String>,
}

/// Where to put a file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Announced)]
pub(crate) struct AnnouncedResource {
    /// The upload, to be completed once every byte is there.
    #[schema(value_type = String)]
    id: UploadId,
    /// `single`: one PUT to `url`. `multipart`: one PUT to each of `parts`, whose `ETag`s go into the completion.
    method: &'static str,
    /// Where to PUT the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Headers the PUT has to carry, as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<std::collections::BTreeMap<String, String>>,
    /// Size of every part but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    part_bytes: Option<u64>,
    /// Where to PUT each part.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<AnnouncedPart>>,
    /// When the URLs stop working.
    expires_at: DateTime<Utc>,
}

/// Where to put a part.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnnouncedPart {
    /// From 1.
    number: i32,
    /// Its size.
    bytes: u64,
    /// Where to PUT it.
    url: String,
}

/// A file on its way in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upload)]
pub(crate) struct UploadResource {
    /// Which it is.
    #[schema(value_type = String)]
    id: UploadId,
    /// `pending`, `completed` or `rejected`.
    state: String,
    /// What you call it.
    filename: Option<String>,
    /// What you say it is.
    content_type: String,
    /// What you say it weighs.
    bytes: i64,
    /// The asset it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<String>,
    /// Why it was refused: `code` and `message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    rejection: Option<Value>,
    /// When it was announced.
    created_at: DateTime<Utc>,
    /// When it is too late to complete it.
    expires_at: DateTime<Utc>,
}

impl UploadResource {
    fn of(upload: Upload) -> Self {
        Self {
            id: upload.id(),
            asset: upload.asset().map(|asset| asset.to_string()),
            rejection: upload.rejection.as_ref().and_then(|problem| serde_json::to_value(&problem.0).ok()),
            state: upload.state,
            filename: upload.filename,
            content_type: upload.content_type,
            bytes: upload.bytes,
            created_at: upload.created_at,
            expires_at: upload.expires_at,
        }
    }
}

/// Announce a file.
///
/// The answer says where to put its bytes: straight into the object store, not through this API. An announcement that is
/// never completed costs nothing and is forgotten, so this POST needs no `Idempotency-Key`.
#[utoipa::path(
    post, path = "/v1/uploads", tag = "Files", operation_id = "announce_upload", request_body = NewUploadBody,
    responses(
        (status = 201, description = "Where to put it", body = AnnouncedResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn announce_upload(
    State(app): State<AppState>,
    Writer(caller): Writer,
    JsonBody(body): JsonBody<NewUploadBody>,
) -> Result<Response, Problem> {
    let body = check(body).map_err(Problem::invalid)?;
    let id = UploadId::new();
    let key = Key::upload(&caller.tenant.to_string(), &id.to_string()).map_err(Problem::internal)?;
    let expires_at = Utc::now() + UPLOAD_TTL;
    let mut new = NewUpload {
        id,
        filename: body.filename,
        content_type: body.content_type,
        bytes: body.bytes,
        sha256: body.sha256,
        object_key: key.to_string(),
        multipart_id: None,
        part_bytes: None,
        expires_at: expires_at + UPLOAD_SLACK,
    };
    let announced = if body.bytes <= UPLOAD_SINGLE_BYTES_MAX {
        let put = app.blobs.presign_put(&key, &new.content_type, new.bytes, UPLOAD_TTL).await?;
        single(id, put)
    } else {
        let multipart = app.blobs.multipart_create(&key, &new.content_type).await?;
        let parts = sign_parts(&app, &key, &multipart, new.bytes, UPLOAD_TTL).await?;
        new.multipart_id = Some(multipart.to_string());
        new.part_bytes = Some(UPLOAD_PART_BYTES);
        AnnouncedResource {
            id,
            method: "multipart",
            url: None,
            headers: None,
            part_bytes: Some(UPLOAD_PART_BYTES),
            parts: Some(parts),
            expires_at,
        }
    };
    uploads::create_upload(&app.db, caller.tenant, &new).await?;
    let mut response = (StatusCode::CREATED, Json(announced)).into_response();
    if let Ok(location) = HeaderValue::try_from(format!("/v1/uploads/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn single(id: UploadId, put: Presigned) -> AnnouncedResource {
    AnnouncedResource {
        id,
        method: "single",
        url: Some(put.url),
        headers: Some(put.headers.into_iter().collect()),
        part_bytes: None,
        parts: None,
        expires_at: put.expires_at,
    }
}

async fn sign_parts(
    app: &AppState,
    key: &Key,
    multipart: &blob::UploadId,
    bytes: u64,
    expires: Duration,
) -> Result<Vec<AnnouncedPart>, Problem> {
    let mut parts = Vec::new();
    for (index, size) in part_sizes(bytes).enumerate() {
        let number = index as i32 + 1;
        let put = app.blobs.multipart_presign_part(key, multipart, number, size, expires).await?;
        parts.push(AnnouncedPart { number, bytes: size, url: put.url });
    }
    Ok(parts)
}

/// The sizes of the parts of a file.
pub(crate) fn part_sizes(bytes: u64) -> impl Iterator<Item = u64> {
    (0..bytes.div_ceil(UPLOAD_PART_BYTES))
        .map(move |index| UPLOAD_PART_BYTES.min(bytes - index * UPLOAD_PART_BYTES))
}

/// Media types of pictures and films that may be uploaded.
pub(crate) fn accepted() -> [&'static str; Kind::ALL.len()] {
    Kind::ALL.map(Kind::media_type)
}

fn check(body: NewUploadBody) -> Result<NewUploadBody, Vec<FieldError>> {
    let mut errors = Vec::new();
    let content_type = body.content_type.trim().to_ascii_lowercase();
    let content_type = match content_type.as_str() {
        "image/jpg" => "image/jpeg".to_owned(),
        "image/heif" => "image/heic".to_owned(),
        _ => content_type,
    };
    if !accepted().contains(&content_type.as_str()) {
        errors.push(FieldError::new("/content_type", format!("one of {}", accepted().join(", "))));
    }
    let is_film = content_type.starts_with("video/");
    let bytes_max = if is_film { UPLOAD_FILM_BYTES_MAX } else { UPLOAD_PICTURE_BYTES_MAX };
    if !(1..=bytes_max).contains(&body.bytes) {
        errors.push(FieldError::new("/bytes", format!("1 to {bytes_max}")));
    }
    let sha256 = body.sha256.map(|sha256| sha256.to_ascii_lowercase());
    let is_sha256 = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !sha256.as_ref().is_none_or(is_sha256) {
        errors.push(FieldError::new("/sha256", "64 hexadecimal digits"));
    }
    let filename = body.filename.as_deref().and_then(last_segment);
    if filename.as_ref().is_some_and(|name| name.chars().count() > FILENAME_CHARS_MAX) {
        errors.push(FieldError::new("/filename", format!("at most {FILENAME_CHARS_MAX} characters")));
    }
    if errors.is_empty() { Ok(NewUploadBody { filename, content_type, sha256, ..body }) } else { Err(errors) }
}

/// A name without the folders some clients put before it, and without characters that do not print.
fn last_segment(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    (!matches!(last, "" | "." | "..")).then(|| last.to_owned())
}

/// Look at an upload.
#[utoipa::path(
    get, path = "/v1/uploads/{id}", tag = "Files", operation_id = "get_upload",
    params(("id" = String, Path, description = "The upload")),
    responses(
        (status = 200, description = "The upload", body = UploadResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_upload(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<UploadId>,
) -> Result<Json<UploadResource>, Problem> {
    let upload =
        uploads::upload(&app.db, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("upload"))?;
    Ok(Json(UploadResource::of(upload)))
}

/// The parts that were put.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Completion)]
pub(crate) struct CompletionBody {
    /// Every part with the `ETag` its PUT answered; only for multipart uploads.
    parts: Option<Vec<PartBody>>,
}

/// Complete an upload.
///
/// Verifies size, SHA-256 and format, and makes the file an asset that jobs can name. Completing twice answers with the
/// same asset. A file that is not what was announced is deleted, and its upload refused for good.
#[utoipa::path(
    post, path = "/v1/uploads/{id}/complete", tag = "Files", operation_id = "complete_upload", request_body = CompletionBody,
    params(("id" = String, Path, description = "The upload")),
    responses(
        (status = 200, description = "The asset", body = AssetResource),
        (status = "default", description = "A problem; 422 with `reason` when the file is not what was announced", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn complete_upload(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<UploadId>,
    MaybeJson(body): MaybeJson<CompletionBody>,
) -> Result<Json<AssetResource>, Problem> {
    let asset = Box::pin(completion::complete(&app, caller.tenant, id, body.parts)).await?;
    Ok(Json(assets::show(&app, &caller, asset).await?))
}

#[cfg(test)]
mod tests {
    use super::{last_segment, part_sizes};
    use crate::limits::UPLOAD_PART_BYTES;

    #[test]
    fn parts_add_up_to_the_file() {
        for bytes in [1, UPLOAD_PART_BYTES, UPLOAD_PART_BYTES + 1, 5 * UPLOAD_PART_BYTES - 7] {
            let sizes: Vec<u64> = part_sizes(bytes).collect();
            assert_eq!(sizes.iter().sum::<u64>(), bytes);
            assert!(sizes.iter().rev().skip(1).all(|size| *size == UPLOAD_PART_BYTES));
        }
    }

    #[test]
    fn a_name_loses_its_folders() {
        for (name, kept) in [
            ("../../etc/passwd", Some("passwd")),
            ("C:\\fakepath\\a b.jpg", Some("a b.jpg")),
            ("a/..", None),
            ("\0\n", None),
            ("é\u{7}.png", Some("é.png")),
        ] {
            assert_eq!(last_segment(name).as_deref(), kept);
        }
    }
}
