//! Links by which recipients end messages of a sort (RFC 8058): no key, no cookie, no redirect.
//!
//! A GET shows a page and changes nothing, for programs that look at mails open every link in them. A POST ends it.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use jobs::{Category, TenantId};
use maud::{DOCTYPE, Markup, html};
use notify::Token;
use store::parties::{self, Word};

use crate::{AppState, limits::FORM_BYTES_MAX, problem::Problem};

const PRIVATE: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
];

/// Everything under `/u`. Needs no key: a link is one.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/u/{token}", get(ask).post(end)).layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

async fn ask(State(app): State<AppState>, Path(token): Path<String>) -> Result<Response, Problem> {
    let Some((_, token)) = opened(&app, &token).await? else { return Ok(nothing()) };
    let body = html! {
        h1 { "Unsubscribe?" }
        p { "You get no more " (words(token.category)) " at this address then." }
        form method="post" { button type="submit" { "Unsubscribe" } }
    };
    Ok(page(StatusCode::OK, "Unsubscribe", &body))
}

async fn end(State(app): State<AppState>, Path(token): Path<String>) -> Result<Response, Problem> {
    let Some((tenant, token)) = opened(&app, &token).await? else { return Ok(nothing()) };
    let word = Word::Withdrawn(token.category);
    parties::say(&app.db, tenant, token.contact, word, "the link to unsubscribe").await?;
    tracing::info!(tenant.id = %tenant, "Somebody unsubscribed");
    let body = html! {
        h1 { "Unsubscribed" }
        p { "You get no more " (words(token.category)) " at this address." }
    };
    Ok(page(StatusCode::OK, "Unsubscribed", &body))
}

/// Whose address the link names, if it is one of ours.
async fn opened(app: &AppState, text: &str) -> Result<Option<(TenantId, Token)>, Problem> {
    let Some(token) = Token::parse(text) else { return Ok(None) };
    let Some(linked) = parties::linked(&app.db, token.contact).await? else { return Ok(None) };
    Ok(notify::verify(&linked.link_secret, &token).then(|| (linked.tenant(), token)))
}

fn words(category: Category) -> &'static str {
    match category {
        Category::Critical => "messages about your account",
        Category::Operational => "messages about your orders",
        Category::Social => "messages about what others say",
        Category::Bulk => "news and digests",
    }
}

fn nothing() -> Response {
    let body = html! {
        h1 { "Nothing is here" }
        p { "The link may have been cut: copy all of it, to the last character." }
    };
    page(StatusCode::NOT_FOUND, "Nothing is here", &body)
}

fn page(status: StatusCode, title: &str, body: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href="/d/style.css";
            }
            body { main { (body) } }
        }
    };
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
    (status, PRIVATE, kind, markup.0).into_response()
}
