//! Where providers say that a calendar changed. What changed they do not say: it is read, as ever.

use ::jobs::CalendarChannelId;
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::calendars::{self, Told};
use webhooks::{Incoming, Scheme, Secret, Trust};

use crate::{
    AppState,
    extract::{self, Id, Params},
    limits::{CALENDAR_PING_BYTES_MAX, CALENDAR_QUESTION_BYTES_MAX},
    problem::{Code, Problem},
};

/// What a call says.
#[derive(Debug, PartialEq, Eq)]
enum Says {
    /// The calendar changed.
    Changed,
    /// That its provider can reach us.
    Hello,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "validationToken")]
    question: Option<String>,
}

/// Everything under `/v1/hooks/calendars`. Needs no key: what its provider repeats or signs is one.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/v1/hooks/calendars/{channel}", post(ping))
}

async fn ping(
    State(app): State<AppState>,
    Id(id): Id<CalendarChannelId>,
    Params(asked): Params<Asked>,
    request: Request,
) -> Result<Response, Problem> {
    let told = calendars::told(&app.db, id).await?.ok_or_else(|| Problem::not_found("channel"))?;
    if told.provider == "microsoft"
        && let Some(question) = asked.question
    {
        return answer(question);
    }
    let (parts, body) = request.into_parts();
    let body = extract::collect(body, &parts.headers, &app, CALENDAR_PING_BYTES_MAX).await?;
    let says = match told.provider.as_str() {
        "google" => google(&told, &parts.headers),
        "microsoft" => microsoft(&told, &body),
        _ => cronofy(&app, &parts.headers, &body),
    };
    let refused = || Problem::new(Code::SignatureRefused, "this is not from whoever keeps the calendar");
    if says.ok_or_else(refused)? == Says::Changed {
        calendars::changed(&app.db, told.tenant, told.link).await?;
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Microsoft asks whether somebody is here before it says that it will call.
fn answer(question: String) -> Result<Response, Problem> {
    if question.len() > CALENDAR_QUESTION_BYTES_MAX {
        let detail = format!("a validationToken has at most {CALENDAR_QUESTION_BYTES_MAX} bytes");
        return Err(Problem::new(Code::InvalidParameter, detail));
    }
    let about = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((about, question).into_response())
}

fn is_secret(told: &Told, given: &str) -> bool {
    Sha256::digest(given)[..] == told.secret_sha256
}

fn google(told: &Told, headers: &HeaderMap) -> Option<Says> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if !is_secret(told, text("x-goog-channel-token")?) {
        return None;
    }
    Some(if text("x-goog-resource-state")? == "sync" { Says::Hello } else { Says::Changed })
}

fn microsoft(told: &Told, body: &[u8]) -> Option<Says> {
    let said: Value = serde_json::from_slice(body).ok()?;
    let notices = said["value"].as_array()?;
    let is_theirs =
        |notice: &Value| notice["clientState"].as_str().is_some_and(|given| is_secret(told, given));
    (!notices.is_empty() && notices.iter().all(is_theirs)).then_some(Says::Changed)
}

fn cronofy(app: &AppState, headers: &HeaderMap, body: &[u8]) -> Option<Says> {
    let secret = app.settings.cronofy_secret.as_ref()?;
    let secrets = [Secret::parse(&Scheme::Cronofy, secret.expose_secret()).ok()?];
    let text = |(name, value): (&header::HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers: Vec<(String, String)> = headers.iter().filter_map(text).collect();
    let incoming = Incoming { url: "", headers: &headers, body };
    // Nothing says when it was signed, and one that comes twice does no harm.
    let trust = Trust { secrets: &secrets, certificate: None, window_s: 0, now_s: 0 };
    webhooks::verify(&Scheme::Cronofy, &incoming, &trust).ok()?;
    let said: Value = serde_json::from_slice(body).ok()?;
    Some(if said["notification"]["type"] == "verification" { Says::Hello } else { Says::Changed })
}
