//! Signing in at an issuer: away to it, back from it, and, where that is asked for, a code of ours besides.
//!
//! Who comes back comes from another site, so the browser holds back what it keeps. The page that they land on asks for
//! itself once more, now from a page of ours.

use axum::{
    Form,
    extract::{Extension, Query, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::html;
use serde::Deserialize;
use serde_json::json;
use store::{
    audit,
    identities::{self, Identity, NewSession},
    sessions::{self, Claimant},
};
use tr::tr;

use super::{
    guard::digest,
    issuer::{Issuer, IssuerError, Somebody, Trip},
    layout, origin, session,
    sign_in::{self, Next},
};
use crate::{
    AppState,
    limits::{SESSION_TTL, SIGN_IN_ADDRESS_TRIES_MAX, SIGN_IN_SPAN, SIGN_IN_TRIP_TTL},
    problem::{Code, Problem},
    server::Peer,
};

/// What the issuer sends somebody back with.
#[derive(Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    /// Who sends them, where the issuer says that.
    iss: Option<String>,
    /// Set once they were asked to come again, from a page of ours.
    again: Option<String>,
}

/// What the form for a code sends.
#[derive(Deserialize)]
pub(super) struct Given {
    code: String,
}

/// Somebody who is let in.
struct Let {
    token: String,
    next: String,
}

/// Sends somebody to the issuer.
pub(super) async fn leave(
    State(app): State<AppState>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Form(form): Form<Next>,
) -> Response {
    let network = network(&app, &headers, peer);
    match set_out(&app, &headers, &network, &form.next).await {
        Ok((token, address)) => {
            let mut response = layout::once_more(&address);
            let cookie = session::keep_trip(&token, &app.settings.public_url);
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response
        }
        Err(problem) => sign_in::turned_away(&app, "", &form.next, &problem),
    }
}

/// Takes in whoever comes back.
pub(super) async fn back(
    State(app): State<AppState>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    uri: Uri,
    Query(back): Query<Back>,
) -> Response {
    let kept = session::trip(&headers);
    if let (None, None, Some(query)) = (&kept, &back.again, uri.query()) {
        return layout::once_more(&format!("{}?{query}&again=1", super::OIDC));
    }
    let arrived = match kept.map(Trip::of) {
        Some(trip) => arrive(&app, &network(&app, &headers, peer), &trip, back).await,
        None => Err(stale()),
    };
    match arrived {
        Ok(Some(one)) => enter(&app, &one),
        Ok(None) => ask_for_code(StatusCode::OK, None),
        Err(problem) => sign_in::turned_away(&app, "", "", &problem),
    }
}

/// Takes the code of somebody who came back.
pub(super) async fn code(
    State(app): State<AppState>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Response {
    match with_code(&app, &headers, &network(&app, &headers, peer), &given.code).await {
        Ok(Some(one)) => enter(&app, &one),
        Ok(None) => ask_for_code(StatusCode::UNAUTHORIZED, Some(&tr!("the code is not right"))),
        Err(problem) => sign_in::turned_away(&app, "", "", &problem),
    }
}

fn network(app: &AppState, headers: &HeaderMap, peer: Option<Extension<Peer>>) -> String {
    origin::network(headers, peer.map(|Extension(peer)| peer), app.settings.proxies)
}

fn issuer(app: &AppState) -> Result<&Issuer, Problem> {
    app.issuer.as_ref().ok_or_else(|| Problem::not_found("page"))
}

/// Counts a try from one address.
async fn count(app: &AppState, network: &str) -> Result<(), Problem> {
    let counted = [(digest(&["away", network]), SIGN_IN_ADDRESS_TRIES_MAX)];
    let is_few = sessions::count_try(&app.db, &counted, SIGN_IN_SPAN).await?;
    if is_few { Ok(()) } else { Err(sign_in::too_many()) }
}

/// What the browser keeps meanwhile, and where it goes.
async fn set_out(
    app: &AppState,
    headers: &HeaderMap,
    network: &str,
    next: &str,
) -> Result<(String, String), Problem> {
    origin::ours(headers)?;
    let issuer = issuer(app)?;
    count(app, network).await?;
    let token = session::new_token()?;
    let trip = Trip::of(token.clone());
    let address = issuer.address(&trip).await.map_err(unavailable)?;
    let written = identities::Trip { next: sign_in::inside(next).to_owned(), subject: None };
    identities::set_out(&app.db, trip.key(), &written, SIGN_IN_TRIP_TTL).await?;
    Ok((token, address))
}

/// Lets in whoever came back, once; none when they have yet to give a code.
async fn arrive(app: &AppState, network: &str, trip: &Trip, back: Back) -> Result<Option<Let>, Problem> {
    let issuer = issuer(app)?;
    let name = issuer.settings.issuer.as_str();
    if !trip.is_of(&back.state) || back.iss.is_some_and(|iss| iss != name) {
        return Err(stale());
    }
    let Some(mut went) = identities::come_back(&app.db, trip.key()).await? else { return Err(stale()) };
    if back.code.is_empty() {
        return Err(Problem::new(Code::SignedOut, "nobody signed in there"));
    }
    let somebody = match issuer.who(trip, back.code).await {
        Ok(somebody) => somebody,
        Err(error @ IssuerError::Away(_)) => return Err(unavailable(error)),
        Err(error) => {
            let problem = refused(app, network, name, None, "untrue").await?.because(error);
            tracing::warn!(error = problem.chain(), "What an issuer said was not believed");
            return Err(problem);
        }
    };
    let identity = Identity { issuer: name, subject: &somebody.subject };
    let email = match identities::email_of(&app.db, identity).await? {
        Some(email) => email,
        None => adopt(app, network, identity, &somebody).await?,
    };
    let has_generator = |claimant: Claimant| claimant.totp_secret.is_some();
    if issuer.settings.asks_for_code
        && sessions::claimant(&app.db, &email, None).await?.is_some_and(has_generator)
    {
        went.subject = Some(somebody.subject.clone());
        identities::set_out(&app.db, trip.key_of_code(), &went, SIGN_IN_TRIP_TTL).await?;
        return Ok(None);
    }
    match begin(app, network, identity, &email, None, &[]).await? {
        Some(token) => Ok(Some(Let { token, next: went.next })),
        None => Err(refused(app, network, name, Some(identity.subject), "disabled").await?),
    }
}

/// The address of somebody who comes for the first time: an admin added it, and the issuer says that it is theirs.
async fn adopt(
    app: &AppState,
    network: &str,
    identity: Identity<'_>,
    somebody: &Somebody,
) -> Result<String, Problem> {
    let Identity { issuer, subject } = identity;
    let Some(email) = &somebody.verified_email else {
        return Err(refused(app, network, issuer, Some(subject), "address not verified").await?);
    };
    let said = json!({
        "by": email, "action": "identity.link", "from": network, "issuer": issuer, "subject": subject, "outcome": "done",
    });
    if identities::adopt(&app.db, identity, email, &said).await? {
        return Ok(email.clone());
    }
    Err(refused(app, network, issuer, Some(subject), "nobody may sign in with this address or account")
        .await?)
}

/// Lets in whoever came back and has the right code, too; none when it is not.
async fn with_code(
    app: &AppState,
    headers: &HeaderMap,
    network: &str,
    code: &str,
) -> Result<Option<Let>, Problem> {
    origin::ours(headers)?;
    let name = issuer(app)?.settings.issuer.as_str();
    count(app, network).await?;
    let trip = session::trip(headers).map(Trip::of).ok_or_else(stale)?;
    let went = identities::come_back(&app.db, trip.key_of_code()).await?.ok_or_else(stale)?;
    let subject = went.subject.as_deref().ok_or_else(stale)?;
    let identity = Identity { issuer: name, subject };
    let email = identities::email_of(&app.db, identity).await?.ok_or_else(stale)?;
    let kept = session::token(headers).as_deref().map(session::hash);
    let claimant = sessions::claimant(&app.db, &email, kept).await?.ok_or_else(stale)?;
    let key = digest(&["code", &email]);
    let counted = (!claimant.knows_browser).then_some(key);
    let step = match &claimant.totp_secret {
        Some(secret) => sign_in::step_of(app, secret, code, counted).await?,
        None => Some(0),
    };
    if step.is_some()
        && let Some(token) = begin(app, network, identity, &email, step, &[key]).await?
    {
        return Ok(Some(Let { token, next: went.next }));
    }
    refused(app, network, name, Some(subject), "code").await?;
    // The tries are counted, so they may go on without another way to the issuer.
    identities::set_out(&app.db, trip.key_of_code(), &went, SIGN_IN_TRIP_TTL).await?;
    Ok(None)
}

/// Begins a session, and writes that down; none when whoever it is may not sign in any more.
async fn begin(
    app: &AppState,
    network: &str,
    identity: Identity<'_>,
    email: &str,
    totp_step: Option<i64>,
    tried: &[[u8; 32]],
) -> Result<Option<String>, Problem> {
    let token = session::new_token()?;
    let new =
        NewSession { identity, token_sha256: session::hash(&token), totp_step, lasts: SESSION_TTL, tried };
    if !identities::begin(&app.db, &new).await? {
        return Ok(None);
    }
    let said = json!({
        "by": email, "action": "sign_in", "from": network, "issuer": identity.issuer, "subject": identity.subject,
        "outcome": "done",
    });
    audit::append(&app.db, None, &said).await?;
    Ok(Some(token))
}

/// Writes down that somebody was not let in, and why.
async fn refused(
    app: &AppState,
    network: &str,
    issuer: &str,
    subject: Option<&str>,
    why: &str,
) -> Result<Problem, Problem> {
    let said = json!({
        "by": issuer, "action": "sign_in", "from": network, "subject": subject, "why": why, "outcome": "refused",
    });
    audit::append(&app.db, None, &said).await?;
    Ok(Problem::new(
        Code::SignedOut,
        "this account opens nothing here; an admin has to add its address first",
    ))
}

/// Nobody is away who could come back so.
fn stale() -> Problem {
    Problem::new(Code::SignedOut, "this began in another browser, or too long ago; begin again")
}

fn unavailable(error: IssuerError) -> Problem {
    Problem::new(Code::Unavailable, "where people sign in does not answer").because(error)
}

/// On to where somebody wanted to go.
fn enter(app: &AppState, one: &Let) -> Response {
    let cookie = session::keep(&one.token, &app.settings.public_url);
    ([(header::SET_COOKIE, cookie)], Redirect::to(&one.next)).into_response()
}

fn ask_for_code(status: StatusCode, wrong: Option<&str>) -> Response {
    let body = html! {
        form.sign-in method="post" action=(super::OIDC_CODE) {
            @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
            label { (tr!("Code")) span.soft { " " (tr!("of your generator")) } (sign_in::code_field()) }
            button { (tr!("Sign in")) }
        }
    };
    layout::alone(status, &tr!("Sign in"), &body)
}
