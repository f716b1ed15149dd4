//! The list of jobs: filtered and searched by what the address says, so that a view is a link.

use ::jobs::{JobId, State as JobState, TenantId};
use axum::{
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use store::{
    listing::{self, Filter},
    reads::JobRecord,
};
use tr::tr;

use super::{
    access::Right,
    guard::Visit,
    layout::{Page, state},
    views,
    wanted::Wanted,
    words,
};
use crate::{
    AppState,
    limits::OPS_ROWS_MAX,
    problem::{Code, Problem},
    search::Search,
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

/// The page.
pub(super) async fn show(
    State(app): State<AppState>,
    visit: Visit,
    Query(wanted): Query<Wanted>,
    Query(shown): Query<Shown>,
) -> Result<Response, Problem> {
    let place = visit.here()?;
    let base = format!("/ops/t/{}/jobs", place.slug);
    if let Ok(id) = wanted.words.trim().parse::<JobId>() {
        return Ok(Redirect::to(&format!("{base}/{id}")).into_response());
    }
    let rows = OPS_ROWS_MAX as usize;
    let search = Search { filter: wanted.filter()?, words: wanted.words.clone(), held: wanted.held(&visit)? };
    let page = search.page(&app.db, place.id, rows).await?;
    let next = page.next;
    let beside = shown.beside(&app, place.id, &page.jobs).await?;
    let views = views::bar(&app, &visit, &wanted).await?;
    let body = html! {
        (wanted.form(&visit))
        (views)
        @if visit.may(Right::Operate) { (wanted.bulk_links(&place.slug)?) }
        div #jobs data-live="quiet" data-shown {
            (table(&base, &page.jobs)?)
            @if page.jobs.is_empty() {
                p { @if next.is_some() { (tr!("None of those looked at so far fits.")) } @else { (tr!("No job fits.")) } }
            }
            @if let Some(next) = next.filter(|_| page.jobs.len() < rows) {
                @let time = words::exact(next.created_at());
                p.soft { (tr!("Looked at what was asked for since {time}. Older leads further back.", time)) }
            }
            @if let Some(next) = next { p { a href=(wanted.link(next)) rel="next" { (tr!("Older")) } } }
        }
        @if !beside.is_empty() { div #jobs-shown hidden { (table(&base, &beside)?) } }
    };
    Ok(Page::live(&visit, "/jobs", &tr!("Jobs"), body).into_response())
}

/// What a page that is kept up to date shows already.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    /// Ids of jobs, with spaces between.
    shown: String,
}

impl Shown {
    /// Those that are not in `page` any more: newer ones came before them, or they fit no longer.
    async fn beside(
        &self,
        app: &AppState,
        tenant: TenantId,
        page: &[JobRecord],
    ) -> Result<Vec<JobRecord>, Problem> {
        let most = OPS_ROWS_MAX as usize;
        let named = self.shown.split_whitespace().take(most + 1).map(str::parse);
        let named = named.collect::<Result<Vec<JobId>, _>>().ok().filter(|named| named.len() <= most);
        let wrong = || Problem::new(Code::InvalidParameter, format!("shown takes up to {most} ids of jobs"));
        let mut named = named.ok_or_else(wrong)?;
        named.retain(|id| page.iter().all(|record| record.id() != *id));
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let filter = Filter { among: Some(named), ..Filter::default() };
        Ok(listing::list(&app.db, tenant, &filter, most).await?.jobs)
    }
}

/// Jobs as lines.
pub(super) fn table(base: &str, records: &[JobRecord]) -> Result<Markup, Problem> {
    let states =
        records.iter().map(|record| Ok(record.state()?.name())).collect::<Result<Vec<_>, Problem>>()?;
    Ok(html! {
        table {
            thead { tr {
                th { (tr!("Job")) } th { (tr!("Kind")) } th { (tr!("State")) } th.wide { (tr!("Queue")) }
                th.number.wide { (tr!("Attempt")) } th { (tr!("Asked for")) } th.wide { (tr!("Error")) }
            } }
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
