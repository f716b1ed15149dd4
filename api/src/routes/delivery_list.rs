//! Deliveries, listed.

use ::jobs::DeliveryId;
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use store::deliveries::{self, DeliveryState};
use utoipa::{IntoParams, ToSchema};

use super::{
    deliveries::DeliveryResource,
    jobs::{link_filtered, page_size, read_cursor, write_cursor},
};
use crate::{
    AppState,
    auth::Reader,
    extract::Params,
    limits::{PAGE_DEFAULT, PAGE_MAX},
    problem::{Problem, ProblemDocument},
};

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryParams {
    /// Only those that are `preparing`, `open`, `expired` or `revoked`.
    #[param(value_type = Option<String>)]
    state: Option<DeliveryState>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// A page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryPage {
    /// The deliveries, without what is in them.
    deliveries: Vec<DeliveryResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List deliveries, newest first.
#[utoipa::path(
    get, path = "/v1/deliveries", tag = "Files", operation_id = "list_deliveries", params(DeliveryParams),
    responses(
        (status = 200, description = "A page", body = DeliveryPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_deliveries(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<DeliveryParams>,
) -> Result<Response, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let before = params.cursor.as_deref().map(read_cursor::<DeliveryId>).transpose()?;
    let max = i64::from(limit) + 1;
    let mut found = deliveries::list(&app.db, caller.tenant, params.state, before, max).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.id()));
    let state = params.state.map(|state| state.name().to_owned());
    let link = |next: &String| {
        let filters = [("state", state), ("cursor", Some(next.clone()))];
        HeaderValue::try_from(link_filtered("/v1/deliveries", limit, &filters)).ok()
    };
    let link = next.as_ref().and_then(link);
    let url = &app.settings.public_url;
    let deliveries = found.iter().map(|delivery| DeliveryResource::of(delivery, url)).collect();
    let mut response = Json(DeliveryPage { deliveries, next }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}
