//! The mark that is laid over branded pictures.

use ::jobs::{AssetId, brand::Corner};
use axum::{Json as Answer, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::brands::{self, Brand, NewBrand};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::Json,
    problem::{FieldError, Problem, ProblemDocument},
};

/// How wide a mark is unless it is said.
const WIDTH_PERCENT_DEFAULT: i16 = 20;
/// How much a mark covers unless it is said.
const OPACITY_PERCENT_DEFAULT: i16 = 80;

/// A mark, and how it is laid over pictures.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBrand)]
pub(crate) struct BrandBody {
    /// The mark: a clean asset, best a PNG that is transparent where the photograph should show.
    #[schema(value_type = String, example = "ast_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    asset: AssetId,
    /// Where it goes: `top_left`, `top_right`, `bottom_left`, `bottom_right` or `center`; `bottom_right` unless given.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "bottom_right")]
    corner: Option<Corner>,
    /// Its width, in percent of the picture's, 1 to 100; 20 unless given. It is never enlarged, and never higher than half
    /// the picture.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100)]
    width_percent: Option<i16>,
    /// How much it covers, in percent, 1 to 100; 80 unless given.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100)]
    opacity_percent: Option<i16>,
}

impl BrandBody {
    fn check(self, by: String) -> Result<NewBrand, Problem> {
        let width_percent = self.width_percent.unwrap_or(WIDTH_PERCENT_DEFAULT);
        let opacity_percent = self.opacity_percent.unwrap_or(OPACITY_PERCENT_DEFAULT);
        let percents = [("/width_percent", width_percent), ("/opacity_percent", opacity_percent)];
        let errors: Vec<FieldError> = percents
            .into_iter()
            .filter(|(_, percent)| !(1..=100).contains(percent))
            .map(|(pointer, _)| FieldError::new(pointer, "takes 1 to 100"))
            .collect();
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let corner = self.corner.unwrap_or(Corner::BottomRight).name();
        Ok(NewBrand { asset: self.asset, corner, width_percent, opacity_percent, by })
    }
}

/// The mark, and how it is laid over pictures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Brand)]
pub(crate) struct BrandResource {
    /// The mark.
    #[schema(value_type = String)]
    asset: AssetId,
    /// Where it goes.
    corner: String,
    /// Its width, in percent of the picture's.
    width_percent: i16,
    /// How much it covers, in percent.
    opacity_percent: i16,
    /// What stands after a `-` in the presets of pictures with this mark; another one as soon as they would look otherwise.
    tag: String,
    /// When it was set.
    updated_at: DateTime<Utc>,
}

impl BrandResource {
    fn of(brand: Brand) -> Self {
        Self {
            asset: brand.asset(),
            tag: brand.tag(),
            corner: brand.corner,
            width_percent: brand.width_percent,
            opacity_percent: brand.opacity_percent,
            updated_at: brand.updated_at,
        }
    }
}

/// Set the mark.
///
/// In place of the one before. Pictures that were made stay as they are; `media.rendition` with `branded` makes new ones.
#[utoipa::path(
    put, path = "/v1/brand", tag = "Files", operation_id = "set_brand", request_body = BrandBody,
    responses(
        (status = 200, description = "The mark as it stands", body = BrandResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn set_brand(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Json(body): Json<BrandBody>,
) -> Result<Answer<BrandResource>, Problem> {
    let new = body.check(caller.key.to_string())?;
    if !brands::set(&app.db, caller.tenant, &new).await? {
        return Err(Problem::invalid(vec![FieldError::new(
            "/asset",
            "there is no clean picture with this id",
        )]));
    }
    let brand = brands::brand(&app.db, caller.tenant).await?.ok_or_else(no_brand)?;
    Ok(Answer(BrandResource::of(brand)))
}

/// See the mark.
#[utoipa::path(
    get, path = "/v1/brand", tag = "Files", operation_id = "get_brand",
    responses(
        (status = 200, description = "The mark as it stands", body = BrandResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_brand(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Answer<BrandResource>, Problem> {
    let brand = brands::brand(&app.db, caller.tenant).await?.ok_or_else(no_brand)?;
    Ok(Answer(BrandResource::of(brand)))
}

/// End the mark.
///
/// Pictures that were made with it stay.
#[utoipa::path(
    delete, path = "/v1/brand", tag = "Files", operation_id = "remove_brand",
    responses(
        (status = 204, description = "There is none any more"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_brand(
    State(app): State<AppState>,
    Writer(caller): Writer,
) -> Result<StatusCode, Problem> {
    if brands::remove(&app.db, caller.tenant).await? { Ok(StatusCode::NO_CONTENT) } else { Err(no_brand()) }
}

fn no_brand() -> Problem {
    Problem::not_found("brand")
}
