//! What people did: of a tenant, or of the installation.

use axum::{
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use store::audit::{self, Entry};
use tr::tr;

use super::{
    guard::Visit,
    layout::{Page, state},
    words::{self, rich},
};
use crate::{AppState, limits::OPS_ROWS_MAX, problem::Problem};

/// Where the page before ended.
#[derive(Debug, Deserialize)]
pub(super) struct Before {
    before: Option<i64>,
}

/// What was done in a tenant.
pub(super) async fn of_tenant(
    State(app): State<AppState>,
    visit: Visit,
    Query(Before { before }): Query<Before>,
) -> Result<Response, Problem> {
    let entries = audit::list(&app.db, visit.tenant()?, before, OPS_ROWS_MAX).await?;
    let intro = tr!("Nobody can change or remove a line unnoticed: api audit verify follows the chain.");
    Ok(Page::new(&visit, "/audit", &tr!("Audit log"), table(&entries, &intro)).into_response())
}

/// What was done to the installation: who signed in, who was let in.
pub(super) async fn of_installation(
    State(app): State<AppState>,
    visit: Visit,
    Query(Before { before }): Query<Before>,
) -> Result<Response, Problem> {
    let entries = audit::list_of_installation(&app.db, visit.user, before, OPS_ROWS_MAX as i32).await?;
    let intro = tr!("Who signed in, who was added and what they may. api audit verify follows the chain.");
    Ok(Page::new(&visit, "/ops/audit", &tr!("Audit log"), table(&entries, &intro)).into_response())
}

fn table(entries: &[Entry], intro: &str) -> Markup {
    let said: Vec<(&Entry, Value)> =
        entries.iter().map(|entry| (entry, serde_json::from_str(&entry.entry).unwrap_or_default())).collect();
    html! {
        p.soft { (intro) }
        table {
            thead { tr { th.number { (tr!("No.")) } th { (tr!("When")) } th { (tr!("Who")) } th { (tr!("What")) } th { (tr!("Outcome")) } th.wide { (tr!("Before and after")) } } }
            tbody { @for (entry, said) in &said { (line(entry, said)) } }
        }
        @if entries.is_empty() { p { (tr!("Nothing has been done here yet.")) } }
        @if let Some(last) = entries.last().filter(|last| last.seq > 1 && entries.len() as i64 == OPS_ROWS_MAX) {
            p { a href={ "?before=" (last.seq) } rel="next" { (tr!("Older")) } }
        }
    }
}

fn line(entry: &Entry, said: &Value) -> Markup {
    let text = |name: &str| said[name].as_str().unwrap_or_default();
    let at = text("at").parse::<chrono::DateTime<chrono::Utc>>().ok();
    html! {
        tr id={ "e" (entry.seq) } {
            td.number { (entry.seq) }
            td { @if let Some(at) = at { (words::when(at)) } }
            td { (text("by")) @if let Some(role) = said["role"].as_str() { " " span.soft { (role.replace('_', " ")) } } }
            td {
                @if let Some(of) = said["of"].as_i64() { (came_of(of)) }
                @else { code { (text("action")) } " " (text("target")) }
            }
            td { (state(text("outcome"))) }
            td.wide {
                @for name in ["asked", "before", "after", "from", "issuer", "subject", "why"] {
                    @if said.get(name).is_some_and(|value| !value.is_null()) { div { span.soft { (name) " " } code { (said[name]) } } }
                }
            }
        }
    }
}

/// Of which entry this is what came of it.
fn came_of(entry: i64) -> Markup {
    let entry = html! { a href={ "#e" (entry) } { (tr!("no. {number}", number = entry)) } };
    rich(tr!("what came of {entry}", entry = entry.0))
}
