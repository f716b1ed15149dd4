//! More of a queue for a tenant, or less, for a while: for keys that run the installation.

use ::jobs::Queue;
use axum::{
    Json as Answer,
    extract::{Path, State},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::weights::{self, Share, Weighed};
use utoipa::ToSchema;

use super::tenants::is_slug;
use crate::{
    AppState,
    auth::{Caller, Installer},
    extract::Json,
    limits::{WEIGHT_MINUTES_MAX, WEIGHTS},
    problem::{FieldError, Problem, ProblemDocument},
};

/// What a tenant counts in a queue for a while.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTenantWeight)]
pub(crate) struct WeightBody {
    /// Its weight: twice the weight is twice the jobs while others wait too.
    #[schema(minimum = 0.01, maximum = 100, example = 2.5)]
    weight: f32,
    /// For how many minutes; then it counts as usual.
    #[schema(minimum = 1, maximum = 10_080, example = 60)]
    minutes: i32,
}

/// What a tenant counts in a queue for a while.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantWeight)]
pub(crate) struct WeightResource {
    /// The tenant's short name.
    #[schema(example = "acme")]
    tenant: String,
    /// Its long name.
    name: String,
    /// Of which queue.
    #[schema(example = "media")]
    queue: String,
    /// Its weight now.
    weight: f32,
    /// Its weight after that.
    usual_weight: f32,
    /// Until when.
    until: DateTime<Utc>,
}

/// What is weighed otherwise for a while.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TenantWeights {
    /// The first to end first, up to 1,000.
    weights: Vec<WeightResource>,
}

impl WeightResource {
    fn of(weighed: Weighed) -> Self {
        let Weighed { slug, name, queue, weight, usual_weight, weight_until } = weighed;
        Self { tenant: slug, name, queue, weight, usual_weight, until: weight_until }
    }
}

impl WeightBody {
    fn check(&self) -> Result<(), Problem> {
        let mut errors = Vec::new();
        let (least, most) = WEIGHTS;
        if !(least..=most).contains(&self.weight) {
            errors.push(FieldError::new("/weight", format!("takes {least} to {most}")));
        }
        if !(1..=WEIGHT_MINUTES_MAX).contains(&self.minutes) {
            errors.push(FieldError::new("/minutes", format!("takes 1 to {WEIGHT_MINUTES_MAX}")));
        }
        if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
    }
}

/// The share that the path names.
fn share<'a>(caller: &Caller, slug: &'a str, queue: &str) -> Result<Share<'a>, Problem> {
    let queue: Queue = queue.parse().map_err(|_| Problem::not_found("queue"))?;
    if !is_slug(slug) {
        return Err(Problem::not_found("tenant"));
    }
    Ok(Share { by: caller.key_id()?, slug, queue })
}

/// Give a tenant more of a queue for a while, or less.
///
/// It begins with the next jobs and ends by itself. Weighing it again takes the new weight and time. A tenant can be weighed in a queue
/// from its first job there on. It is written into the log of the installation.
#[utoipa::path(
    put, path = "/v1/tenants/{slug}/weights/{queue}", tag = "Queues", operation_id = "weigh_tenant", request_body = WeightBody,
    params(
        ("slug" = String, Path, description = "The tenant's short name", example = "acme"),
        ("queue" = String, Path, description = "The queue", example = "media"),
    ),
    responses(
        (status = 200, description = "How it is weighed", body = WeightResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn weigh_tenant(
    State(app): State<AppState>,
    Installer(caller): Installer,
    Path((slug, queue)): Path<(String, String)>,
    Json(body): Json<WeightBody>,
) -> Result<Answer<WeightResource>, Problem> {
    let share = share(&caller, &slug, &queue)?;
    body.check()?;
    let weighed = share.weigh(&app.db, body.weight, body.minutes * 60).await?;
    let weighed = weighed.ok_or_else(|| {
        Problem::not_found("share; a tenant has one of a queue from its first job there on")
    })?;
    tracing::info!("{slug} is weighed {} in {queue} for {} min", body.weight, body.minutes);
    Ok(Answer(WeightResource::of(weighed)))
}

/// Weigh a tenant as usual.
///
/// Before its time is over. It is written into the log of the installation.
#[utoipa::path(
    delete, path = "/v1/tenants/{slug}/weights/{queue}", tag = "Queues", operation_id = "weigh_tenant_as_usual",
    params(
        ("slug" = String, Path, description = "The tenant's short name"),
        ("queue" = String, Path, description = "The queue"),
    ),
    responses(
        (status = 204, description = "It counts as usual"),
        (status = "default", description = "A problem; 404 also when it counted as usual", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn weigh_tenant_as_usual(
    State(app): State<AppState>,
    Installer(caller): Installer,
    Path((slug, queue)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    if !share(&caller, &slug, &queue)?.weigh_as_usual(&app.db).await? {
        return Err(Problem::not_found("share that is weighed otherwise"));
    }
    tracing::info!("{slug} is weighed as usual in {queue}");
    Ok(StatusCode::NO_CONTENT)
}

/// List what is weighed otherwise for a while.
///
/// Shares of every tenant.
#[utoipa::path(
    get, path = "/v1/tenant-weights", tag = "Queues", operation_id = "list_tenant_weights",
    responses(
        (status = 200, description = "What is weighed otherwise", body = TenantWeights),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn list_tenant_weights(
    State(app): State<AppState>,
    Installer(caller): Installer,
) -> Result<Answer<TenantWeights>, Problem> {
    let weighed = weights::list_for_key(&app.db, caller.key_id()?).await?;
    Ok(Answer(TenantWeights { weights: weighed.into_iter().map(WeightResource::of).collect() }))
}
