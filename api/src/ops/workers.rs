//! The worker processes.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{TimeDelta, Utc};
use maud::html;
use store::observing::{self, Worker};

use super::{
    access::Right,
    guard::Visit,
    layout::{self, Page},
    words,
};
use crate::{AppState, problem::Problem};

/// Who was silent for longer does not count as being there.
const SILENT: TimeDelta = TimeDelta::seconds(30);

/// Who is there, what they listen to and what they do.
pub(super) async fn show(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let workers = observing::workers(&app.db, visit.user).await?;
    let now = Utc::now();
    let is_silent = |worker: &Worker| now - worker.seen_at > SILENT;
    let silent = workers.iter().filter(|worker| is_silent(worker)).count();
    let here = workers.len() - silent;
    let mut versions: BTreeMap<&str, i64> = BTreeMap::new();
    for worker in workers.iter().filter(|worker| !is_silent(worker)) {
        *versions.entry(&worker.version).or_default() += 1;
    }
    let body = html! {
        p.calm[here > 0].alarm[here == 0] {
            (words::many(here as i64, "worker is there", "workers are there"))
            @if silent > 0 { ", " (words::many(silent as i64, "has", "have")) " said nothing for half a minute" } "."
        }
        @if versions.len() > 1 {
            p.alarm { "They are of " (versions.len()) " versions: " @for (version, of_it) in &versions { span.tag { (version) " × " (of_it) } " " } }
        }
        table {
            thead { tr { th { "Worker" } th.wide { "Version" } th { "Queues and slots" } th.number { "Running" } th.number.wide { "Memory" } th { "Last beat" } th.wide { "Since" } th { "" } } }
            tbody {
                @for worker in &workers {
                    tr.hot[is_silent(worker)] {
                        td { code { (worker.name) } }
                        td.wide { (worker.version) }
                        td { @for (queue, slots) in worker.queues.iter().zip(&worker.slots) { span.tag { (queue) " " (slots) } " " } }
                        td.number { (words::count(worker.running)) }
                        td.number.wide { @match worker.memory_bytes { Some(bytes) => { (words::count(bytes >> 20)) " MiB" }, None => "–" } }
                        td { (words::when(worker.seen_at)) @if is_silent(worker) { " " span.state.failed { "✕ silent" } } }
                        td.wide { (words::when(worker.started_at)) }
                        td {
                            @if let Some(at) = worker.drain_requested_at { span.soft { "asked to end " (words::when(at)) } }
                            @else if visit.may(Right::OperateAll) {
                                (layout::action(&visit, &format!("/ops/workers/{}/drain", escaped(&worker.name)), "Drain"))
                            }
                        }
                    }
                }
            }
        }
        p.soft { "A worker that drains, or gets SIGTERM, claims nothing more, hands back what does not end in time, and goes. Whatever starts processes there starts the next." }
    };
    Ok(Page::new(&visit, "/ops/workers", "Workers", body).into_response())
}

fn escaped(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Asks a worker to end.
pub(super) async fn drain(
    State(app): State<AppState>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Redirect, Problem> {
    if !observing::drain(&app.db, visit.user, &name).await? {
        return Err(Problem::not_found("worker"));
    }
    Ok(Redirect::to("/ops/workers"))
}
