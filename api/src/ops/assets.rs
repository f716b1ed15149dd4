//! The style and the script of the dashboard: one file each, the same for every page.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("live.js");
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// How the pages look.
pub(super) async fn style() -> Response {
    serve("text/css; charset=utf-8", STYLE)
}

/// What keeps them up to date; nothing needs it.
pub(super) async fn script() -> Response {
    serve("text/javascript; charset=utf-8", SCRIPT)
}

fn serve(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CACHE_CONTROL, CACHE)], text)
        .into_response()
}
