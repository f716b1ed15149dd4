//! The worker processes: who is there, of which versions, and what each runs.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use store::fleet::{self, Running, Version, Worker};
use tr::tr;

use super::{
    access::Right,
    guard::Visit,
    layout::{self, Page},
    words::{self, rich},
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
            (there(here, silent))
        }
        (releases(&workers, &versions, now))
        h2 { (tr!("Workers")) }
        table {
            thead { tr { th { (tr!("Worker")) } th.wide { (tr!("Host")) } th.wide { (tr!("Version")) } th.wide { (tr!("Queues and slots")) } th.number { (tr!("Running")) } th.number.wide { (tr!("Memory")) } th { (tr!("Last beat")) } th.wide { (tr!("Since")) } th { "" } } }
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
        p.soft { (tr!("A worker that drains, or gets SIGTERM, claims nothing more, hands back what does not end in time, and goes. Whatever starts processes there starts the next.")) }
    };
    Ok(Page::new(&visit, "/ops/workers", &tr!("Workers"), body).into_response())
}

/// How many are there, and how many were.
fn there(here: usize, silent: usize) -> String {
    let count = words::count(here as i64);
    let there = tr!("{count} worker is there" | "{count} workers are there" % here, count);
    if silent == 0 {
        return tr!("{there}.", there);
    }
    let count = words::count(silent as i64);
    let silence = tr!(
        "{count} has said nothing for half a minute" | "{count} have said nothing for half a minute" % silent,
        count
    );
    tr!("{there}, {silence}.", there, silence)
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
            p.alarm {
                (tr!("They are of {count} versions:", count = now_at.len())) " "
                @for (version, (count, ..)) in &now_at { span.tag { (version) " × " (count) } " " }
            }
        }
        @if !versions.is_empty() {
            h2 { (tr!("Versions")) }
            table {
                thead { tr { th { (tr!("Version")) } th.number { (tr!("Workers")) } th.number { (tr!("Slots")) } th.number { (tr!("Running")) } th { (tr!("First seen")) } th.wide { (tr!("Last seen")) } } }
                tbody { @for seen in versions {
                    @let (count, slots, running) = now_at.get(seen.version.as_str()).copied().unwrap_or_default();
                    tr {
                        td { (seen.version) @if count == 0 { " " span.soft { (tr!("gone")) } } }
                        td.number { (words::count(count)) }
                        td.number { (words::count(slots)) }
                        td.number { (words::count(running)) }
                        td { (words::when(seen.first_at)) }
                        td.wide { @if count > 0 { (tr!("now")) } @else { (words::when(seen.last_at)) } }
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
            div { dt { (tr!("Host")) } dd { (worker.host.as_deref().unwrap_or("–")) } }
            div { dt { (tr!("Version")) } dd { (worker.version) } }
            div { dt { (tr!("Queues and slots")) } dd { (slots(worker)) } }
            div { dt { (tr!("Memory")) } dd { (memory(worker)) } }
            div { dt { (tr!("Last beat")) } dd { (beat(worker, now)) } }
            div { dt { (tr!("Since")) } dd { (words::when(worker.started_at)) } }
        }
        div.acts { (draining(&visit, worker)) }
        h2 { (tr!("What it runs")) }
        @if runs.is_empty() { p { (tr!("Nothing at this moment.")) } } @else { (runs_table(&runs)) }
        @if runs.len() as i64 == OPS_ROWS_MAX { p.soft { (tr!(
            "Those that have run longest, of {count} at most.",
            count = words::count(worker.running)
        )) } }
    };
    Ok(Page::new(&visit, "/ops/workers", &worker.name, body).into_response())
}

fn runs_table(runs: &[Running]) -> Markup {
    html! {
        table {
            thead { tr { th { (tr!("Job")) } th { (tr!("Tenant")) } th.wide { (tr!("Queue")) } th.number.wide { (tr!("Attempt")) } th { (tr!("Since")) } } }
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
    html! { (words::when(worker.seen_at)) @if is_silent(worker, now) { " " span.state.failed { (tr!("✕ silent")) } } }
}

fn draining(visit: &Visit, worker: &Worker) -> Markup {
    html! {
        @if let Some(at) = worker.drain_requested_at { span.soft { (rich(tr!("asked to end {when}", when = words::when(at).0))) } }
        @else if visit.may(Right::OperateAll) { (layout::action(visit, &format!("{}/drain", path_of(worker)), &tr!("Drain"))) }
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
