//! What a photograph is about.

use ::jobs::{AssetId, FocalPoint};
use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use store::focal_points::{self, NewFocalPoint};
use telemetry::trace_context::current_traceparent;
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Writer,
    extract::{Id, Json},
    problem::{FieldError, Problem, ProblemDocument},
    routes::assets::{self as shown, AssetResource},
};

/// A point of a picture as it is displayed, whichever way the camera was held.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FocalPoint)]
pub(crate) struct FocalPointBody {
    /// Thousandths of its width, from the left.
    #[schema(minimum = 0, maximum = 1_000, example = 350)]
    x_permille: u16,
    /// Thousandths of its height, from the top.
    #[schema(minimum = 0, maximum = 1_000, example = 600)]
    y_permille: u16,
}

impl FocalPointBody {
    pub(super) fn of(point: FocalPoint) -> Self {
        Self { x_permille: point.x_permille, y_permille: point.y_permille }
    }

    fn check(self) -> Result<FocalPoint, Problem> {
        let point = FocalPoint { x_permille: self.x_permille, y_permille: self.y_permille };
        point
            .check()
            .map_err(|invalid| Problem::invalid(vec![FieldError::new(invalid.pointer, invalid.reason)]))?;
        Ok(point)
    }
}

/// Say what a photograph is about.
///
/// Presets of a fixed shape (`social`, `hero`) keep what is around this point. Such pictures as there are of it are made
/// anew; the old ones stay where they are.
#[utoipa::path(
    put, path = "/v1/assets/{id}/focal-point", tag = "Files", operation_id = "set_focal_point",
    request_body = FocalPointBody, params(("id" = String, Path, description = "The photograph")),
    responses(
        (status = 200, description = "The asset as it is now", body = AssetResource),
        (status = "default", description = "A problem; 404 for what is no picture too", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn set_focal_point(
    state: State<AppState>,
    caller: Writer,
    id: Id<AssetId>,
    Json(body): Json<FocalPointBody>,
) -> Result<Answer<AssetResource>, Problem> {
    set(state, caller, id, Some(body.check()?)).await
}

/// Take back what a photograph is about.
///
/// It is its middle again. Pictures that keep a part of it are made anew.
#[utoipa::path(
    delete, path = "/v1/assets/{id}/focal-point", tag = "Files", operation_id = "remove_focal_point",
    params(("id" = String, Path, description = "The photograph")),
    responses(
        (status = 200, description = "The asset as it is now", body = AssetResource),
        (status = "default", description = "A problem; 404 for what is no picture too", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_focal_point(
    state: State<AppState>,
    caller: Writer,
    id: Id<AssetId>,
) -> Result<Answer<AssetResource>, Problem> {
    set(state, caller, id, None).await
}

async fn set(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(asset): Id<AssetId>,
    point: Option<FocalPoint>,
) -> Result<Answer<AssetResource>, Problem> {
    let new = NewFocalPoint { asset, point, traceparent: current_traceparent() };
    let again = focal_points::set(&app.db, caller.tenant, &new).await?;
    let again = again.ok_or_else(|| Problem::not_found("photograph"))?;
    tracing::info!(asset.id = %asset, "{asset} is about another point; {again} of its ladders are made anew");
    Ok(Answer(shown::show(&app, &caller, asset).await?))
}
