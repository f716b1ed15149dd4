//! Views of the list of jobs that somebody keeps for themselves: a name for a link.

use axum::{Form, extract::State, response::Redirect};
use maud::{Markup, html};
use serde::Deserialize;
use store::views::{self, View};
use tr::tr;

use super::{guard::Visit, layout::token, wanted::Wanted};
use crate::{
    AppState,
    limits::{VIEW_NAME_CHARS_MAX, VIEWS_MAX},
    problem::{Code, FieldError, Problem},
};

/// The visitor's views, and a form that keeps the one that is shown.
pub(super) async fn bar(app: &AppState, visit: &Visit, wanted: &Wanted) -> Result<Markup, Problem> {
    let place = visit.here()?;
    let (views, base) = (views::list(&app.db, place.id, visit.user).await?, format!("/ops/t/{}", place.slug));
    let shown = wanted.query();
    Ok(html! {
        @if !views.is_empty() {
            p.acts {
                (tr!("Yours:")) " "
                @for view in &views {
                    a href={ (base) "/jobs?" (view.query) } aria-current=[(view.query == shown).then_some("true")] { (view.name) }
                    " "
                    form.inline method="post" action={ (base) "/views/remove" } {
                        (token(visit))
                        button name="name" value=(view.name) aria-label=(tr!("Forget {view}", view = view.name)) { "×" }
                    }
                    " "
                }
            }
        }
        @if !shown.is_empty() {
            details.form {
                summary { (tr!("Keep this view")) }
                form method="post" action={ (base) "/views" } {
                    (token(visit))
                    @for (name, value) in wanted.pairs() { input type="hidden" name=(name) value=(value); }
                    label { (tr!("Its name; one of this name is replaced")) input name="name" required maxlength=(VIEW_NAME_CHARS_MAX); }
                    button { (tr!("Keep")) }
                }
            }
        }
    })
}

/// What the form of a view sends.
#[derive(Debug, Deserialize)]
pub(super) struct ViewForm {
    name: String,
    #[serde(flatten)]
    wanted: Wanted,
}

/// Keeps a view.
pub(super) async fn save(
    State(app): State<AppState>,
    visit: Visit,
    Form(form): Form<ViewForm>,
) -> Result<Redirect, Problem> {
    let name = form.name.trim();
    let fits = (1..=VIEW_NAME_CHARS_MAX).contains(&name.chars().count());
    if !fits || name.chars().any(char::is_control) {
        let detail = format!("1 to {VIEW_NAME_CHARS_MAX} characters on one line");
        return Err(Problem::invalid(vec![FieldError::new("/name", detail)]));
    }
    form.wanted.filter()?;
    form.wanted.held(&visit)?;
    let view = View { name: name.to_owned(), query: form.wanted.query() };
    let place = visit.here()?;
    if !views::save(&app.db, place.id, visit.user, &view, VIEWS_MAX).await? {
        let detail = format!("somebody keeps at most {VIEWS_MAX} views of a tenant; forget one");
        return Err(Problem::new(Code::TooMany, detail));
    }
    Ok(Redirect::to(&format!("/ops/t/{}/jobs?{}", place.slug, view.query)))
}

/// What the button of a view sends.
#[derive(Debug, Deserialize)]
pub(super) struct NameForm {
    name: String,
}

/// Forgets a view.
pub(super) async fn remove(
    State(app): State<AppState>,
    visit: Visit,
    Form(form): Form<NameForm>,
) -> Result<Redirect, Problem> {
    let place = visit.here()?;
    if !views::remove(&app.db, place.id, visit.user, &form.name).await? {
        return Err(Problem::not_found("view"));
    }
    Ok(Redirect::to(&format!("/ops/t/{}/jobs", place.slug)))
}
