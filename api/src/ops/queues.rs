//! The queues: how each stands and went, pauses and limits.

use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{TimeDelta, Utc};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use store::{observing::Standing, pauses::Pause};
use tr::tr;

use super::{
    access::Right,
    course::Course,
    guard::Visit,
    home::Hour,
    layout::{self, Page, token},
    quotas,
    words::{self, rich},
};
use crate::{
    AppState,
    auth::Operator,
    extract::{Id, Json, typed},
    limits::{LIMIT_CONCURRENCY_MAX, PAUSE_REASON_CHARS_MAX},
    problem::{FieldError, Problem},
    routes::{self, pauses},
};

/// For how long a pause is offered.
const OFFERED: TimeDelta = TimeDelta::hours(1);

/// The page.
pub(super) async fn show(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = visit.here()?;
    let (hour, quotas) = tokio::try_join!(Hour::of(&app, &visit), async {
        store::quotas::list(&app.db, place.id).await.map_err(Problem::from)
    })?;
    let body = html! {
        div #queues data-live {
            @for queue in &hour.queues { (section(&hour, queue)) }
            @if hour.queues.is_empty() { p { (tr!("No job has been submitted yet.")) } }
            @if !hour.pauses.is_empty() {
                h2 { (tr!("Pauses")) }
                (pauses_table(&visit, &place.slug, &hour.pauses))
            }
            h2 { (tr!("Limits")) }
            @if quotas.is_empty() { p { (tr!("Nothing limits how much runs at once, or begins in a time.")) } } @else { (quotas::table(&quotas)) }
            (quotas::requests(&app, place.id))
        }
        @if visit.may(Right::Operate) { (pause_form(&visit, &place.slug)) (limit_form(&visit, &place.slug)) }
    };
    Ok(Page::live(&visit, "/queues", &tr!("Queues"), body).into_response())
}

fn section(hour: &Hour, queue: &Standing) -> Markup {
    let course = Course {
        now: hour.now,
        waiting: queue.waiting,
        running: queue.running,
        oldest_at: queue.oldest_at,
        heard: hour.heard(&queue.queue),
        minutes: hour.minutes.iter().filter(|minute| minute.queue == queue.queue).collect(),
    };
    html! {
        section.queue id=(queue.queue) {
            h2 { (queue.queue) }
            @if let Some(pause) = hour.pause(&queue.queue) { p.alarm { (tr!("■ Paused by {who}: {why}", who = pause.paused_by, why = pause.reason)) } }
            (course.facts())
        }
    }
}

/// What a pause holds.
pub(super) fn queue_of(pause: &Pause) -> String {
    pause.queue.clone().unwrap_or_else(|| tr!("every queue"))
}

fn pauses_table(visit: &Visit, slug: &str, pauses: &[Pause]) -> Markup {
    html! {
        table {
            thead { tr { th { (tr!("What")) } th { (tr!("Why")) } th { (tr!("By")) } th { (tr!("Until")) } th { "" } } }
            tbody {
                @for pause in pauses {
                    tr {
                        td { (queue_of(pause)) " " (pause.kind.as_deref().unwrap_or_default()) }
                        td { (pause.reason) }
                        td { (pause.paused_by) }
                        td { @match pause.expires_at { Some(at) => (words::when(at)), None => (tr!("it is resumed")) } }
                        td {
                            @if pause.whole_installation { span.soft { (tr!("holds for every tenant")) } }
                            @else if visit.may(Right::Operate) {
                                (layout::action(visit, &format!("/ops/t/{slug}/pauses/{}/resume", pause.id()), &tr!("Resume")))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn pause_form(visit: &Visit, slug: &str) -> Markup {
    let (now, zone) = (Utc::now(), words::zone());
    let local = |at| zone.wall(at).format(words::LOCAL);
    html! {
        details.form {
            summary { (tr!("Pause a queue")) }
            form method="post" action={ "/ops/t/" (slug) "/pauses" } {
                (token(visit))
                label { (tr!("Queue")) select name="queue" {
                    option value="" { (tr!("every queue")) }
                    @for queue in ::jobs::Queue::ALL { option { (queue.name()) } }
                } }
                label { (tr!("Why")) input name="reason" required maxlength=(PAUSE_REASON_CHARS_MAX); }
                (words::zone_field(zone))
                label { (rich(tr!("Until{zone}; empty for until somebody resumes it", zone = html! { span.soft { ", " (zone.name()) } }.0)))
                    input type="datetime-local" name="until" min=(local(now)) value=(local(now + OFFERED)); }
                button { (tr!("Pause")) }
            }
        }
    }
}

fn limit_form(visit: &Visit, slug: &str) -> Markup {
    html! {
        details.form {
            summary { (tr!("Limit a queue")) }
            form method="post" action={ "/ops/t/" (slug) "/limits" } {
                (token(visit))
                label { (tr!("Queue")) select name="queue" { @for queue in ::jobs::Queue::ALL { option { (queue.name()) } } } }
                label { (tr!("Jobs at once; empty for as many as there are slots"))
                    input type="number" name="at_once" min="1" max=(LIMIT_CONCURRENCY_MAX); }
                button { (tr!("Set")) }
            }
        }
    }
}

/// What the form of a limit sends.
#[derive(Debug, Deserialize)]
pub(super) struct LimitForm {
    queue: String,
    at_once: String,
}

/// Sets how many jobs of a queue run at once, or takes that back. Other limits stay.
pub(super) async fn limit(
    State(app): State<AppState>,
    visit: Visit,
    Form(form): Form<LimitForm>,
) -> Result<Redirect, Problem> {
    let (name, operator) = (format!("queue-{}", form.queue), Operator::of(visit.caller()?)?);
    if form.at_once.is_empty() {
        routes::limits::remove_limit(State(app), operator, Id(name)).await?;
    } else {
        let wrong = |_| Problem::invalid(vec![FieldError::new("/at_once", "a number")]);
        let at_once: u32 = form.at_once.parse().map_err(wrong)?;
        let body = typed(&json!({ "queue": form.queue, "concurrency": at_once }))?;
        drop(routes::limits::set_limit(State(app), operator, Id(name), Json(body)).await?);
    }
    back(&visit)
}

/// What the form of a pause sends.
#[derive(Debug, Deserialize)]
pub(super) struct PauseForm {
    queue: String,
    reason: String,
    /// As a clock of `zone` shows it.
    until: String,
    #[serde(default)]
    zone: String,
}

/// Pauses a queue, or every one.
pub(super) async fn pause(
    State(app): State<AppState>,
    visit: Visit,
    Form(form): Form<PauseForm>,
) -> Result<Redirect, Problem> {
    let until = words::moment(&form.zone, &form.until, "until")?;
    let queue = Some(form.queue).filter(|queue| !queue.is_empty());
    let body = typed(&json!({ "queue": queue, "reason": form.reason, "expires_at": until }))?;
    pauses::pause(State(app), Operator::of(visit.caller()?)?, Json(body)).await?;
    back(&visit)
}

/// Ends a pause.
pub(super) async fn resume(
    State(app): State<AppState>,
    visit: Visit,
    Path((_, id)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("pause"))?;
    pauses::resume(State(app), Operator::of(visit.caller()?)?, Id(id)).await?;
    back(&visit)
}

fn back(visit: &Visit) -> Result<Redirect, Problem> {
    Ok(Redirect::to(&format!("/ops/t/{}/queues", visit.here()?.slug)))
}
