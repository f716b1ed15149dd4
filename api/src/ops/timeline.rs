//! The life of a job on one line: from the request to whoever was told of its end.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use store::{
    attempts::Attempt,
    outbox::{self, Told},
    reads::JobRecord,
};
use tr::tr;

use super::{
    guard::Visit,
    layout::state,
    words::{self, rich},
};
use crate::{AppState, limits::PREVIEW_ROWS_MAX, problem::Problem};

/// All of it.
pub(super) async fn of(
    app: &AppState,
    visit: &Visit,
    record: &JobRecord,
    tried: &[Attempt],
) -> Result<Markup, Problem> {
    let place = visit.here()?;
    let told = match record.finalized_at {
        Some(at) => {
            let subject = record.id().to_string();
            outbox::told_of(&app.db, place.id, &subject, at, PREVIEW_ROWS_MAX as i64).await?
        }
        None => Vec::new(),
    };
    let is_waiting =
        record.finalized_at.is_none() && tried.last().is_none_or(|last| last.finished_at.is_some());
    Ok(html! {
        ol.timeline {
            li { (accepted(record)) }
            @for attempt in tried { (run(attempt, record.created_at)) }
            @if let Some(at) = record.cancel_requested_at { li { (rich(tr!("{when} asked to stop", when = words::when(at).0))) } }
            @if is_waiting { li { (waits(record.scheduled_at)) } }
            @if let Some(at) = record.finalized_at { li { (ended(at, record.created_at)) } }
            @for one in &told { (telling(one, &place.slug)) }
        }
    })
}

fn accepted(record: &JobRecord) -> Markup {
    let (when, queue) = (words::when(record.created_at).0, html! { (record.queue) }.0);
    rich(tr!("{when} accepted, for {queue} at priority {priority}", when, queue, priority = record.priority))
}

fn waits(until: DateTime<Utc>) -> Markup {
    let when = words::when(until).0;
    rich(if until > Utc::now() {
        tr!("{when} may begin", when)
    } else {
        tr!("{when} queued, and waits", when)
    })
}

fn ended(at: DateTime<Utc>, accepted: DateTime<Utc>) -> Markup {
    let span = words::span(at - accepted);
    rich(tr!("{when} ended, {span} after it was accepted", when = words::when(at).0, span))
}

/// One run: when it was released to a worker, and how it ended there.
fn run(attempt: &Attempt, accepted: DateTime<Utc>) -> Markup {
    html! {
        @if attempt.scheduled_at - accepted > TimeDelta::seconds(1) {
            li { (rich(tr!("{when} queued", when = words::when(attempt.scheduled_at).0))) }
        }
        @if let Some(at) = attempt.started_at {
            li {
                (released(attempt, at))
                span.soft { (tr!(", fencing number {fence}", fence = attempt.fence)) }
            }
        }
        li {
            (outcome(attempt))
            @if let Some(error) = &attempt.error { div.wrong { (error.0["message"].as_str().unwrap_or_default()) } }
        }
    }
}

fn released(attempt: &Attempt, at: DateTime<Utc>) -> Markup {
    let (when, number) = (words::when(at).0, attempt.attempt);
    let span = words::span(at - attempt.scheduled_at);
    rich(match &attempt.worker {
        Some(worker) => {
            let worker = html! { (worker) }.0;
            tr!(
                "{when} attempt {number} released to {worker}, after {span} in line",
                when,
                number,
                worker,
                span
            )
        }
        None => tr!("{when} attempt {number} released, after {span} in line", when, number, span),
    })
}

fn outcome(attempt: &Attempt) -> Markup {
    let (number, state) = (attempt.attempt, state(&attempt.outcome).0);
    let when = |at| words::when(at).0;
    rich(match (attempt.started_at, attempt.finished_at) {
        (Some(from), Some(to)) => {
            let span = words::span(to - from);
            tr!("{when} attempt {number} {state} after {span}", when = when(to), number, state, span)
        }
        (None, Some(to)) => tr!("{when} attempt {number} {state}", when = when(to), number, state),
        (_, None) => tr!("attempt {number} {state}", number, state),
    })
}

fn telling(told: &Told, slug: &str) -> Markup {
    let url = html! { a href={ "/ops/t/" (slug) "/webhooks/out/" (told.endpoint()) } { (told.url) } }.0;
    let when = words::when(told.delivered_at.unwrap_or(told.created_at)).0;
    let said = tr!(
        "{when} webhook to {url} {state}, {count} try"
            | "{when} webhook to {url} {state}, {count} tries" % told.attempts,
        when,
        url,
        state = state(&told.state).0,
        count = words::count(told.attempts.into())
    );
    html! { li { (rich(said)) } }
}

/// What went wrong, alike things together; nothing where that is no more than the timeline says.
pub(super) fn errors(tried: &[Attempt]) -> Markup {
    let mut groups: Vec<(&str, &str, Vec<&Attempt>)> = Vec::new();
    for attempt in tried {
        let Some(error) = &attempt.error else { continue };
        let of = |name: &str| error.0[name].as_str().unwrap_or_default();
        let (code, message) = (of("code"), of("message"));
        match groups.iter_mut().find(|(known, said, _)| *known == code && *said == message) {
            Some((.., all)) => all.push(attempt),
            None => groups.push((code, message, vec![attempt])),
        }
    }
    if groups.iter().all(|(.., all)| all.len() == 1) {
        return html! {};
    }
    html! {
        h3 { (tr!("What went wrong")) }
        table {
            thead { tr { th.number { (tr!("Times")) } th { (tr!("Error")) } th { (tr!("Attempts")) } } }
            tbody { @for (code, message, all) in &groups { tr {
                td.number { (all.len()) }
                td { code { (code) } " " (message) }
                td { @for (nth, attempt) in all.iter().enumerate() { @if nth > 0 { ", " } (attempt.attempt) } }
            } } }
        }
    }
}
