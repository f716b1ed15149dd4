//! Originals, listed.

use ::jobs::AssetState;
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::assets::{self, Filter};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Reader,
    extract::Params,
    limits::{PAGE_DEFAULT, PAGE_MAX},
    problem::{Problem, ProblemDocument},
    routes::{
        assets::AssetResource,
        jobs::{link_filtered, page_size, read_cursor, write_cursor},
    },
};

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AssetParams {
    /// Only those that are `quarantined`, `clean`, `infected` or `unscannable`.
    #[param(value_type = Option<String>)]
    state: Option<AssetState>,
    /// Only those of this media type, such as `image/jpeg`.
    media_type: Option<String>,
    /// Only those with these bytes: their SHA-256, hexadecimal.
    sha256: Option<String>,
    /// Only those that were verified then or later.
    since: Option<DateTime<Utc>>,
    /// Only those that were verified before.
    until: Option<DateTime<Utc>>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

impl AssetParams {
    fn filter(&self) -> Filter {
        Filter {
            state: self.state,
            media_type: self.media_type.clone(),
            sha256: self.sha256.as_ref().map(|sha256| sha256.to_ascii_lowercase()),
            since: self.since,
            until: self.until,
        }
    }

    fn link(&self, limit: u16, next: &str) -> String {
        let time = |time: DateTime<Utc>| time.to_rfc3339();
        let filters = [
            ("state", self.state.map(|state| state.name().to_owned())),
            ("media_type", self.media_type.clone()),
            ("sha256", self.sha256.clone()),
            ("since", self.since.map(time)),
            ("until", self.until.map(time)),
            ("cursor", Some(next.to_owned())),
        ];
        link_filtered("/v1/assets", limit, &filters)
    }
}

/// A page of assets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Assets {
    /// Newest first, without addresses and pictures.
    assets: Vec<AssetResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List the assets, newest first.
#[utoipa::path(
    get, path = "/v1/assets", tag = "Files", operation_id = "list_assets", params(AssetParams),
    responses(
        (status = 200, description = "A page; the asset itself has the addresses", body = Assets),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_assets(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<AssetParams>,
) -> Result<Response, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let after = params.cursor.as_deref().map(read_cursor).transpose()?;
    let mut found =
        assets::list(&app.db, caller.tenant, &params.filter(), after, i64::from(limit) + 1).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.id()));
    let link = next.as_ref().and_then(|next| HeaderValue::try_from(params.link(limit, next)).ok());
    let assets = found.into_iter().map(AssetResource::line).collect::<Result<_, _>>()?;
    let mut response = Json(Assets { assets, next }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}
