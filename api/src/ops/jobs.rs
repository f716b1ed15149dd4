//! The list of jobs: filtered and searched by what the address says, so that a view is a link.

use ::jobs::{JobId, Queue, State as JobState, limits::TAG_BYTES_MAX};
use axum::{
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{
    listing::{self, Filter},
    observing,
    reads::JobRecord,
};

use super::{
    access::Right,
    guard::Visit,
    layout::{Page, state},
    views, words,
};
use crate::{
    AppState,
    limits::{OPS_ROWS_MAX, WORDS_CHARS_MAX},
    problem::{Code, Problem},
};

/// Every state, in the order of a job's life.
pub(super) const STATES: [JobState; 7] = [
    JobState::Scheduled,
    JobState::Available,
    JobState::Running,
    JobState::Retryable,
    JobState::Completed,
    JobState::Cancelled,
    JobState::Discarded,
];

/// What the address says.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Wanted {
    #[serde(default)]
    state: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    queue: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    words: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<JobId>,
}

impl Wanted {
    pub(super) fn filter(&self) -> Result<Filter, Problem> {
        let refuse = |what: &str| Problem::new(Code::InvalidParameter, what);
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let of = |text: &String| text.contains('\0');
        if [&self.kind, &self.tag, &self.words].into_iter().any(of)
            || self.kind.len().max(self.tag.len()) > TAG_BYTES_MAX
            || self.words.chars().count() > WORDS_CHARS_MAX
        {
            return Err(refuse("a filter is too long, or holds a character that no text has"));
        }
        let state = some(&self.state).map(|state| state.parse::<JobState>()).transpose();
        let queue = some(&self.queue).map(|queue| queue.parse::<Queue>()).transpose();
        Ok(Filter {
            state: state.map_err(|_| refuse("there is no such state"))?,
            kind: some(&self.kind),
            queue: queue.map_err(|_| refuse("there is no such queue"))?,
            tag: some(&self.tag),
            among: None,
            before: self.before,
        })
    }

    /// What was said, by name.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let said = [
            ("state", &self.state),
            ("kind", &self.kind),
            ("queue", &self.queue),
            ("tag", &self.tag),
            ("words", &self.words),
        ];
        said.into_iter().map(|(name, value)| (name, value.as_str())).filter(|(_, value)| !value.is_empty())
    }

    /// The view, as it stands behind a `?`.
    pub(super) fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.pairs()).finish()
    }

    /// The same view, from another place on.
    fn link(&self, before: JobId) -> String {
        let mut query = form_urlencoded::Serializer::new("?".to_owned());
        query.extend_pairs(self.pairs()).append_pair("before", &before.to_string()).finish()
    }
}

/// The page.
pub(super) async fn show(
    State(app): State<AppState>,
    visit: Visit,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let place = visit.here()?;
    let base = format!("/ops/t/{}/jobs", place.slug);
    if let Ok(id) = wanted.words.trim().parse::<JobId>() {
        return Ok(Redirect::to(&format!("{base}/{id}")).into_response());
    }
    let mut filter = wanted.filter()?;
    let mut next = None;
    if !wanted.words.trim().is_empty() {
        let found =
            observing::failures_with(&app.db, place.id, &wanted.words, wanted.before, OPS_ROWS_MAX as i32)
                .await?;
        next = found.last().copied().filter(|_| found.len() as i64 == OPS_ROWS_MAX);
        filter.among = Some(found);
    }
    let page = listing::list(&app.db, place.id, &filter, OPS_ROWS_MAX as usize).await?;
    let next = page.next.or(next);
    let views = views::bar(&app, &visit, &wanted).await?;
    let body = html! {
        (filters(&wanted))
        (views)
        // An operation knows no words: what it did would be more than what is shown.
        @if visit.may(Right::Operate) && wanted.words.trim().is_empty() { (bulk_links(&place.slug, &wanted)) }
        div #jobs data-live="quiet" {
            (table(&base, &page.jobs)?)
            @if page.jobs.is_empty() { p { @if next.is_some() { "None of those looked at so far fits." } @else { "No job fits." } } }
        }
        @if let Some(next) = next { p { a href=(wanted.link(next)) rel="next" { "Older" } } }
    };
    Ok(Page::live(&visit, "/jobs", "Jobs", body).into_response())
}

fn filters(wanted: &Wanted) -> Markup {
    html! {
        form.filters role="search" {
            label { "Words of an error, or an id" input type="search" name="words" value=(wanted.words) maxlength=(WORDS_CHARS_MAX); }
            label { "State" select name="state" {
                option value="" { "any" }
                @for state in STATES { option selected[wanted.state == state.name()] { (state.name()) } }
            } }
            label { "Queue" select name="queue" {
                option value="" { "any" }
                @for queue in Queue::ALL { option selected[wanted.queue == queue.name()] { (queue.name()) } }
            } }
            label { "Kind" input name="kind" value=(wanted.kind) list="kinds"; }
            datalist #kinds { @for spec in ::jobs::specs() { option value=(spec.kind) {} } }
            label { "Tag" input name="tag" value=(wanted.tag); }
            button { "Show" }
        }
    }
}

/// To what can be done to everything that fits.
fn bulk_links(slug: &str, wanted: &Wanted) -> Markup {
    let link = |action: &str, states: &str| {
        let mut query = form_urlencoded::Serializer::new(format!("/ops/t/{slug}/bulk/new?"));
        query.append_pair("action", action);
        query.append_pair("states", if wanted.state.is_empty() { states } else { &wanted.state });
        let narrow = [("kind", &wanted.kind), ("queue", &wanted.queue), ("tag", &wanted.tag)];
        query.extend_pairs(narrow.into_iter().filter(|(_, value)| !value.is_empty()));
        query.finish()
    };
    html! {
        p.acts {
            "Everything that fits: "
            a href=(link("retry", "discarded")) { "Retry" } " " a href=(link("cancel", "available")) { "Cancel" }
        }
    }
}

/// Jobs as lines.
pub(super) fn table(base: &str, records: &[JobRecord]) -> Result<Markup, Problem> {
    let states =
        records.iter().map(|record| Ok(record.state()?.name())).collect::<Result<Vec<_>, Problem>>()?;
    Ok(html! {
        table {
            thead { tr { th { "Job" } th { "Kind" } th { "State" } th.wide { "Queue" } th.number.wide { "Attempt" } th { "Asked for" } th.wide { "Error" } } }
            tbody {
                @for (record, is) in records.iter().zip(&states) {
                    tr {
                        td { a href={ (base) "/" (record.id()) } { code { (short(record.id())) } } }
                        td { (record.kind) }
                        td { (state(is)) @if let Some(percent) = record.progress_percent.filter(|_| *is == "running") { " " (percent) " %" } }
                        td.wide { (record.queue) }
                        td.number.wide { (record.attempt) "/" (record.max_attempts) }
                        td { (words::when(record.created_at)) }
                        td.wide.cut { @if let Some(error) = &record.error { (error.0["message"].as_str().unwrap_or_default()) } }
                    }
                }
            }
        }
    })
}

/// The end of an id, by which it is told from its neighbours.
fn short(id: JobId) -> String {
    let text = id.to_string();
    format!("…{}", &text[text.len() - 10..])
}
