//! Before every page and every action: who asks, whether they may, and that it is written down.
//!
//! An action is written down before it is done, with how things stood, and once more with what came of it. So nothing is
//! done of which the log does not know, even if this process dies in between.

use std::{collections::HashMap, time::Instant};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts, RawPathParams, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use jobs::{TenantId, UserId};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::{
    audit,
    sessions::{self, Place, Session},
    users::UserRole,
};
use subtle::ConstantTimeEq;
use tracing::Instrument;

use super::{
    access::{self, Right},
    languages, layout, origin,
    routes::Route,
    session,
    subject::Subject,
    words, zones,
};
use crate::{
    AppState,
    auth::{Caller, Scope},
    extract,
    limits::{FORM_BYTES_MAX, OPS_TARGET_CHARS_MAX},
    problem::{Code, Problem},
    request,
    seeing::Sight,
};

/// Somebody who was let in, and where they are.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) user: UserId,
    pub(crate) email: String,
    pub(crate) name: String,
    /// The tenant that the page is of.
    pub(crate) tenant: Option<Place>,
    pub(crate) role: UserRole,
    /// May see arguments, results and log lines.
    pub(crate) sees_payloads: bool,
    /// And what of them is private.
    pub(crate) sees_private: bool,
    /// What every form has to carry.
    pub(crate) csrf: String,
}

impl Visit {
    /// The tenant that the page is of.
    pub(crate) fn here(&self) -> Result<&Place, Problem> {
        self.tenant.as_ref().ok_or_else(|| Problem::not_found("tenant"))
    }

    /// Its id.
    pub(crate) fn tenant(&self) -> Result<TenantId, Problem> {
        self.here().map(|place| place.id)
    }

    /// Whether they may do such things here.
    pub(crate) fn may(&self, right: Right) -> bool {
        access::may(self.role, self.sees_payloads, right)
    }

    /// What they may see.
    pub(crate) fn sight(&self) -> Sight {
        Sight { payloads: self.sees_payloads, private: self.sees_private }
    }

    /// As the API knows them.
    pub(crate) fn caller(&self) -> Result<Caller, Problem> {
        let mut scopes = access::scopes(self.role).to_vec();
        scopes.extend(self.sees_payloads.then_some(Scope::PayloadsRead));
        scopes.extend(self.sees_private.then_some(Scope::PrivateRead));
        Ok(Caller::person(self.tenant()?, self.user, &self.email, &scopes))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::not_found("path"))
    }
}

/// What the guard of one route knows.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) app: AppState,
    pub(super) route: Route,
}

/// Lets a request through to its page, or says why not.
pub(super) async fn guard(
    State(gate): State<Gate>,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let zone = zones::kept(request.headers());
    let mut response = match words::reading(zone, pass(&gate, &params, request, next)).await {
        Ok(response) | Err(Refusal::Elsewhere(response)) => response,
        Err(Refusal::Problem(problem)) => problem.into_response(),
    };
    let problem = request::problem_of(&mut response).or_else(|| misread(&response));
    match problem {
        Some(problem) => {
            request::write_down(&problem, &method, gate.route.path);
            layout::problem(&problem, &path)
        }
        None => response,
    }
}

/// What axum says in its own words of a query or a form that does not fit.
fn misread(response: &Response) -> Option<Problem> {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_bare =
        response.status().is_client_error() && !kind.is_some_and(|kind| kind.starts_with("text/html"));
    is_bare
        .then(|| Problem::new(Code::InvalidParameter, "a field of the address or of the form does not fit"))
}

enum Refusal {
    Elsewhere(Response),
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

async fn pass(
    gate: &Gate,
    params: &RawPathParams,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let Gate { app, route } = gate;
    let param = |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    let elsewhere = sign_in(&request);
    let Some(token) = session::token(request.headers()) else { return Err(elsewhere) };
    if params.iter().any(|(_, value)| value.contains('\0')) {
        return Err(Problem::not_found("page").into());
    }
    let slug = param("tenant");
    let found = sessions::find(&app.db, session::hash(&token), slug.as_deref()).await?;
    let Some(found) = found else { return Err(elsewhere) };
    let allowance = app.people.take(found.user, Instant::now());
    if !allowance.allowed {
        let seconds = allowance.next_in_s;
        return Err(Problem::new(Code::RateLimited, format!("wait {seconds} s")).retry_after(seconds).into());
    }
    let visit = admit(app, route, &found, slug.is_some(), &token, request.uri().clone()).await?;
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(visit.clone());
    let Some(act) = route.act else { return Ok(next.run(Request::from_parts(parts, body)).await) };
    let (body, fields) = form(app, &visit, &parts.headers, body).await?;
    let tenant = visit.tenant.as_ref().map(|place| place.id);
    let before = act.subject.look(app, tenant, &param).await?;
    let target: Vec<String> = ["id", "event", "delivery"].iter().filter_map(|name| param(name)).collect();
    let said = json!({
        "by": visit.email, "user": visit.user, "role": visit.role.name(), "action": act.word,
        "target": target.join(" "), "asked": fields, "before": before, "outcome": "asked",
    });
    let asked = audit::append(&app.db, tenant, &said).await?;
    let named: HashMap<String, String> =
        params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let gate = gate.clone();
    // In a task of its own: whoever goes away in the middle does not keep what came of it out of the log.
    let acting = async move {
        let response = next.run(Request::from_parts(parts, Body::from(body))).await;
        conclude(&gate, &visit, asked, act.subject, &|name| named.get(name).cloned(), response.status())
            .await;
        response
    };
    Ok(tokio::spawn(
        languages::speaking(languages::language(), words::reading(words::zone(), acting)).in_current_span(),
    )
    .await
    .map_err(Problem::internal)?)
}

/// Whether whoever has this session may have this page. Who may not is written down.
async fn admit(
    app: &AppState,
    route: &Route,
    found: &Session,
    names_tenant: bool,
    token: &str,
    uri: Uri,
) -> Result<Visit, Refusal> {
    let is_here = !names_tenant || found.tenant.is_some();
    let held = if route.right == Right::SignedIn { Some(UserRole::Viewer) } else { found.role };
    if let Some(role) = held.filter(|role| is_here && access::may(*role, found.sees_payloads, route.right)) {
        return Ok(Visit {
            user: found.user,
            email: found.email.clone(),
            name: found.name.clone(),
            tenant: found.tenant.clone(),
            role,
            sees_payloads: found.sees_payloads,
            sees_private: found.sees_private,
            csrf: session::csrf(token),
        });
    }
    if route.right == Right::SeeAll && route.path == super::ROOT {
        return Err(Refusal::Elsewhere(Redirect::to(super::TENANTS_OF_MINE).into_response()));
    }
    // Whoever is somebody in the whole installation has only mistyped it.
    if !is_here && found.role.is_some() {
        return Err(Problem::not_found("tenant").into());
    }
    let allowance = app.refusals.take(found.user, Instant::now());
    if !allowance.allowed {
        let wait = allowance.next_in_s;
        let detail = format!("so much was refused to you that you have to wait {wait} s");
        return Err(Problem::new(Code::RateLimited, detail).retry_after(wait).into());
    }
    let target: String = uri.path().chars().take(OPS_TARGET_CHARS_MAX).collect();
    let said = json!({
        "by": found.email, "user": found.user, "role": found.role.map(UserRole::name), "outcome": "refused",
        "action": route.act.map_or("see", |act| act.word), "target": target,
    });
    audit::append(&app.db, found.tenant.as_ref().map(|place| place.id), &said).await?;
    // Of a tenant that they have nothing to do with they learn nothing, not even that it is there.
    match found.role {
        None => Err(Problem::not_found("page, or it is not for you").into()),
        Some(role) => {
            let detail = format!("a {} may not do that; it was written down", role.name().replace('_', " "));
            Err(Problem::new(Code::NotAllowed, detail).into())
        }
    }
}

/// The form of an action, which has to come from one of our pages.
async fn form(
    app: &AppState,
    visit: &Visit,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, Value), Problem> {
    origin::ours(headers)?;
    let body = extract::collect(body, headers, app, FORM_BYTES_MAX).await?;
    let mut fields = Map::new();
    let mut given = String::new();
    for (name, value) in form_urlencoded::parse(&body) {
        match &*name {
            "csrf" => given = value.into_owned(),
            // What jobs are given is for those who may see payloads; the log is for more people.
            "args" | "holds" => drop(fields.insert(name.into_owned(), "not written down".into())),
            _ => drop(fields.insert(name.into_owned(), value.into_owned().into())),
        }
    }
    if !bool::from(given.as_bytes().ct_eq(visit.csrf.as_bytes())) {
        return Err(Problem::new(Code::NotAllowed, "the form is of another session; load the page again"));
    }
    // A NUL is text to a form and to nobody else.
    let holds_nul = |(name, value): (&String, &Value)| {
        name.contains('\0') || value.as_str().is_some_and(|text| text.contains('\0'))
    };
    if fields.iter().any(holds_nul) {
        return Err(Problem::new(Code::InvalidParameter, "a field holds a character that no text has"));
    }
    Ok((body, Value::Object(fields)))
}

/// Writes down what came of an action.
async fn conclude(
    gate: &Gate,
    visit: &Visit,
    asked: i64,
    subject: Subject,
    param: &impl Fn(&str) -> Option<String>,
    status: StatusCode,
) {
    let tenant = visit.tenant.as_ref().map(|place| place.id);
    let outcome = if status.is_success() || status.is_redirection() { "done" } else { "failed" };
    let written = async {
        let after = subject.look(&gate.app, tenant, param).await?;
        let said = json!({ "of": asked, "outcome": outcome, "status": status.as_u16(), "after": after });
        audit::append(&gate.app.db, tenant, &said).await.map_err(Problem::from)
    };
    if let Err(problem) = written.await {
        request::write_down(&problem, &Method::POST, gate.route.path);
    }
}

/// To the page where people sign in, and back from there.
fn sign_in(request: &Request) -> Refusal {
    if request.method() != Method::GET {
        return Problem::new(Code::SignedOut, "sign in, then do it again").into();
    }
    let next = request.uri().path_and_query().map_or(super::ROOT, |path| path.as_str());
    // From elsewhere the browser keeps the cookie to itself; from here on it is ours that leads on.
    if origin::is_from_elsewhere(request.headers()) {
        return Refusal::Elsewhere(layout::once_more(next));
    }
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    Refusal::Elsewhere(Redirect::to(&format!("{}?next={next}", super::SIGN_IN)).into_response())
}

/// SHA-256 of several words, each with its length before it.
pub(super) fn digest(words: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for word in words {
        hash.update((word.len() as u64).to_be_bytes());
        hash.update(word);
    }
    hash.finalize().into()
}
