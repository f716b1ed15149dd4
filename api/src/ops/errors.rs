//! What fails, grouped by what it looks like.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::{TimeDelta, Utc};
use maud::html;
use store::observing::{self, FAILURES_LOOKED_AT_MAX, Failures};

use super::{access::Right, guard::Visit, layout::Page, words};
use crate::{AppState, problem::Problem};

/// How far back one looks.
const LOOK_BACK: TimeDelta = TimeDelta::days(7);

/// The page.
pub(super) async fn show(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = visit.here()?;
    let groups = observing::failures(&app.db, place.id, Utc::now() - LOOK_BACK).await?;
    let looked_at: i64 = groups.iter().map(|group| group.failures).sum();
    let base = format!("/ops/t/{}", place.slug);
    let body = html! {
        div #errors data-live {
            @if groups.is_empty() { p.calm { "✓ Nothing has failed in " (words::span(LOOK_BACK)) "." } }
            @if looked_at >= i64::from(FAILURES_LOOKED_AT_MAX) { p.soft { "Among the latest " (words::count(looked_at)) " failures." } }
            @if !groups.is_empty() {
                table {
                    thead { tr { th { "What" } th.number { "Failures" } th.number { "Given up" } th { "Latest" } th.wide { "First" } th { "" } } }
                    tbody { @for group in &groups {
                        tr {
                            td.cut { strong { (group.kind) } " " code { (group.code.as_deref().unwrap_or("error")) } div.soft { (group.message.as_deref().unwrap_or_default()) } }
                            td.number { (words::count(group.failures)) }
                            td.number { (words::count(group.given_up)) }
                            td { a href={ (base) "/jobs/" (group.last_job()) } { (words::when(group.last_at)) } }
                            td.wide { (words::when(group.first_at)) }
                            td { @if visit.may(Right::Operate) && group.given_up > 0 && group.code.is_some() { a href=(retry(&base, group)) { "Retry all " (words::count(group.given_up)) } } }
                        }
                    } }
                }
            }
        }
    };
    Ok(Page::live(&visit, "/errors", "Errors", body).into_response())
}

/// To where everything is retried that was given up with this error.
fn retry(base: &str, group: &Failures) -> String {
    let mut query = form_urlencoded::Serializer::new(format!("{base}/bulk/new?"));
    query.append_pair("action", "retry").append_pair("states", "discarded").append_pair("kind", &group.kind);
    if let Some(code) = &group.code {
        query.append_pair("error_code", code);
    }
    query.finish()
}
