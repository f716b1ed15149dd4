//! Signing in and out.
//!
//! Tries are counted by where from and as whom, and from a browser that was signed in before by that browser. Nothing counts
//! by whom alone, so nobody can lock somebody else out; who guesses from many addresses guesses 120 random bits, or a
//! second factor besides.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{
    Form,
    extract::{Extension, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use store::{
    audit,
    sessions::{self, Claimant, NewSession},
};
use tr::tr;

use super::{
    guard::{Visit, digest},
    layout, origin, passwords, session,
};
use crate::{
    AppState,
    limits::{
        PASSWORD_BYTES_MAX, PASSWORD_TURN, SESSION_TTL, SIGN_IN_ADDRESS_TRIES_MAX, SIGN_IN_KNOWN_TRIES_MAX,
        SIGN_IN_SPAN, SIGN_IN_TRIES_MAX, USER_EMAIL_CHARS_MAX,
    },
    problem::{Code, Problem},
    server::Peer,
};

/// Bytes of where to go afterwards.
const NEXT_BYTES_MAX: usize = 8_000;

/// Where to go afterwards.
#[derive(Debug, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    pub(super) next: String,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// The form.
pub(super) async fn show(State(app): State<AppState>, Query(Next { next }): Query<Next>) -> Response {
    page(&app, StatusCode::OK, "", &next, None)
}

/// Begins a session for whoever proves who they are.
pub(super) async fn sign_in(
    State(app): State<AppState>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Form(form): Form<Credentials>,
) -> Response {
    let network = origin::network(&headers, peer.map(|Extension(peer)| peer), app.settings.proxies);
    match try_it(&app, &headers, &network, &form).await {
        Ok(token) => {
            let cookie = session::keep(&token, &app.settings.public_url);
            ([(header::SET_COOKIE, cookie)], Redirect::to(inside(&form.next))).into_response()
        }
        Err(problem) => turned_away(&app, &form.email, &form.next, &problem),
    }
}

/// The form again, or a page that says that nobody can sign in.
pub(super) fn turned_away(app: &AppState, email: &str, next: &str, problem: &Problem) -> Response {
    if !problem.code().status().is_client_error() {
        tracing::error!(error = problem.chain(), "Nobody can sign in");
        return layout::problem(problem, super::SIGN_IN);
    }
    let mut response = page(app, problem.code().status(), email, next, Some(problem.detail()));
    if problem.code() == Code::RateLimited {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(SIGN_IN_SPAN.as_secs()));
    }
    response
}

async fn try_it(
    app: &AppState,
    headers: &HeaderMap,
    network: &str,
    form: &Credentials,
) -> Result<String, Problem> {
    origin::ours(headers)?;
    let fits =
        form.email.chars().count() <= USER_EMAIL_CHARS_MAX && form.password.len() <= PASSWORD_BYTES_MAX;
    if !fits || form.email.contains('\0') {
        return Err(wrong());
    }
    let email = form.email.trim().to_lowercase();
    let kept = session::token(headers);
    let found = sessions::claimant(&app.db, &email, kept.as_deref().map(session::hash)).await?;
    let browser = kept.filter(|_| found.as_ref().is_some_and(|found| found.knows_browser));
    let counted = match &browser {
        Some(browser) => vec![(digest(&["browser", browser]), SIGN_IN_KNOWN_TRIES_MAX)],
        None => vec![
            (digest(&["as", &email, network]), SIGN_IN_TRIES_MAX),
            (digest(&["from", network]), SIGN_IN_ADDRESS_TRIES_MAX),
        ],
    };
    if !sessions::count_try(&app.db, &counted, SIGN_IN_SPAN).await? {
        return Err(too_many());
    }
    let of_codes = digest(&["code", &email]);
    let proved = prove(app, found.as_ref(), form, browser.is_none().then_some(of_codes)).await?;
    let Some(user) = found else { return Err(wrong()) };
    let Some(totp_step) = proved else { return Err(refused(app, &email, network).await?) };
    let token = session::new_token()?;
    let tried = [counted[0].0, of_codes];
    let new = NewSession {
        user: user.id(),
        password_hash: &user.password_hash,
        token_sha256: session::hash(&token),
        totp_step,
        lasts: SESSION_TTL,
        tried: &tried,
    };
    if !sessions::begin(&app.db, &new).await? {
        return Err(refused(app, &email, network).await?);
    }
    let said =
        json!({ "by": email, "user": user.id(), "action": "sign_in", "from": network, "outcome": "done" });
    audit::append(&app.db, None, &said).await?;
    Ok(token)
}

/// The time step of the code, or 0 where none is asked for; none when something is not right.
///
/// Codes are few. So whoever knows the password and comes from a browser that is not known has few tries at them, wherever
/// they try from, counted as `counted`; strangers, who do not know it, lock nobody out.
async fn prove(
    app: &AppState,
    user: Option<&Claimant>,
    form: &Credentials,
    counted: Option<[u8; 32]>,
) -> Result<Option<i64>, Problem> {
    let Ok(Ok(turn)) = tokio::time::timeout(PASSWORD_TURN, app.passwords.clone().acquire_owned()).await
    else {
        return Err(Problem::new(Code::Overloaded, "many sign in at this moment; try again").retry_after(1));
    };
    let (password, hash) = (form.password.clone(), user.map(|user| user.password_hash.clone()));
    let right = tokio::task::spawn_blocking(move || {
        let is_right = passwords::is_right(&password, hash.as_deref());
        drop(turn);
        is_right
    });
    if !right.await.map_err(Problem::internal)? {
        return Ok(None);
    }
    let Some(secret) = user.and_then(|user| user.totp_secret.as_deref()) else { return Ok(Some(0)) };
    step_of(app, secret, &form.code, counted).await
}

/// The time step of a code; none when it is not right, or was tried too often as `counted`. Whoever tries too often hears what
/// somebody with a wrong one hears: nobody learns that all else was right.
pub(super) async fn step_of(
    app: &AppState,
    secret: &[u8],
    code: &str,
    counted: Option<[u8; 32]>,
) -> Result<Option<i64>, Problem> {
    if let Some(key) = counted
        && !sessions::count_try(&app.db, &[(key, SIGN_IN_TRIES_MAX)], SIGN_IN_SPAN).await?
    {
        return Ok(None);
    }
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(passwords::totp_step(secret, code.trim(), now_s))
}

/// Writes down that somebody did not prove who they are.
async fn refused(app: &AppState, email: &str, network: &str) -> Result<Problem, Problem> {
    let said = json!({ "by": email, "action": "sign_in", "from": network, "outcome": "refused" });
    audit::append(&app.db, None, &said).await?;
    Ok(wrong())
}

fn wrong() -> Problem {
    Problem::new(Code::SignedOut, "the address, the password or the code is not right")
}

/// What whoever tries too often is told.
pub(super) fn too_many() -> Problem {
    let detail = format!("too many tries; wait {} minutes", SIGN_IN_SPAN.as_secs() / 60);
    Problem::new(Code::RateLimited, detail)
}

/// A path of ours, whatever was asked for.
pub(super) fn inside(next: &str) -> &str {
    let is_ours =
        (next == super::ROOT || next.starts_with("/ops/")) && next.bytes().all(|b| b.is_ascii_graphic());
    if is_ours && !next.contains('\\') && next.len() <= NEXT_BYTES_MAX { next } else { super::ROOT }
}

/// Ends the session.
pub(super) async fn sign_out(
    State(app): State<AppState>,
    _: Visit,
    headers: HeaderMap,
) -> Result<Redirect, Problem> {
    if let Some(token) = session::token(&headers) {
        sessions::end(&app.db, session::hash(&token)).await?;
    }
    Ok(Redirect::to(super::SIGN_IN))
}

/// Where a code is typed.
pub(super) fn code_field() -> Markup {
    html! { input name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="6" pattern="[0-9]*"; }
}

fn page(app: &AppState, status: StatusCode, email: &str, next: &str, wrong: Option<&str>) -> Response {
    let body = html! {
        form.sign-in method="post" action=(super::SIGN_IN) {
            @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
            input type="hidden" name="next" value=(next);
            label { (tr!("E-mail")) input type="email" name="email" value=(email) required autocomplete="username" autofocus[email.is_empty()]; }
            label { (tr!("Password")) input type="password" name="password" required autocomplete="current-password" maxlength=(PASSWORD_BYTES_MAX); }
            label { (tr!("Code")) span.soft { " " (tr!("if you use a generator")) } (code_field()) }
            button { (tr!("Sign in")) }
        }
        @if let Some(issuer) = &app.issuer {
            form.sign-in.elsewhere method="post" action=(super::OIDC) {
                input type="hidden" name="next" value=(next);
                button { (issuer.settings.button) }
            }
        }
    };
    layout::alone(status, &tr!("Sign in"), &body)
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn one_stays_inside() {
        assert_eq!(inside("/ops/t/acme/jobs?state=running"), "/ops/t/acme/jobs?state=running");
        for outside in
            ["", "//evil.test", "https://evil.test", "/\\evil.test", "/opsx", "/ops/\r\nx: y", "/ops/\\x"]
        {
            assert_eq!(inside(outside), "/ops", "{outside:?}");
        }
        assert_eq!(inside(&format!("/ops/{}", "x".repeat(8_000))), "/ops");
    }
}
