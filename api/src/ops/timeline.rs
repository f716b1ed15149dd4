//! The life of a job on one line: from the request to whoever was told of its end.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use store::{
    attempts::Attempt,
    outbox::{self, Told},
    reads::JobRecord,
};

use super::{guard::Visit, layout::state, words};
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
            li { (words::when(record.created_at)) " accepted, for " (record.queue) " at priority " (record.priority) }
            @for attempt in tried { (run(attempt, record.created_at)) }
            @if let Some(at) = record.cancel_requested_at { li { (words::when(at)) " asked to stop" } }
            @if is_waiting { li { (words::when(record.scheduled_at)) @if record.scheduled_at > Utc::now() { " may begin" } @else { " queued, and waits" } } }
            @if let Some(at) = record.finalized_at { li { (words::when(at)) " ended, " (words::span(at - record.created_at)) " after it was accepted" } }
            @for one in &told { (telling(one, &place.slug)) }
        }
    })
}

/// One run: when it was released to a worker, and how it ended there.
fn run(attempt: &Attempt, accepted: DateTime<Utc>) -> Markup {
    html! {
        @if attempt.scheduled_at - accepted > TimeDelta::seconds(1) { li { (words::when(attempt.scheduled_at)) " queued" } }
        @if let Some(at) = attempt.started_at {
            li {
                (words::when(at)) " attempt " (attempt.attempt) " released"
                @if let Some(worker) = &attempt.worker { " to " (worker) }
                ", after " (words::span(at - attempt.scheduled_at)) " in line"
                span.soft { ", fencing number " (attempt.fence) }
            }
        }
        li {
            @if let Some(at) = attempt.finished_at { (words::when(at)) " " }
            "attempt " (attempt.attempt) " " (state(&attempt.outcome))
            @if let (Some(from), Some(to)) = (attempt.started_at, attempt.finished_at) { " after " (words::span(to - from)) }
            @if let Some(error) = &attempt.error { div.wrong { (error.0["message"].as_str().unwrap_or_default()) } }
        }
    }
}

fn telling(told: &Told, slug: &str) -> Markup {
    let tries = words::many(told.attempts.into(), "try", "tries");
    html! {
        li {
            (words::when(told.delivered_at.unwrap_or(told.created_at))) " webhook to "
            a href={ "/ops/t/" (slug) "/webhooks/out/" (told.endpoint()) } { (told.url) } " " (state(&told.state)) ", " (tries)
        }
    }
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
        h3 { "What went wrong" }
        table {
            thead { tr { th.number { "Times" } th { "Error" } th { "Attempts" } } }
            tbody { @for (code, message, all) in &groups { tr {
                td.number { (all.len()) }
                td { code { (code) } " " (message) }
                td { @for (nth, attempt) in all.iter().enumerate() { @if nth > 0 { ", " } (attempt.attempt) } }
            } } }
        }
    }
}
