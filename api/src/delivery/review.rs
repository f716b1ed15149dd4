//! What people who have the link say: that everything is right, or what is not.

use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use store::deliveries::{self, NewNote};

use super::{
    link::Closed,
    routes::{PRIVATE, opened},
};
use crate::{
    AppState,
    limits::{NOTE_CHARS_MAX, NOTES_MAX},
    problem::Problem,
};

/// A note as a form sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteForm {
    text: String,
    x: Option<i16>,
    y: Option<i16>,
}

impl NoteForm {
    fn check(self, place: i16) -> Option<NewNote> {
        // Browsers send line ends as CR LF.
        let text = self.text.replace("\r\n", "\n").trim().to_owned();
        let is_sayable = |c: char| !c.is_control() || c == '\n';
        let at = self.x.zip(self.y);
        let fits = (1..=NOTE_CHARS_MAX).contains(&text.chars().count())
            && text.chars().all(is_sayable)
            && at.is_none_or(|(x, y)| (0..=1000).contains(&x) && (0..=1000).contains(&y));
        fits.then_some(NewNote { place, at, text })
    }
}

pub(super) async fn approve(
    State(app): State<AppState>,
    Path(text): Path<String>,
) -> Result<Response, Closed> {
    let (delivery, _) = opened(&app, &text).await?;
    deliveries::approve(&app.db, &delivery).await?;
    tracing::info!(delivery.id = %delivery.id(), "{} was approved", delivery.id());
    Ok(back_to(&text, ""))
}

pub(super) async fn note(
    State(app): State<AppState>,
    Path((text, place)): Path<(String, i16)>,
    Form(form): Form<NoteForm>,
) -> Result<Response, Closed> {
    let (delivery, manifest) = opened(&app, &text).await?;
    let at = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
    let file = at.and_then(|at| manifest.files.get(at)).ok_or(Closed::Unknown)?;
    let mut note = form.check(place).ok_or(Closed::Unsayable)?;
    note.at = note.at.filter(|_| file.film.is_none());
    if !deliveries::add_note(&app.db, &delivery, &note, NOTES_MAX).await? {
        return Err(Closed::Full);
    }
    tracing::info!(delivery.id = %delivery.id(), "A change of {} was asked for", delivery.id());
    Ok(back_to(&text, &format!("#p{place}")))
}

/// To the page, which is then loaded anew and not sent again.
fn back_to(text: &str, place: &str) -> Response {
    let location = HeaderValue::try_from(format!("/d/{text}{place}"));
    match location {
        Ok(location) => (StatusCode::SEE_OTHER, PRIVATE, [(header::LOCATION, location)]).into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}
