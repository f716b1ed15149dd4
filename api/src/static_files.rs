//! Style sheets and scripts: built into the program, the same for everybody.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// A style sheet.
pub(crate) fn style(text: &'static str) -> Response {
    serve("text/css; charset=utf-8", text)
}

/// A script.
pub(crate) fn script(text: &'static str) -> Response {
    serve("text/javascript; charset=utf-8", text)
}

fn serve(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CACHE_CONTROL, CACHE)], text)
        .into_response()
}
