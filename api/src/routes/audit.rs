//! The log of what was done, for keys: of a tenant, or of the installation.

use axum::{
    Json as Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{
    audit::Entry,
    audit_lines::{self, Fitting, Whose},
};
use utoipa::{IntoParams, ToSchema};

use super::jobs::{page_size, read_cursor, write_cursor};
use crate::{
    AppState,
    auth::{Installer, Operator},
    extract::Params,
    limits::{OPS_TARGET_CHARS_MAX, PAGE_DEFAULT, PAGE_MAX},
    problem::{Code, Problem, ProblemDocument},
};

/// Which entries. Everything that is left out fits.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParams {
    /// What was done, such as `job.retry` or `pause`.
    action: Option<String>,
    /// To what: an id or a name.
    target: Option<String>,
    /// By whom: an API key's id, or the address of somebody.
    by: Option<String>,
    /// Not before.
    since: Option<DateTime<Utc>>,
    /// Before.
    until: Option<DateTime<Utc>>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

impl AuditParams {
    fn fitting(self) -> Result<Fitting, Problem> {
        let refuse = |detail: String| Err(Problem::new(Code::InvalidParameter, detail));
        for text in [&self.action, &self.target, &self.by].into_iter().flatten() {
            if text.chars().count() > OPS_TARGET_CHARS_MAX || text.contains('\0') {
                return refuse(format!("action, target and by: up to {OPS_TARGET_CHARS_MAX} characters"));
            }
        }
        if [self.since, self.until].into_iter().flatten().any(|at| !(2000..=9999).contains(&at.year())) {
            return refuse("since and until: in the years 2000 to 9999".to_owned());
        }
        let Self { action, target, by, since, until, .. } = self;
        Ok(Fitting { action, target, by, since, until })
    }
}

/// An entry of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// Its number in its chain, from 1.
    seq: i64,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<DateTime<Utc>>,
    /// Who: an API key, or somebody by their address. None for what came of an action of theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// What was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "job.retry")]
    action: Option<String>,
    /// To what.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// `asked`, then `done` or `failed`; or `refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    /// All of it: `before` and `after` too, and in `of` the number of the action that it is what came of.
    #[schema(value_type = Object)]
    said: Value,
    /// The same, to the byte as it was hashed.
    entry: String,
    /// SHA-256 of the hash before and of `entry`, in hexadecimal.
    hash: String,
}

impl AuditEntry {
    fn of(entry: Entry) -> Self {
        let said: Value = serde_json::from_str(&entry.entry).unwrap_or_default();
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        Self {
            seq: entry.seq,
            at: text("at").and_then(|at| at.parse().ok()),
            by: text("by"),
            action: text("action"),
            target: text("target"),
            outcome: text("outcome"),
            said,
            entry: entry.entry,
            hash: hex::encode(entry.hash),
        }
    }
}

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// Newest first. One page looks at 10,000 entries for those that fit, so it may be short and yet not the last.
    entries: Vec<AuditEntry>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// Read what was done in a tenant.
///
/// By its keys and its people, newest first. Each entry's hash covers the one before, so one that was noted elsewhere vouches for
/// everything up to it.
#[utoipa::path(
    get, path = "/v1/audit", tag = "Operation", operation_id = "list_audit", params(AuditParams),
    responses(
        (status = 200, description = "A page", body = AuditPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn list_audit(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Params(params): Params<AuditParams>,
) -> Result<Response, Problem> {
    answer(&app, Whose::Tenant(caller.tenant), "/v1/audit", params).await
}

/// Read what was done to the installation.
///
/// Who signed in, who was added, what tenants were given. As that of a tenant.
#[utoipa::path(
    get, path = "/v1/installation-audit", tag = "Operation", operation_id = "list_installation_audit", params(AuditParams),
    responses(
        (status = 200, description = "A page", body = AuditPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["installation"])),
)]
pub(crate) async fn list_installation_audit(
    State(app): State<AppState>,
    Installer(caller): Installer,
    Params(params): Params<AuditParams>,
) -> Result<Response, Problem> {
    answer(&app, Whose::Installation(caller.key_id()?), "/v1/installation-audit", params).await
}

async fn answer(app: &AppState, whose: Whose, path: &str, params: AuditParams) -> Result<Response, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let before = params.cursor.as_deref().map(read_cursor::<i64>).transpose()?;
    let fitting = params.fitting()?;
    let found = audit_lines::page(&app.db, whose, &fitting, before, i64::from(limit)).await?;
    let next = found.next.map(write_cursor);
    let link = next.as_ref().and_then(|next| link(path, limit, &fitting, next).try_into().ok());
    let entries = found.entries.into_iter().map(AuditEntry::of).collect();
    let mut response = Body(AuditPage { entries, next }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

/// The `Link` to the page after.
fn link(path: &str, limit: u16, fitting: &Fitting, next: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string()).append_pair("cursor", next);
    for (name, text) in [("action", &fitting.action), ("target", &fitting.target), ("by", &fitting.by)] {
        query.extend_pairs(text.as_ref().map(|text| (name, text)));
    }
    for (name, at) in [("since", fitting.since), ("until", fitting.until)] {
        query.extend_pairs(at.map(|at| (name, at.to_rfc3339())));
    }
    format!("<{path}?{}>; rel=\"next\"", query.finish())
}
