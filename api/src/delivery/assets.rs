//! The style and the script of the page. Both are the same for every delivery.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// How the page looks.
pub(super) async fn style() -> Response {
    serve("text/css; charset=utf-8", STYLE)
}

/// What makes it handier; nothing needs it.
pub(super) async fn script() -> Response {
    serve("text/javascript; charset=utf-8", SCRIPT)
}

fn serve(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CACHE_CONTROL, CACHE)], text)
        .into_response()
}
