//! What was made of a film, as clients see it.

use ::jobs::{AssetId, TenantId};
use blob::Key;
use serde::Serialize;
use store::films;
use utoipa::ToSchema;

use crate::{AppState, limits::READ_URL_TTL, problem::Problem};

/// What was made of a film.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Film)]
pub(crate) struct FilmResource {
    /// Which ladder: `name@version`.
    preset: String,
    /// Width as shown, in pixels.
    width: i32,
    /// Height as shown, in pixels.
    height: i32,
    /// How long it plays.
    duration_ms: i64,
    /// Why it may show or sound damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<String>,
    /// The files, by name.
    files: Vec<FilmFileResource>,
}

/// One file of a film.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FilmFile)]
pub(crate) struct FilmFileResource {
    /// Its name. Playlists name others by it: whoever serves them puts them side by side, as the page of a delivery does.
    name: String,
    /// What it is for, such as `master`, `progressive` or `poster`.
    kind: String,
    /// What it is.
    media_type: String,
    /// Its size.
    bytes: i64,
    /// Where to GET it.
    url: String,
}

/// The films that were made of `asset`.
pub(super) async fn films_of(
    app: &AppState,
    tenant: TenantId,
    asset: AssetId,
) -> Result<Vec<FilmResource>, Problem> {
    let mut all = Vec::new();
    for (film, stored) in films::of_asset(&app.db, tenant, asset).await? {
        let mut files = Vec::with_capacity(stored.len());
        for file in stored {
            let key = Key::parse(&file.object_key).map_err(Problem::internal)?;
            files.push(FilmFileResource {
                url: app.blobs.presign_get(&key, READ_URL_TTL, None).await?.url,
                name: file.name,
                kind: file.kind,
                media_type: file.media_type,
                bytes: file.bytes,
            });
        }
        all.push(FilmResource {
            preset: film.preset,
            width: film.width,
            height: film.height,
            duration_ms: film.duration_ms,
            degraded: film.degraded,
            files,
        });
    }
    Ok(all)
}
