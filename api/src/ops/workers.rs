//! The worker processes: who is there, of which versions, and what each runs.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use store::fleet::{self, Running, Version, Worker};

use super::{
    access::Right,
    guard::Visit,
    layout::{self, Page},
    words,
};
use crate::{
    AppState,
    limits::{OPS_ROWS_MAX, OPS_VERSIONS_MAX},
    problem::Problem,
};

/// Who was silent for longer does not count as being there.
const SILENT: TimeDelta = TimeDelta::seconds(30);

fn is_silent(worker: &Worker, now: DateTime<Utc>) -> bool {
    now - worker.seen_at > SILENT
}

/// Who is there, what they listen to and what they do.
pub(super) async fn show(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let (workers, versions) = tokio::try_join!(
        fleet::workers(&app.db, visit.user),
        fleet::versions(&app.db, visit.user, OPS_VERSIONS_MAX),
    )?;
    let now = Utc::now();
    let silent = workers.iter().filter(|worker| is_silent(worker, now)).count();
    let here = workers.len() - silent;
    let body = html! {
        p.calm[here > 0].alarm[here == 0] {
            (words::many(here as i64, "worker is there", "workers are there"))
            @if silent > 0 { ", " (words::many(silent as i64, "has", "have")) " said nothing for half a minute" } "."
        }
        (releases(&workers, &versions, now))
        h2 { "Workers" }
        table {
            thead { tr { th { "Worker" } th.wide { "Host" } th.wide { "Version" } th.wide { "Queues and slots" } th.number { "Running" } th.number.wide { "Memory" } th { "Last beat" } th.wide { "Since" } th { "" } } }
            tbody {
                @for worker in &workers {
                    tr.hot[is_silent(worker, now)] {
                        td { a href=(path_of(worker)) { code { (worker.name) } } }
                        td.wide { (worker.host.as_deref().unwrap_or("–")) }
                        td.wide { (worker.version) }
                        td.wide { (slots(worker)) }
                        td.number { (words::count(worker.running)) }
                        td.number.wide { (memory(worker)) }
                        td { (beat(worker, now)) }
                        td.wide { (words::when(worker.started_at)) }
                        td { (draining(&visit, worker)) }
                    }
                }
            }
        }
        p.soft { "A worker that drains, or gets SIGTERM, claims nothing more, hands back what does not end in time, and goes. Whatever starts processes there starts the next." }
    };
    Ok(Page::new(&visit, "/ops/workers", "Workers", body).into_response())
}

/// What of the work each version does, and those that were there before.
fn releases(workers: &[Worker], versions: &[Version], now: DateTime<Utc>) -> Markup {
    let mut now_at: BTreeMap<&str, (i64, i64, i64)> = BTreeMap::new();
    for worker in workers.iter().filter(|worker| !is_silent(worker, now)) {
        let (count, slots, running) = now_at.entry(&worker.version).or_default();
        *count += 1;
        *slots += worker.slots.iter().copied().map(i64::from).sum::<i64>();
        *running += worker.running;
    }
    html! {
        @if now_at.len() > 1 {
            p.alarm { "They are of " (now_at.len()) " versions: " @for (version, (count, ..)) in &now_at { span.tag { (version) " × " (count) } " " } }
        }
        @if !versions.is_empty() {
            h2 { "Versions" }
            table {
                thead { tr { th { "Version" } th.number { "Workers" } th.number { "Slots" } th.number { "Running" } th { "First seen" } th.wide { "Last seen" } } }
                tbody { @for seen in versions {
                    @let (count, slots, running) = now_at.get(seen.version.as_str()).copied().unwrap_or_default();
                    tr {
                        td { (seen.version) @if count == 0 { " " span.soft { "gone" } } }
                        td.number { (words::count(count)) }
                        td.number { (words::count(slots)) }
                        td.number { (words::count(running)) }
                        td { (words::when(seen.first_at)) }
                        td.wide { @if count > 0 { "now" } @else { (words::when(seen.last_at)) } }
                    }
                } }
            }
        }
    }
}

/// One worker, and what it runs.
pub(super) async fn one(
    State(app): State<AppState>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let (workers, runs) = tokio::try_join!(
        fleet::workers(&app.db, visit.user),
        fleet::running(&app.db, visit.user, &name, OPS_ROWS_MAX as i32),
    )?;
    let worker = workers.iter().find(|worker| worker.name == name);
    let worker = worker.ok_or_else(|| Problem::not_found("worker"))?;
    let now = Utc::now();
    let body = html! {
        dl.facts {
            div { dt { "Host" } dd { (worker.host.as_deref().unwrap_or("–")) } }
            div { dt { "Version" } dd { (worker.version) } }
            div { dt { "Queues and slots" } dd { (slots(worker)) } }
            div { dt { "Memory" } dd { (memory(worker)) } }
            div { dt { "Last beat" } dd { (beat(worker, now)) } }
            div { dt { "Since" } dd { (words::when(worker.started_at)) } }
        }
        div.acts { (draining(&visit, worker)) }
        h2 { "What it runs" }
        @if runs.is_empty() { p { "Nothing at this moment." } } @else { (runs_table(&runs)) }
        @if runs.len() as i64 == OPS_ROWS_MAX { p.soft { "Those that have run longest, of " (words::count(worker.running)) " at most." } }
    };
    Ok(Page::new(&visit, "/ops/workers", &worker.name, body).into_response())
}

fn runs_table(runs: &[Running]) -> Markup {
    html! {
        table {
            thead { tr { th { "Job" } th { "Tenant" } th.wide { "Queue" } th.number.wide { "Attempt" } th { "Since" } } }
            tbody { @for run in runs { tr {
                td { a href={ "/ops/t/" (run.slug) "/jobs/" (run.job()) } { (run.kind) } div.soft { code { (run.job()) } } }
                td { a href={ "/ops/t/" (run.slug) } { (run.name) } }
                td.wide { (run.queue) }
                td.number.wide { (run.attempt) }
                td { (words::when(run.claimed_at)) }
            } } }
        }
    }
}

fn slots(worker: &Worker) -> Markup {
    html! { @for (queue, slots) in worker.queues.iter().zip(&worker.slots) { span.tag { (queue) " " (slots) } " " } }
}

fn memory(worker: &Worker) -> Markup {
    html! { @match worker.memory_bytes { Some(bytes) => { (words::count(bytes >> 20)) " MiB" }, None => "–" } }
}

fn beat(worker: &Worker, now: DateTime<Utc>) -> Markup {
    html! { (words::when(worker.seen_at)) @if is_silent(worker, now) { " " span.state.failed { "✕ silent" } } }
}

fn draining(visit: &Visit, worker: &Worker) -> Markup {
    html! {
        @if let Some(at) = worker.drain_requested_at { span.soft { "asked to end " (words::when(at)) } }
        @else if visit.may(Right::OperateAll) { (layout::action(visit, &format!("{}/drain", path_of(worker)), "Drain")) }
    }
}

fn path_of(worker: &Worker) -> String {
    let name: String = form_urlencoded::byte_serialize(worker.name.as_bytes()).collect();
    format!("/ops/workers/{}", name.replace('+', "%20"))
}

/// Asks a worker to end.
pub(super) async fn drain(
    State(app): State<AppState>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Redirect, Problem> {
    if !fleet::drain(&app.db, visit.user, &name).await? {
        return Err(Problem::not_found("worker"));
    }
    Ok(Redirect::to("/ops/workers"))
}
