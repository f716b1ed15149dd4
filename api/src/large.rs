//! Arguments and results that are too large for a row: on their way in, and on their way out.

use blob::{Blobs, Key};
use futures::{StreamExt, TryStreamExt, stream};
use jobs::{JobId, TenantId};
use payloads::{Of, PayloadError};
use serde_json::Value;
use store::{
    enqueue::NewJob,
    payload::{Field, Object, Payload},
};

use crate::{
    AppState,
    limits::{LARGE_PUTS_MAX, READ_URL_TTL},
    problem::{FieldError, Problem},
    resource::JobResource,
};

/// Writes the arguments of `new` to an object if they are too large for a row.
pub(crate) async fn stow(app: &AppState, tenant: TenantId, new: NewJob) -> Result<NewJob, Problem> {
    let of = Of { tenant, job: new.id, field: Field::Args };
    let args = match new.args {
        Payload::Inline(value) => payloads::stow(&app.db, &app.blobs, of, value).await?,
        stowed => stowed,
    };
    Ok(NewJob { args, ..new })
}

/// As [`stow`], for many.
pub(crate) async fn stow_all(
    app: &AppState,
    tenant: TenantId,
    new: Vec<NewJob>,
) -> Result<Vec<NewJob>, Problem> {
    stream::iter(new.into_iter().map(|new| stow(app, tenant, new)))
        .buffered(LARGE_PUTS_MAX)
        .try_collect()
        .await
}

/// The object that the arguments are in, if they are.
pub(crate) fn object(args: &Payload) -> Option<Object> {
    match args {
        Payload::Object(object) => Some(object.clone()),
        _ => None,
    }
}

/// Removes objects that no row came to name.
pub(crate) async fn forget(blobs: &Blobs, objects: impl IntoIterator<Item = Object>) {
    for object in objects {
        if let Err(error) = payloads::remove(blobs, &object).await {
            tracing::warn!(blob.key = object.key, error = ?Problem::from(error), "Left to be collected");
        }
    }
}

/// Says where the large payloads of `job` are: at the object store, by a signed URL; where they are encrypted, here.
pub(crate) async fn link(app: &AppState, job: &mut JobResource) -> Result<(), Problem> {
    if let Some(object) = job.large_args.take() {
        job.args_url = Some(url(app, job.id(), Field::Args, &object).await?);
    }
    if let Some(object) = job.large_result.take() {
        job.result_url = Some(url(app, job.id(), Field::Result, &object).await?);
    }
    Ok(())
}

async fn url(app: &AppState, job: JobId, field: Field, object: &Object) -> Result<String, Problem> {
    let name = field.name();
    if object.sealed_under.is_some() {
        return Ok(format!("{}/v1/jobs/{job}/{name}", app.settings.public_url));
    }
    let key = Key::parse(&object.key).map_err(Problem::internal)?;
    let file = format!("{job}-{name}.json");
    Ok(app.blobs.presign_get(&key, READ_URL_TTL, Some(&file)).await?.url)
}

/// The value of a payload, from wherever it is.
pub(crate) async fn value(app: &AppState, of: Of, payload: Payload) -> Result<Value, Problem> {
    if let Payload::Inline(value) = payload {
        return Ok(value);
    }
    let _place = app.large_reads.acquire().await.map_err(Problem::internal)?;
    Ok(payloads::fetch(&app.db, &app.blobs, of, payload).await?)
}

impl From<PayloadError> for Problem {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::TooLarge { field, bytes_max, .. } => {
                let pointer = format!("/{}", field.name());
                Self::invalid(vec![FieldError::new(pointer, format!("at most {bytes_max} bytes"))])
            }
            PayloadError::Store(error) => error.into(),
            PayloadError::Blob(error) => error.into(),
            other => Self::internal(other),
        }
    }
}
