//! The queues and kinds: how each stands and went, and pauses.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{TimeDelta, Utc};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use store::{
    limits,
    observing::{Minute, Standing, WAITING_COUNTED_MAX},
    pauses::Pause,
};

use super::{
    access::Right,
    charts,
    guard::Visit,
    home::Hour,
    layout::{self, Page, token},
    words,
};
use crate::{
    AppState,
    auth::Operator,
    extract::{Id, Json, typed},
    limits::{LIMIT_CONCURRENCY_MAX, PAUSE_REASON_CHARS_MAX},
    problem::{FieldError, Problem},
    routes::{self, pauses},
};

/// Minutes that say at which pace a queue is worked off.
const PACE_MINUTES: i64 = 10;
/// The time that is offered for it.
const OFFERED: TimeDelta = TimeDelta::hours(1);

/// The page.
pub(super) async fn show(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = visit.here()?;
    let hour = Hour::of(&app, &visit).await?;
    let (limits, usage) = limits::list(&app.db, place.id).await?;
    let body = html! {
        div #queues data-live {
            @for queue in &hour.queues { (section(&hour, queue)) }
            @if hour.queues.is_empty() { p { "No job has been submitted yet." } }
            @if !hour.minutes.is_empty() { (kinds(&hour, &place.slug)) }
            @if !hour.pauses.is_empty() {
                h2 { "Pauses" }
                (pauses_table(&visit, &place.slug, &hour.pauses))
            }
            @if !limits.is_empty() {
                h2 { "Limits" }
                table {
                    thead { tr { th { "Limit" } th { "Counts" } th.number { "At once" } th.number { "In use" } } }
                    tbody {
                        @for standing in &limits {
                            @let limit = &standing.limit;
                            @let used: i64 = usage.iter().filter(|used| used.limit() == standing.id)
                                .filter_map(|used| used.running).map(i64::from).sum();
                            tr {
                                td { code { (limit.name) } }
                                td { (limit.queue.as_deref().unwrap_or("every queue")) " " (limit.kind.as_deref().unwrap_or_default()) " " (limit.key.as_deref().unwrap_or_default()) }
                                td.number { @match limit.concurrency { Some(most) => (most), None => "–" } }
                                td.number { (used) }
                            }
                        }
                    }
                }
            }
        }
        @if visit.may(Right::Operate) { (pause_form(&visit, &place.slug)) (limit_form(&visit, &place.slug)) }
    };
    Ok(Page::live(&visit, "/queues", "Queues", body).into_response())
}

fn section(hour: &Hour, queue: &Standing) -> Markup {
    let of_queue: Vec<&Minute> = hour.minutes.iter().filter(|minute| minute.queue == queue.queue).collect();
    let per_minute = |of: fn(&Minute) -> i32| charts::per_minute(&of_queue, hour.now, of);
    let waits = charts::percentiles(of_queue.iter().map(|minute| &minute.wait_ms));
    let runs = charts::percentiles(of_queue.iter().map(|minute| &minute.run_ms));
    let (workers, slots) = hour.heard(&queue.queue);
    html! {
        section.queue id=(queue.queue) {
            h2 { (queue.queue) }
            @if let Some(pause) = hour.pause(&queue.queue) { p.alarm { "■ Paused by " (pause.paused_by) ": " (pause.reason) } }
            dl.facts {
                div { dt { "Waiting" } dd { (words::up_to(queue.waiting, WAITING_COUNTED_MAX.into())) } }
                div { dt { "Oldest" } dd { @match queue.oldest_at { Some(at) => (words::span(hour.now - at)), None => "–" } } }
                @if let Some(left) = left(hour, queue, &of_queue) { div { dt { "Worked off in" } dd { "about " (words::span(left)) } } }
                div { dt { "Running" } dd { (words::count(queue.running)) " of " (words::many(slots, "slot", "slots")) } }
                div { dt { "Workers" } dd { (words::count(workers)) } }
                div { dt { "Wait" } dd { (charts::said(waits)) } }
                div { dt { "Run" } dd { (charts::said(runs)) } }
                div { dt { "Completed" } dd { (charts::sparkline(&per_minute(|minute| minute.completed), "completed")) } }
                div.bad { dt { "Failed" } dd { (charts::sparkline(&per_minute(|minute| minute.failed), "failed")) } }
            }
        }
    }
}

/// How long what waits takes at the pace of the last minutes, if nothing more comes; none where that cannot be told.
fn left(hour: &Hour, queue: &Standing, of_queue: &[&Minute]) -> Option<TimeDelta> {
    let since = hour.now - TimeDelta::minutes(PACE_MINUTES);
    let lately = of_queue.iter().filter(|minute| minute.minute >= since);
    let ended: i64 = lately.map(|minute| i64::from(minute.completed + minute.discarded)).sum();
    let is_known = (1..=i64::from(WAITING_COUNTED_MAX)).contains(&queue.waiting) && ended > 0;
    is_known.then(|| TimeDelta::seconds((queue.waiting * PACE_MINUTES * 60 / ended).max(1)))
}

/// How each kind went in the last hour.
fn kinds(hour: &Hour, slug: &str) -> Markup {
    let mut by_kind: BTreeMap<&str, Vec<&Minute>> = BTreeMap::new();
    for minute in &hour.minutes {
        by_kind.entry(&minute.kind).or_default().push(minute);
    }
    let sum = |minutes: &[&Minute], of: fn(&Minute) -> i32| -> i64 {
        minutes.iter().map(|minute| i64::from(of(minute))).sum()
    };
    html! {
        h2 { "Kinds in the last hour" }
        table {
            thead { tr { th { "Kind" } th.number { "Completed" } th.number { "Failed" } th.wide { "Wait" } th.wide { "Run" } } }
            tbody { @for (kind, minutes) in &by_kind { tr {
                td { a href={ "/ops/t/" (slug) "/jobs?kind=" (kind) } { (kind) } }
                td.number { (words::count(sum(minutes, |minute| minute.completed))) }
                td.number { (words::count(sum(minutes, |minute| minute.failed))) }
                td.wide { (charts::said(charts::percentiles(minutes.iter().map(|minute| &minute.wait_ms)))) }
                td.wide { (charts::said(charts::percentiles(minutes.iter().map(|minute| &minute.run_ms)))) }
            } } }
        }
    }
}

fn pauses_table(visit: &Visit, slug: &str, pauses: &[Pause]) -> Markup {
    html! {
        table {
            thead { tr { th { "What" } th { "Why" } th { "By" } th { "Until" } th { "" } } }
            tbody {
                @for pause in pauses {
                    tr {
                        td { (pause.queue.as_deref().unwrap_or("every queue")) " " (pause.kind.as_deref().unwrap_or_default()) }
                        td { (pause.reason) }
                        td { (pause.paused_by) }
                        td { @match pause.expires_at { Some(at) => (words::when(at)), None => "it is resumed" } }
                        td {
                            @if pause.whole_installation { span.soft { "holds for every tenant" } }
                            @else if visit.may(Right::Operate) {
                                (layout::action(visit, &format!("/ops/t/{slug}/pauses/{}/resume", pause.id()), "Resume"))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn pause_form(visit: &Visit, slug: &str) -> Markup {
    let now = Utc::now();
    html! {
        details.form {
            summary { "Pause a queue" }
            form method="post" action={ "/ops/t/" (slug) "/pauses" } {
                (token(visit))
                label { "Queue" select name="queue" {
                    option value="" { "every queue" }
                    @for queue in ::jobs::Queue::ALL { option { (queue.name()) } }
                } }
                label { "Why" input name="reason" required maxlength=(PAUSE_REASON_CHARS_MAX); }
                label { "Until, in UTC; empty for until somebody resumes it"
                    input type="datetime-local" name="until" min=(now.format(words::LOCAL)) value=((now + OFFERED).format(words::LOCAL)); }
                button { "Pause" }
            }
        }
    }
}

fn limit_form(visit: &Visit, slug: &str) -> Markup {
    html! {
        details.form {
            summary { "Limit a queue" }
            form method="post" action={ "/ops/t/" (slug) "/limits" } {
                (token(visit))
                label { "Queue" select name="queue" { @for queue in ::jobs::Queue::ALL { option { (queue.name()) } } } }
                label { "Jobs at once; empty for as many as there are slots"
                    input type="number" name="at_once" min="1" max=(LIMIT_CONCURRENCY_MAX); }
                button { "Set" }
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
    until: String,
}

/// Pauses a queue, or every one.
pub(super) async fn pause(
    State(app): State<AppState>,
    visit: Visit,
    Form(form): Form<PauseForm>,
) -> Result<Redirect, Problem> {
    let until = words::moment(&form.until, "until")?;
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
