//! The kinds: how each stands and went.

use ::jobs::spec;
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use store::observing::{self, KindStanding};
use tr::tr;

use super::{course::Course, guard::Visit, home::Hour, layout::Page};
use crate::{AppState, problem::Problem};

/// The page.
pub(super) async fn show(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = visit.here()?;
    let (hour, kinds) = tokio::try_join!(Hour::of(&app, &visit), async {
        observing::kinds(&app.db, place.id).await.map_err(Problem::from)
    })?;
    let body = html! {
        div #kinds data-live {
            @for kind in &kinds { (section(&hour, kind, &place.slug)) }
            @if kinds.is_empty() { p { (tr!("No job has been submitted yet.")) } }
        }
    };
    Ok(Page::live(&visit, "/kinds", &tr!("Kinds"), body).into_response())
}

fn section(hour: &Hour, kind: &KindStanding, slug: &str) -> Markup {
    let name = &kind.kind;
    let spec = spec(name);
    let course = Course {
        now: hour.now,
        waiting: kind.waiting,
        running: kind.running,
        oldest_at: kind.oldest_at,
        heard: spec.map_or((0, 0), |spec| hour.heard(spec.queue.name())),
        minutes: hour.minutes.iter().filter(|minute| minute.kind == *name).collect(),
    };
    html! {
        section.queue id=(name) {
            h2 { a href={ "/ops/t/" (slug) "/jobs?kind=" (name) } { (name) } }
            p.soft { @match spec { Some(spec) => (tr!("{summary}; queue {queue}", summary = spec.summary, queue = spec.queue)), None => (tr!("This version does not know it.")) } }
            (course.facts())
        }
    }
}
