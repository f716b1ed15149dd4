//! Tenants, for keys that run the installation.

use std::collections::BTreeMap;

use ::jobs::{Queue, TenantId};
use axum::{Json as Body, extract::State, response::Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::administration::{self, Tenant};
use utoipa::ToSchema;

use super::{keys::refused, paging::Paging, schedules::PageParams};
use crate::{
    AppState,
    auth::{Caller, Installer},
    extract::{Id, Json, Params},
    limits::{TENANT_NAME_CHARS_MAX, TENANT_SLUG_CHARS_MAX, WEIGHTS},
    problem::{FieldError, Problem, ProblemDocument},
};

/// What a tenant is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTenant)]
pub(crate) struct TenantBody {
    /// Its long name, 1 to 200 characters.
    #[schema(example = "Acme Homes", max_length = 200)]
    name: String,
    /// What it counts in queues, 0.01 to 100: twice the weight is twice the jobs while both wait. Everybody begins with 1, and
    /// queues that are left out keep what they have.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, f32>, example = json!({"media": 2.0}))]
    weights: BTreeMap<Queue, f32>,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
pub(crate) struct TenantResource {
    /// Which it is.
    #[schema(value_type = String, example = "ten_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: TenantId,
    /// Its short name.
    #[schema(example = "acme")]
    slug: String,
    /// Its long name.
    name: String,
    /// What it counts in queues, where that is not 1.
    weights: BTreeMap<String, f32>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl TenantResource {
    fn of(tenant: Tenant) -> Self {
        Self {
            id: tenant.id(),
            slug: tenant.slug,
            name: tenant.name,
            weights: tenant.weights.0,
            created_at: tenant.created_at,
        }
    }
}

/// Whether a tenant may be called so.
pub fn is_slug(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=TENANT_SLUG_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-')
}

impl TenantBody {
    fn check(&self, slug: &str) -> Result<(), Problem> {
        let mut errors = Vec::new();
        if !is_slug(slug) {
            let detail = format!(
                "a short name is 1 to {TENANT_SLUG_CHARS_MAX} of a-z, 0-9 and -, not beginning with -"
            );
            errors.push(FieldError::new("", detail));
        }
        let chars = self.name.trim().chars().count();
        if !(1..=TENANT_NAME_CHARS_MAX).contains(&chars) || self.name.chars().any(char::is_control) {
            let detail = format!("takes 1 to {TENANT_NAME_CHARS_MAX} characters on one line");
            errors.push(FieldError::new("/name", detail));
        }
        let (least, most) = WEIGHTS;
        let off = self.weights.iter().filter(|(_, weight)| !(least..=most).contains(*weight));
        errors.extend(off.map(|(queue, _)| {
            FieldError::new(format!("/weights/{queue}"), format!("takes {least} to {most}"))
        }));
        if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
    }
}

/// The tenant called so, as `caller` may see it.
pub(super) async fn named(app: &AppState, caller: &Caller, slug: &str) -> Result<Tenant, Problem> {
    let found = administration::tenant(&app.db, caller.key_id()?, slug).await?;
    found.ok_or_else(|| Problem::not_found("tenant"))
}

/// Make a tenant, or change one.
///
/// The one with this short name, if there is one. Its id never changes.
#[utoipa::path(
    put, path = "/v1/tenants/{slug}", tag = "Keys", operation_id = "set_tenant", request_body = TenantBody,
    params(("slug" = String, Path, description = "Its short name: a-z, 0-9 and -", example = "acme")),
    responses(
        (status = 200, description = "The tenant as it is", body = TenantResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn set_tenant(
    State(app): State<AppState>,
    Installer(caller): Installer,
    Id(slug): Id<String>,
    Json(body): Json<TenantBody>,
) -> Result<Body<TenantResource>, Problem> {
    body.check(&slug)?;
    let by = caller.key_id()?;
    let put = administration::put_tenant(&app.db, by, &slug, body.name.trim(), &body.weights).await?;
    let is_new = put.ok_or_else(refused)?;
    tracing::info!("The tenant {slug} was {}", if is_new { "made" } else { "changed" });
    named(&app, &caller, &slug).await.map(|tenant| Body(TenantResource::of(tenant)))
}

/// Look at a tenant.
#[utoipa::path(
    get, path = "/v1/tenants/{slug}", tag = "Keys", operation_id = "get_tenant",
    params(("slug" = String, Path, description = "Its short name")),
    responses(
        (status = 200, description = "The tenant", body = TenantResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn get_tenant(
    State(app): State<AppState>,
    Installer(caller): Installer,
    Id(slug): Id<String>,
) -> Result<Body<TenantResource>, Problem> {
    named(&app, &caller, &slug).await.map(|tenant| Body(TenantResource::of(tenant)))
}

/// A page of tenants, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TenantPage {
    /// The tenants.
    tenants: Vec<TenantResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List the tenants, newest first.
#[utoipa::path(
    get, path = "/v1/tenants", tag = "Keys", operation_id = "list_tenants", params(PageParams),
    responses(
        (status = 200, description = "A page", body = TenantPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn list_tenants(
    State(app): State<AppState>,
    Installer(caller): Installer,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let paging = Paging::of(&params, |id: TenantId| id.as_uuid())?;
    let found = administration::tenants(&app.db, caller.key_id()?, paging.before, paging.most()).await?;
    let page = |found: Vec<Tenant>, next| {
        Ok(TenantPage { tenants: found.into_iter().map(TenantResource::of).collect(), next })
    };
    paging.answer("/v1/tenants", found, |tenant| tenant.id().to_string(), page)
}

#[cfg(test)]
mod tests {
    use super::is_slug;

    #[test]
    fn a_short_name_is_short_and_plain() {
        assert!(["acme", "a", "acme-homes-2", "2nd"].into_iter().all(is_slug));
        let long = "a".repeat(64);
        assert!(!["", "-acme", "Acme", "a b", "a_b", "ä", &long].into_iter().any(is_slug));
    }
}
