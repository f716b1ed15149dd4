//! What can be asked for: kinds and presets. Any valid key may see them.

use ::jobs::{KindSpec, Policy, preset};
use axum::Json;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    extract::Id,
    problem::{Problem, ProblemDocument},
};

/// A kind of work.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Kind)]
pub(crate) struct KindResource {
    /// Its name.
    #[schema(example = "media.rendition")]
    kind: &'static str,
    /// Version of its arguments.
    version: u16,
    /// The oldest version that is still taken and brought up to date.
    oldest_version: u16,
    /// What it does, in a line.
    summary: &'static str,
    /// Where it runs unless a job says otherwise.
    queue: &'static str,
    /// Attempts, timeout, backoff and priority.
    #[schema(value_type = Object)]
    policy: Policy,
    /// JSON Schema (2020-12) of the arguments.
    #[schema(value_type = Object)]
    args_schema: &'static Value,
    /// JSON Schema (2020-12) of the result.
    #[schema(value_type = Object)]
    result_schema: &'static Value,
    /// Arguments that work.
    #[schema(value_type = Object)]
    example: &'static Value,
}

impl KindResource {
    fn of(spec: &'static KindSpec) -> Self {
        Self {
            kind: spec.kind,
            version: spec.version,
            oldest_version: spec.oldest_version,
            summary: spec.summary,
            queue: spec.queue.name(),
            policy: spec.policy,
            args_schema: &spec.args_schema,
            result_schema: &spec.result_schema,
            example: &spec.example,
        }
    }
}

/// Every kind of work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Kinds {
    /// In catalogue order.
    kinds: Vec<KindResource>,
}

/// List the kinds of work.
#[utoipa::path(
    get, path = "/v1/kinds", tag = "Kinds", operation_id = "list_kinds",
    responses(
        (status = 200, description = "Every kind", body = Kinds),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub(crate) async fn list_kinds() -> Json<Kinds> {
    Json(Kinds { kinds: ::jobs::specs().iter().map(KindResource::of).collect() })
}

/// Look at a kind of work.
#[utoipa::path(
    get, path = "/v1/kinds/{kind}", tag = "Kinds", operation_id = "get_kind",
    params(("kind" = String, Path, description = "Its name", example = "media.rendition")),
    responses(
        (status = 200, description = "The kind", body = KindResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub(crate) async fn get_kind(Id(kind): Id<String>) -> Result<Json<KindResource>, Problem> {
    let spec = ::jobs::spec(&kind).ok_or_else(|| Problem::not_found("kind"))?;
    Ok(Json(KindResource::of(spec)))
}

/// A ladder of pictures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Preset)]
pub(crate) struct PresetResource {
    /// `name@version`.
    #[schema(example = "listing@1")]
    id: String,
    /// The sizes, largest first.
    rungs: Vec<RungResource>,
    /// The formats every size is made in.
    #[schema(value_type = Vec<String>)]
    formats: &'static [preset::PictureFormat],
    /// What is kept of a picture: the largest part of it that is so wide for its height, around its focal point. All of it
    /// unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<ShapeResource>,
}

/// How wide a part of a picture is for its height.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shape)]
pub(crate) struct ShapeResource {
    /// So wide
    width: u32,
    /// for so much height.
    height: u32,
}

/// One size of a ladder.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rung)]
pub(crate) struct RungResource {
    /// Its name.
    name: &'static str,
    /// The longer side in pixels; nothing is ever enlarged.
    long_edge_px: u32,
    /// Encoder quality, 1 to 100.
    quality: u8,
}

/// Every ladder.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Presets {
    /// Oldest first.
    presets: Vec<PresetResource>,
}

/// List the presets of `media.rendition`.
#[utoipa::path(
    get, path = "/v1/presets", tag = "Kinds", operation_id = "list_presets",
    responses(
        (status = 200, description = "Every preset", body = Presets),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub(crate) async fn list_presets() -> Json<Presets> {
    let presets = preset::PRESETS.iter().map(|preset| PresetResource {
        id: preset.id(),
        rungs: preset
            .rungs
            .iter()
            .map(|rung| RungResource {
                name: rung.name,
                long_edge_px: rung.long_edge_px,
                quality: rung.quality,
            })
            .collect(),
        formats: preset.formats,
        shape: preset.shape.map(|shape| ShapeResource { width: shape.width, height: shape.height }),
    });
    Json(Presets { presets: presets.collect() })
}
