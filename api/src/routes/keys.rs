//! Keys: of one's own tenant, for those of its keys that may do everything; of any, for those that run the installation.

use ::jobs::{ApiKeyId, TenantId, UserId};
use axum::{
    Json as Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use store::{
    administration::{self, Asking, Key, Made},
    keys::NewKey,
    submit::Answer,
};
use utoipa::ToSchema;

use super::{
    paging::Paging,
    schedules::PageParams,
    submit::{mismatch, replayed, respond},
    tenants,
};
use crate::{
    AppState,
    auth::{self, Admin, Caller, Installer, Scope},
    extract::{Id, Json, Params},
    idempotency,
    limits::{KEY_NAME_CHARS_MAX, KEYS_MAX},
    problem::{Code, FieldError, Problem, ProblemDocument},
};

const ROUTE: &str = "POST /v1/keys";
const ROUTE_OF_TENANT: &str = "POST /v1/tenants/{slug}/keys";

/// A key that is wanted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewKey)]
pub(crate) struct KeyBody {
    /// What it is for, for people: 1 to 200 characters.
    #[schema(example = "laptop", max_length = 200)]
    name: String,
    /// What it may do: `jobs:write`, `jobs:read`, `payloads:read`, `private:read`, `queue:operate`, or `admin`, which has all of them. `installation` is for keys that
    /// have it to give.
    #[schema(value_type = Vec<String>, min_items = 1, example = json!(["jobs:write", "jobs:read"]))]
    scopes: Vec<Scope>,
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyResource {
    /// Which it is.
    #[schema(value_type = String, example = "key_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: ApiKeyId,
    /// What is printed before its secret.
    #[schema(example = "k3v9q0c2m8xw")]
    prefix: String,
    /// What it is for.
    name: String,
    /// What it may do.
    scopes: Vec<String>,
    /// For whom it was made: where two people are needed, it counts as them. Keys that it makes are theirs, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "usr_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    person: Option<UserId>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<DateTime<Utc>>,
    /// The key itself. Shown once, in the answer that makes it, and kept nowhere: not in an answer that is given again, either.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl KeyResource {
    fn of(key: &Key) -> Self {
        Self {
            id: key.id(),
            prefix: key.prefix.clone(),
            name: key.name.clone(),
            scopes: key.scopes.clone(),
            person: key.person(),
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            key: None,
        }
    }
}

impl KeyBody {
    /// The name, and the words of the scopes.
    fn check(&self) -> Result<(&str, Vec<String>), Problem> {
        let name = self.name.trim();
        let mut errors = Vec::new();
        if !(1..=KEY_NAME_CHARS_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            let detail = format!("takes 1 to {KEY_NAME_CHARS_MAX} characters on one line");
            errors.push(FieldError::new("/name", detail));
        }
        if self.scopes.is_empty() {
            errors.push(FieldError::new("/scopes", "takes one or more"));
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let mut scopes: Vec<String> = self.scopes.iter().map(|scope| scope.name().to_owned()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        Ok((name, scopes))
    }
}

/// Make a key.
///
/// Of the same tenant. The answer has the key, this once.
#[utoipa::path(
    post, path = "/v1/keys", tag = "Keys", operation_id = "create_key", request_body = KeyBody,
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 201, description = "The key, with its text", body = KeyResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"])),
)]
pub(crate) async fn create_key(
    State(app): State<AppState>,
    Admin(caller): Admin,
    headers: HeaderMap,
    Json(body): Json<KeyBody>,
) -> Result<Response, Problem> {
    let tenant = caller.tenant;
    make(&app, &caller, tenant, "/v1/keys", ROUTE, &headers, &body).await
}

/// A page of keys, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyPage {
    /// The keys, revoked ones too.
    keys: Vec<KeyResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List the keys, newest first.
///
/// Of the same tenant.
#[utoipa::path(
    get, path = "/v1/keys", tag = "Keys", operation_id = "list_keys", params(PageParams),
    responses(
        (status = 200, description = "A page", body = KeyPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"])),
)]
pub(crate) async fn list_keys(
    State(app): State<AppState>,
    Admin(caller): Admin,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    page(&app, caller.tenant, "/v1/keys", &params).await
}

/// Revoke a key.
///
/// Of the same tenant. Running servers stop taking it within 10 seconds. One that was revoked before stays so.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "Keys", operation_id = "revoke_key",
    params(("id" = String, Path, description = "The key")),
    responses(
        (status = 204, description = "It opens nothing more"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"])),
)]
pub(crate) async fn revoke_key(
    State(app): State<AppState>,
    Admin(caller): Admin,
    Id(id): Id<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    revoke(&app, &caller, caller.tenant, id).await
}

/// Make a key of a tenant.
///
/// The answer has the key, this once.
#[utoipa::path(
    post, path = "/v1/tenants/{slug}/keys", tag = "Keys", operation_id = "create_tenant_key", request_body = KeyBody,
    params(
        ("slug" = String, Path, description = "The tenant's short name"),
        ("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h"),
    ),
    responses(
        (status = 201, description = "The key, with its text", body = KeyResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn create_tenant_key(
    State(app): State<AppState>,
    Installer(caller): Installer,
    Id(slug): Id<String>,
    headers: HeaderMap,
    Json(body): Json<KeyBody>,
) -> Result<Response, Problem> {
    let tenant = tenants::named(&app, &caller, &slug).await?.id();
    let path = format!("/v1/tenants/{slug}/keys");
    // The same body for another tenant is another request.
    make(&app, &caller, tenant, &path, ROUTE_OF_TENANT, &headers, &(&slug, &body)).await
}

/// List the keys of a tenant, newest first.
#[utoipa::path(
    get, path = "/v1/tenants/{slug}/keys", tag = "Keys", operation_id = "list_tenant_keys",
    params(("slug" = String, Path, description = "The tenant's short name"), PageParams),
    responses(
        (status = 200, description = "A page", body = KeyPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn list_tenant_keys(
    State(app): State<AppState>,
    Installer(caller): Installer,
    Id(slug): Id<String>,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let tenant = tenants::named(&app, &caller, &slug).await?.id();
    page(&app, tenant, &format!("/v1/tenants/{slug}/keys"), &params).await
}

/// Revoke a key of a tenant.
///
/// Running servers stop taking it within 10 seconds. One that was revoked before stays so.
#[utoipa::path(
    delete, path = "/v1/tenants/{slug}/keys/{id}", tag = "Keys", operation_id = "revoke_tenant_key",
    params(
        ("slug" = String, Path, description = "The tenant's short name"),
        ("id" = String, Path, description = "The key"),
    ),
    responses(
        (status = 204, description = "It opens nothing more"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn revoke_tenant_key(
    State(app): State<AppState>,
    Installer(caller): Installer,
    Path((slug, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("key"))?;
    let tenant = tenants::named(&app, &caller, &slug).await?.id();
    revoke(&app, &caller, tenant, id).await
}

/// What a request asks for, as it is fingerprinted.
trait Wish: Serialize + Sync {
    fn key(&self) -> &KeyBody;
}

impl Wish for KeyBody {
    fn key(&self) -> &KeyBody {
        self
    }
}

impl Wish for (&String, &KeyBody) {
    fn key(&self) -> &KeyBody {
        self.1
    }
}

async fn make(
    app: &AppState,
    caller: &Caller,
    tenant: TenantId,
    path: &str,
    route: &'static str,
    headers: &HeaderMap,
    wish: &impl Wish,
) -> Result<Response, Problem> {
    let once = idempotency::read(headers, route, wish, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, once.as_ref())?;
    let (name, scopes) = wish.key().check()?;
    let minted = auth::mint().map_err(Problem::internal)?;
    let new = NewKey {
        id: ApiKeyId::new(),
        prefix: &minted.prefix,
        secret_sha256: minted.secret_sha256,
        name,
        scopes: &scopes,
    };
    let location = format!("{path}/{}", new.id);
    let mut resource = None;
    let answer = |made: &Key| {
        let made = resource.insert(KeyResource::of(made));
        Answer::of(201, Some(location.clone()), made)
    };
    let asking = Asking { tenant: caller.tenant, by: caller.key_id()?, once: once.as_ref() };
    match administration::make_key(&app.db, asking, tenant, &new, KEYS_MAX, answer).await? {
        Made::New(_) => {
            tracing::info!("{} was made", new.id);
            let text = minted.text.expose_secret().to_owned();
            let shown = resource.map(|resource| KeyResource { key: Some(text), ..resource });
            Ok((StatusCode::CREATED, [(header::LOCATION, location)], Body(shown)).into_response())
        }
        Made::Replayed(answer) => Ok(replayed(respond(answer))),
        Made::Mismatch => Err(mismatch()),
        Made::TooMany => {
            let detail = format!("a tenant has at most {KEYS_MAX} valid keys; revoke one");
            Err(Problem::new(Code::TooMany, detail))
        }
        Made::Refused => Err(refused()),
    }
}

async fn page(
    app: &AppState,
    tenant: TenantId,
    path: &str,
    params: &PageParams,
) -> Result<Response, Problem> {
    let paging = Paging::of(params, |id: ApiKeyId| id.as_uuid())?;
    let found = administration::keys(&app.db, tenant, paging.before, paging.most()).await?;
    let page =
        |found: Vec<Key>, next| Ok(KeyPage { keys: found.iter().map(KeyResource::of).collect(), next });
    paging.answer(path, found, |key| key.id().to_string(), page)
}

async fn revoke(
    app: &AppState,
    caller: &Caller,
    tenant: TenantId,
    id: ApiKeyId,
) -> Result<StatusCode, Problem> {
    match administration::revoke_key(&app.db, caller.key_id()?, tenant, id).await? {
        Some(true) => {
            tracing::info!("{id} was revoked");
            Ok(StatusCode::NO_CONTENT)
        }
        Some(false) => Err(Problem::not_found("key")),
        None => Err(refused()),
    }
}

/// Whoever asks was let in for less, or was revoked a moment ago.
pub(super) fn refused() -> Problem {
    Problem::new(Code::MissingScope, "this needs a valid key with the scope installation")
}
