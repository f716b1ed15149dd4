//! What a link opens: the page, its pictures, and its downloads.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use blob::Key;
use jobs::Variant;
use maud::Markup;
use store::deliveries::{self, Delivery, File, Manifest, Stored};

use super::{
    film::{self, Wanted},
    link::{self, Closed},
    page, placeholder, review,
};
use crate::{
    AppState,
    limits::{FORM_BYTES_MAX, READ_URL_TTL},
    problem::Problem,
    static_files,
};

/// Whoever reads a link over somebody's shoulder should not find it in a search engine or in a log of another site.
pub(super) const PRIVATE: [(HeaderName, HeaderValue); 3] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Everything under `/d`. Needs no key: a link is one.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/d/style.css", get(async || static_files::style(include_str!("page.css"))))
        .route("/d/film.js", get(async || static_files::script(include_str!("film.js"))))
        .route("/d/page.js", get(async || static_files::script(include_str!("page.js"))))
        .route("/d/{link}", get(show))
        .route("/d/{link}/placeholders.css", get(placeholders))
        .route("/d/{link}/files/{place}/{what}", get(file))
        .route("/d/{link}/films/{place}/{name}", get(film_part))
        .route("/d/{link}/archive/{variant}", get(archive))
        .route("/d/{link}/approve", post(review::approve))
        .route("/d/{link}/files/{place}/notes", post(review::note))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

async fn show(State(app): State<AppState>, Path(text): Path<String>) -> Result<Response, Closed> {
    let (delivery, manifest) = opened(&app, &text).await?;
    let archives = if manifest.lacks_files() {
        None
    } else {
        Some(deliveries::archives(&app.db, delivery.tenant(), delivery.id()).await?)
    };
    let notes = deliveries::notes(&app.db, delivery.tenant(), delivery.id()).await?;
    let elsewhere = origin_of_files(&app, &manifest).await?;
    let csp = format!(
        "default-src 'none'; img-src 'self' {elsewhere}; media-src 'self' {elsewhere}; style-src 'self'; script-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    );
    let mut response =
        html(StatusCode::OK, &page::page(&text, &delivery, &manifest, archives.as_deref(), &notes));
    if let Ok(csp) = HeaderValue::try_from(csp) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, csp);
    }
    Ok(response)
}

async fn placeholders(State(app): State<AppState>, Path(text): Path<String>) -> Result<Response, Closed> {
    let (delivery, manifest) = opened(&app, &text).await?;
    let notes = deliveries::notes(&app.db, delivery.tenant(), delivery.id()).await?;
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    Ok((PRIVATE, [kind], placeholder::style_sheet(&manifest.files, &notes)).into_response())
}

async fn file(
    State(app): State<AppState>,
    Path((text, place, what)): Path<(String, usize, String)>,
) -> Result<Response, Closed> {
    let (_, manifest) = opened(&app, &text).await?;
    let file = at(&manifest, place)?;
    let (stored, name) = match what.as_str() {
        "grid" => (file.grid.as_ref().ok_or(Closed::Unknown)?, None),
        "screen" => (file.screen.as_ref().ok_or(Closed::Unknown)?, None),
        variant => {
            let variant = offered(&manifest, variant)?;
            (file.in_variant(variant).ok_or(Closed::Unknown)?, Some(download_name(file, variant)))
        }
    };
    // Each time the link is asked anew, so it ends when the link does.
    Ok(film::lead_to(&app, &stored.key, name.as_deref()).await?)
}

/// The file at a place, counted from 1.
fn at(manifest: &Manifest, place: usize) -> Result<&File, Closed> {
    let file = place.checked_sub(1).and_then(|at| manifest.files.get(at)).ok_or(Closed::Unknown)?;
    if file.is_withheld { Err(Closed::Withheld) } else { Ok(file) }
}

/// The variant called `name`, if it was asked for.
fn offered(manifest: &Manifest, name: &str) -> Result<Variant, Closed> {
    let variant = name.parse().map_err(|_| Closed::Unknown)?;
    if manifest.offers(variant) { Ok(variant) } else { Err(Closed::Unknown) }
}

fn download_name(file: &File, variant: Variant) -> String {
    let Some(extension) = file.extension(variant) else { return file.name.clone() };
    let stem = file.name.rsplit_once('.').map_or(file.name.as_str(), |(stem, _)| stem);
    format!("{stem}.{extension}")
}

/// What a player asks for.
async fn film_part(
    State(app): State<AppState>,
    Path((text, place, name)): Path<(String, usize, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Closed> {
    let (_, manifest) = opened(&app, &text).await?;
    let file = at(&manifest, place)?;
    let parts = file.film.as_ref().map(|film| film.parts.as_slice()).unwrap_or_default();
    let part = parts.iter().find(|part| part.name == name).ok_or(Closed::Unknown)?;
    Ok(film::serve(&app, part.into(), &wanted).await?)
}

async fn archive(
    State(app): State<AppState>,
    Path((text, variant)): Path<(String, String)>,
) -> Result<Response, Closed> {
    let (delivery, manifest) = opened(&app, &text).await?;
    let variant = offered(&manifest, &variant)?;
    if manifest.lacks_files() {
        return Err(Closed::Withheld);
    }
    let archive = deliveries::archive(&app.db, delivery.tenant(), delivery.id(), variant).await?;
    let archive = archive.ok_or(Closed::NotYet)?;
    let name = format!("{} {variant}.zip", delivery.title);
    Ok(film::lead_to(&app, &archive.object_key, Some(&name)).await?)
}

pub(super) async fn opened(app: &AppState, text: &str) -> Result<(Delivery, Manifest), Closed> {
    let mut delivery = link::open(app, text).await?;
    let mut manifest = delivery.manifest.take().ok_or(Closed::NotYet)?.0;
    deliveries::withhold(&app.db, delivery.tenant(), &mut manifest).await?;
    Ok((delivery, manifest))
}

/// Where the browser will be led for pictures, which a page has to name.
async fn origin_of_files(app: &AppState, manifest: &Manifest) -> Result<String, Closed> {
    let Some(Stored { key, .. }) = manifest.files.first().map(|file| &file.original) else {
        return Ok(String::new());
    };
    let key = Key::parse(key).map_err(Problem::internal)?;
    let url = app.blobs.presign_get(&key, READ_URL_TTL, None).await?.url;
    let end = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
    Ok(url[..end].to_owned())
}

fn html(status: StatusCode, markup: &Markup) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    (status, PRIVATE, [kind], markup.0.clone()).into_response()
}

impl IntoResponse for Closed {
    fn into_response(self) -> Response {
        let (status, title, what) = match self {
            Self::Unknown => (
                StatusCode::NOT_FOUND,
                "Nothing is here",
                "The link may have been cut: copy all of it, to the last character.",
            ),
            Self::Ended => {
                (StatusCode::GONE, "This link has ended", "Ask whoever sent it to you for a new one.")
            }
            Self::Withheld => (
                StatusCode::GONE,
                "This was taken back",
                "The file, or one of those in the archive, may not be downloaded any more. Ask whoever sent you the link.",
            ),
            Self::NotYet => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not ready yet",
                "The files are still being prepared. Come back in a few minutes.",
            ),
            Self::Unsayable => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "That could not be noted",
                "A note takes 1 to 2000 characters. Go back, and say it in other words.",
            ),
            Self::Full => (
                StatusCode::CONFLICT,
                "That could not be noted",
                "So many changes were asked for that no more can be noted. Talk to whoever sent you the link.",
            ),
            Self::Failed(problem) => return problem.into_response(),
        };
        let mut response = html(status, &page::notice(title, what));
        let csp = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'";
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(csp));
        response
    }
}
