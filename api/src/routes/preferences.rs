//! Which channels a party wants for what.

use std::collections::BTreeMap;

use ::jobs::{Category, Channel, PartyId};
use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use store::parties::{self, Preference};
use utoipa::ToSchema;

use super::parties::no_party;
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json},
    problem::{FieldError, Problem, ProblemDocument},
};

/// The channels for each category; what is not named is as usual, and an empty list is none at all.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preferences {
    /// By category: `critical`, `operational`, `social`, `bulk`.
    #[schema(value_type = Object, example = json!({"social": ["in_app"], "bulk": []}))]
    channels: BTreeMap<Category, Vec<Channel>>,
}

impl Preferences {
    fn of(rows: Vec<Preference>) -> Self {
        Self { channels: rows.into_iter().map(|row| (row.category, row.channels)).collect() }
    }
}

/// See what a party prefers.
#[utoipa::path(
    get, path = "/v1/parties/{id}/preferences", tag = "Messages", operation_id = "get_preferences",
    params(("id" = String, Path, description = "The party")),
    responses(
        (status = 200, description = "What they chose", body = Preferences),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_preferences(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<PartyId>,
) -> Result<Answer<Preferences>, Problem> {
    parties::party(&app.db, caller.tenant, id).await?.ok_or_else(no_party)?;
    let rows = parties::preferences(&app.db, caller.tenant, id).await?;
    Ok(Answer(Preferences::of(rows)))
}

/// Set what a party prefers.
///
/// In place of what they chose before. Somebody who wants nothing critical gets it by mail all the same: nobody is locked
/// out.
#[utoipa::path(
    put, path = "/v1/parties/{id}/preferences", tag = "Messages", operation_id = "set_preferences",
    request_body = Preferences, params(("id" = String, Path, description = "The party")),
    responses(
        (status = 200, description = "What they chose", body = Preferences),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn set_preferences(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<PartyId>,
    Json(body): Json<Preferences>,
) -> Result<Answer<Preferences>, Problem> {
    for (category, channels) in &body.channels {
        if (1..channels.len()).any(|at| channels[..at].contains(&channels[at])) {
            let error = FieldError::new(format!("/channels/{category}"), "takes each channel once");
            return Err(Problem::invalid(vec![error]));
        }
    }
    let wanted: Vec<Preference> = body
        .channels
        .iter()
        .map(|(category, channels)| Preference { category: *category, channels: channels.clone() })
        .collect();
    if !parties::set_preferences(&app.db, caller.tenant, id, &wanted).await? {
        return Err(no_party());
    }
    Ok(Answer(body))
}
