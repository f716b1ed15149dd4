//! Dead letters by kind: how many lie there and since when, who looks after them, and by what.

use ::jobs::specs;
use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use store::dead_letters::{self, DEAD_COUNTED_MAX, DeadLetters};
use tr::tr;

use super::{
    access::Right,
    guard::Visit,
    layout::{self, Page, token},
    words,
};
use crate::{
    AppState,
    auth::Operator,
    extract::{Id, Json, typed},
    limits::{CARE_OWNER_CHARS_MAX, CARE_RUNBOOK_BYTES_MAX, LOOK_AFTER_S_MAX},
    problem::{FieldError, Problem},
    routes::dead_letters::{remove_kind_care, set_kind_care},
};

const HOUR_S: i32 = 3_600;

/// The page.
pub(super) async fn show(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = visit.here()?;
    let kinds = dead_letters::list(&app.db, place.id).await?;
    let now = Utc::now();
    let late = kinds.iter().filter(|of| is_late(of, now)).count();
    let body = html! {
        p.soft { (tr!("Jobs that were given up and have not begun again. They lie here until somebody retries them, or history is dropped.")) }
        div #dead data-live {
            @if kinds.iter().all(|of| of.jobs == 0) { p.calm { (tr!("✓ Nothing lies dead.")) } }
            @if late > 0 { p.alarm { (tr!(
                "Of {count} kind the oldest lies here for longer than was promised."
                    | "Of {count} kinds the oldest lies here for longer than was promised." % late,
                count = words::count(late as i64)
            )) } }
            @if !kinds.is_empty() { (table(&visit, &place.slug, &kinds, now)) }
        }
        @if visit.may(Right::Operate) { (form(&visit, &place.slug)) }
    };
    Ok(Page::live(&visit, "/dead-letters", &tr!("Dead letters"), body).into_response())
}

/// Whether the oldest of a kind lies there for longer than was promised.
pub(super) fn is_late(of: &DeadLetters, now: DateTime<Utc>) -> bool {
    of.due_at().is_some_and(|due_at| due_at < now)
}

fn table(visit: &Visit, slug: &str, kinds: &[DeadLetters], now: DateTime<Utc>) -> Markup {
    html! {
        table {
            thead { tr { th { (tr!("Kind")) } th.number { (tr!("Dead")) } th { (tr!("Oldest")) } th { (tr!("Looked after by")) } th.wide { (tr!("Said by")) } th { "" } } }
            tbody { @for of in kinds { tr.hot[is_late(of, now)] {
                td { a href=(listed(slug, &of.kind)) { (of.kind) } }
                td.number { (words::up_to(of.jobs, DEAD_COUNTED_MAX)) }
                td { (oldest(slug, of, now)) }
                td { (care(of)) }
                td.wide { @if let Some((by, at)) = of.said() { (by) " " (words::when(at)) } @else { "–" } }
                td {
                    @if visit.may(Right::Operate) {
                        div.inline {
                            @if of.jobs > 0 { a href={ "/ops/t/" (slug) "/bulk/new?action=retry&states=discarded&kind=" (of.kind) } { (tr!("Retry all")) } }
                            @if of.said().is_some() { (layout::action(visit, &format!("/ops/t/{slug}/dead-letters/{}/remove", of.kind), &tr!("Forget"))) }
                        }
                    }
                }
            } } }
        }
    }
}

fn listed(slug: &str, kind: &str) -> String {
    format!("/ops/t/{slug}/jobs?state=discarded&kind={kind}")
}

/// Since when the first lies there, and whether that is within the promise.
fn oldest(slug: &str, of: &DeadLetters, now: DateTime<Utc>) -> Markup {
    html! {
        @match of.oldest_at.zip(of.oldest_job()) {
            Some((at, job)) => a href={ "/ops/t/" (slug) "/jobs/" (job) } { (words::when(at)) },
            None => "–",
        }
        @if is_late(of, now) { " " span.state.failed { (tr!("✕ late")) } }
        @else if of.due_at().is_some() { " " span.state.completed { (tr!("✓ in time")) } }
    }
}

fn care(of: &DeadLetters) -> Markup {
    html! {
        @match &of.care.owner { Some(owner) => (owner), None => (tr!("nobody is named")) }
        @if let Some(seconds) = of.care.look_after_s {
            div.soft { (tr!("within {span}", span = words::span(TimeDelta::seconds(seconds.into())))) }
        }
        @if let Some(runbook) = &of.care.runbook {
            div { a href=(runbook) rel="noreferrer noopener" { (tr!("Runbook")) span.soft { " " (tr!("of {kind}", kind = of.kind)) } } }
        }
    }
}

fn form(visit: &Visit, slug: &str) -> Markup {
    html! {
        details.form {
            summary { (tr!("Say who looks after a kind")) }
            form method="post" action={ "/ops/t/" (slug) "/dead-letters" } {
                (token(visit))
                label { (tr!("Kind; what was said of it is replaced")) select name="kind" { @for spec in specs() { option { (spec.kind) } } } }
                label { (tr!("Whom to ask")) input name="owner" maxlength=(CARE_OWNER_CHARS_MAX); }
                label { (tr!("Runbook, an https address")) input type="url" name="runbook" maxlength=(CARE_RUNBOOK_BYTES_MAX); }
                label { (tr!("Looked after within, in hours")) input type="number" name="hours" min="1" max=(LOOK_AFTER_S_MAX / HOUR_S); }
                button { (tr!("Say")) }
            }
        }
    }
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(super) struct CareForm {
    kind: String,
    owner: String,
    runbook: String,
    hours: String,
}

/// Says who looks after a kind.
pub(super) async fn set(
    State(app): State<AppState>,
    visit: Visit,
    Form(form): Form<CareForm>,
) -> Result<Redirect, Problem> {
    let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let seconds = |hours: String| {
        let hours: Option<i32> = hours.parse().ok();
        let wrong = || Problem::invalid(vec![FieldError::new("/hours", "a number of hours")]);
        hours.and_then(|hours| hours.checked_mul(HOUR_S)).ok_or_else(wrong)
    };
    let look_after_s = some(form.hours).map(seconds).transpose()?;
    let body = typed(
        &json!({ "owner": some(form.owner), "runbook": some(form.runbook), "look_after_s": look_after_s }),
    )?;
    drop(set_kind_care(State(app), Operator::of(visit.caller()?)?, Id(form.kind), Json(body)).await?);
    back(&visit)
}

/// Takes that back.
pub(super) async fn remove(
    State(app): State<AppState>,
    visit: Visit,
    Path((_, kind)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    remove_kind_care(State(app), Operator::of(visit.caller()?)?, Id(kind)).await?;
    back(&visit)
}

fn back(visit: &Visit) -> Result<Redirect, Problem> {
    Ok(Redirect::to(&format!("/ops/t/{}/dead-letters", visit.here()?.slug)))
}
