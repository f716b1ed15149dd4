//! Turning an upload into an asset: everything a client claimed is checked against the bytes themselves.
//!
//! The client's URL keeps working until it expires, so the bytes could change under our eyes. They are copied to a name
//! that nobody else may write first, and only that copy is looked at and kept.

use ::jobs::{AssetId, Job, TenantId, UploadId, failure::Problem as Rejection, kinds::media_scan::MediaScan};
use blob::{BlobError, Key};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use store::{
    enqueue::{Enqueued, NewJob},
    media::NewAsset,
    uploads::{self, Upload},
};
use telemetry::trace_context::current_traceparent;
use utoipa::ToSchema;

use crate::{
    AppState, intake,
    problem::{Code, FieldError, Problem},
    routes::uploads::{accepted, part_sizes},
};

const ETAG_BYTES_MAX: usize = 128;

/// A part that was put.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Part)]
pub(crate) struct PartBody {
    /// From 1.
    number: i32,
    /// What its PUT answered.
    etag: String,
}

/// The asset that the upload `id` became, now or before.
pub(crate) async fn complete(
    app: &AppState,
    tenant: TenantId,
    id: UploadId,
    parts: Option<Vec<PartBody>>,
) -> Result<AssetId, Problem> {
    let upload = find(app, tenant, id).await?;
    if let Some(done) = outcome(&upload) {
        return done;
    }
    if upload.expires_at < Utc::now() {
        return Err(Problem::new(Code::UploadExpired, format!("{id} expired; announce the file again")));
    }
    let parts = check_parts(&upload, parts).map_err(Problem::invalid)?;
    let _place = app.completing.acquire().await.map_err(Problem::internal)?;
    let key = Key::parse(&upload.object_key).map_err(Problem::internal)?;
    if let (Some(multipart), Some(parts)) = (&upload.multipart_id, parts) {
        put_together(app, &key, multipart, &parts).await?;
    }
    // A name of its own for each try: two that run at once must not overwrite what the other is reading.
    let sealed =
        Key::upload(&tenant.to_string(), &format!("{id}.{}", AssetId::new())).map_err(Problem::internal)?;
    let verified = match seal(app, &key, &sealed, &upload).await {
        Ok(()) => verify(app, tenant, &upload, &sealed).await,
        Err(problem) => Err(problem),
    };
    let kept = match verified {
        Ok(Ok(asset)) => keep(app, tenant, id, &sealed, &asset).await,
        Ok(Err(why)) => uploads::reject_upload(&app.db, tenant, id, &why).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    remove(app, &sealed).await;
    // Somebody else may have been faster, and then theirs is the answer, whatever became of this try.
    let Some(done) = outcome(&find(app, tenant, id).await?) else {
        return Err(kept.err().unwrap_or_else(|| not_arrived(id)));
    };
    remove(app, &key).await;
    done
}

async fn find(app: &AppState, tenant: TenantId, id: UploadId) -> Result<Upload, Problem> {
    uploads::upload(&app.db, tenant, id).await?.ok_or_else(|| Problem::not_found("upload"))
}

/// What became of an upload for good; none while it is pending.
fn outcome(upload: &Upload) -> Option<Result<AssetId, Problem>> {
    if let Some(asset) = upload.asset() {
        return Some(Ok(asset));
    }
    (upload.state == "rejected").then(|| {
        let why = upload.rejection.as_ref();
        let (code, message) =
            why.map_or(("unknown", "the file was refused"), |why| (&why.0.code, &why.0.message));
        Err(Problem::new(Code::UploadRejected, message).member("reason", code.into()))
    })
}

fn not_arrived(id: UploadId) -> Problem {
    Problem::new(
        Code::UploadIncomplete,
        format!("nothing was put for {id} yet; PUT the file, then complete it"),
    )
}

/// The parts in the form S3 wants them; none for a single PUT.
fn check_parts(
    upload: &Upload,
    parts: Option<Vec<PartBody>>,
) -> Result<Option<Vec<(i32, String)>>, Vec<FieldError>> {
    let refuse = |pointer: &str, detail: String| Err(vec![FieldError::new(pointer, detail)]);
    let expected = part_sizes(upload.bytes.unsigned_abs()).count();
    let Some(mut parts) = parts else {
        if upload.multipart_id.is_some() {
            return refuse("/parts", format!("this upload has {expected} parts; give each with its ETag"));
        }
        return Ok(None);
    };
    if upload.multipart_id.is_none() {
        return refuse("/parts", "this upload is a single PUT; leave parts out".to_owned());
    }
    parts.sort_by_key(|part| part.number);
    if !parts.iter().map(|part| part.number).eq(1..=expected as i32) {
        return refuse("/parts", format!("the numbers 1 to {expected}, each once"));
    }
    let is_etag = |part: &PartBody| {
        (1..=ETAG_BYTES_MAX).contains(&part.etag.len())
            && part.etag.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !parts.iter().all(is_etag) {
        return refuse("/parts", "an etag is what the PUT of its part answered".to_owned());
    }
    Ok(Some(parts.into_iter().map(|part| (part.number, part.etag)).collect()))
}

async fn put_together(
    app: &AppState,
    key: &Key,
    multipart: &str,
    parts: &[(i32, String)],
) -> Result<(), Problem> {
    let multipart = blob::UploadId::parse(multipart).map_err(Problem::internal)?;
    match app.blobs.multipart_complete(key, &multipart, parts).await {
        Ok(_) => Ok(()),
        // Put together before: by a try that broke off, or by one that runs at this moment.
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) if error.is_transient() => Err(error.into()),
        Err(error) => {
            let detail = "the parts could not be put together; check that each was put and its etag is right";
            Err(Problem::new(Code::UploadIncomplete, detail).because(error))
        }
    }
}

/// Copies what the client put to where the client cannot reach.
async fn seal(app: &AppState, key: &Key, sealed: &Key, upload: &Upload) -> Result<(), Problem> {
    match app.blobs.copy(key, sealed).await {
        Err(error) if error.is_not_found() => Err(not_arrived(upload.id())),
        other => Ok(other?),
    }
}

/// The asset that the sealed bytes are, or why they are not what was announced.
async fn verify(
    app: &AppState,
    tenant: TenantId,
    upload: &Upload,
    sealed: &Key,
) -> Result<Result<NewAsset, Rejection>, Problem> {
    let bytes = upload.bytes.unsigned_abs();
    let (sha256, size) = match app.blobs.sha256(sealed, bytes).await {
        Err(BlobError::TooLarge { bytes: size, .. }) => (String::new(), size),
        other => other?,
    };
    if size != bytes {
        let message = format!("the file has {size} bytes, {bytes} were announced");
        return Ok(Err(Rejection::new("size_mismatch", message)));
    }
    if upload.sha256.as_ref().is_some_and(|announced| *announced != sha256) {
        return Ok(Err(Rejection::new("sha256_mismatch", format!("the file's SHA-256 is {sha256}"))));
    }
    let prefix = app.blobs.get_prefix(sealed, sniff::PREFIX_BYTES).await?;
    if sniff::is_raw(&prefix) {
        let message = "the file is what a camera's sensor recorded, such as NEF, CR2 or DNG; develop it, and upload a JPEG or TIFF";
        return Ok(Err(Rejection::new("unknown_format", message.to_owned())));
    }
    let Some(kind) = sniff::kind(&prefix) else {
        let message = format!("the file is none of {}", accepted().join(", "));
        return Ok(Err(Rejection::new("unknown_format", message)));
    };
    let original = Key::original(&tenant.to_string(), &sha256).map_err(Problem::internal)?;
    Ok(Ok(NewAsset {
        id: AssetId::new(),
        sha256,
        bytes,
        media_type: kind.media_type(),
        filename: upload.filename.clone(),
        object_key: original.to_string(),
    }))
}

/// The object first, then the row that promises it.
async fn keep(
    app: &AppState,
    tenant: TenantId,
    id: UploadId,
    sealed: &Key,
    asset: &NewAsset,
) -> Result<(), Problem> {
    let original = Key::parse(&asset.object_key).map_err(Problem::internal)?;
    app.blobs.copy(sealed, &original).await?;
    let scan = follow_up(&MediaScan { asset: asset.id })?;
    if uploads::complete_upload(&app.db, tenant, id, asset, std::slice::from_ref(&scan)).await? {
        intake::count(&[(scan.kind, scan.queue)], &[Enqueued::Inserted]);
    }
    // The same bytes may have been deleted, and their object removed, between the copy and the row.
    if app.blobs.head(&original).await?.is_none() {
        app.blobs.copy(sealed, &original).await?;
    }
    Ok(())
}

/// A job that this request makes of itself.
pub(crate) fn follow_up<K: Job>(args: &K) -> Result<NewJob, Problem> {
    let mut new = NewJob::of(args).map_err(Problem::internal)?;
    new.traceparent = current_traceparent();
    Ok(new)
}

/// What stays behind is swept with everything else that nobody completed.
async fn remove(app: &AppState, key: &Key) {
    if let Err(error) = app.blobs.delete(key).await {
        tracing::warn!(blob.key = %key, error = ?Problem::from(error), "Could not remove {key}");
    }
}
