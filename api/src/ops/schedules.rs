//! Work that repeats: when in words, what came of it, run now, and pause.

use ::jobs::{JobId, ScheduleId};
use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use store::schedules::{self, Fire, Schedule};

use super::{
    access::Right,
    guard::Visit,
    layout::{self, Page, state, token},
    words,
};
use crate::{
    AppState,
    auth::Retrier,
    extract::{Id, Json, typed},
    limits::{OPS_ROWS_MAX, PAUSE_REASON_CHARS_MAX},
    problem::Problem,
    routes::schedule_steer,
    timetable,
};

/// Every schedule.
pub(super) async fn list(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = visit.here()?;
    let found = schedules::list(&app.db, place.id, None, OPS_ROWS_MAX).await?;
    let lines = found.iter().map(|schedule| Ok((schedule, schedule.cron()?.describe())));
    let lines = lines.collect::<Result<Vec<_>, Problem>>()?;
    let body = html! {
        table {
            thead { tr { th { "Schedule" } th { "When" } th.wide { "Kind" } th { "Next" } th.wide { "Latest" } th { "State" } } }
            tbody { @for (schedule, says) in &lines {
                tr {
                    td { a href={ "/ops/t/" (place.slug) "/schedules/" (schedule.id()) } { (schedule.name) } }
                    td { (says) " " span.soft { (schedule.timezone) } }
                    td.wide { (schedule.kind) }
                    td { @match schedule.next_fire_at.filter(|_| schedule.paused_at.is_none()) { Some(at) => (words::when(at)), None => "–" } }
                    td.wide { @match schedule.last_fire_at { Some(at) => (words::when(at)), None => "–" } }
                    td { (state(if schedule.paused_at.is_some() { "paused" } else { "active" })) }
                }
            } }
        }
        @if lines.is_empty() { p { "Nothing repeats yet. POST /v1/schedules makes a schedule." } }
    };
    Ok(Page::new(&visit, "/schedules", "Schedules", body).into_response())
}

/// One of them.
pub(super) async fn show(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (id, tenant) = (read(&id)?, visit.tenant()?);
    let schedule =
        schedules::get(&app.db, tenant, id).await?.ok_or_else(|| Problem::not_found("schedule"))?;
    let fires = schedules::fires(&app.db, tenant, id, None, OPS_ROWS_MAX).await?.unwrap_or_default();
    let (cron, zone) = (schedule.cron()?, schedule.zone()?);
    let base = format!("/ops/t/{slug}/schedules/{id}");
    let body = html! {
        p.head { (cron.describe()) ", by the clock of " (zone.name()) " " code { (schedule.cron) } }
        @if let Some(at) = schedule.paused_at {
            p.alarm { "■ Paused " (words::when(at)) " by " (schedule.paused_by.as_deref().unwrap_or_default()) ": " (schedule.pause_reason.as_deref().unwrap_or_default()) }
        }
        @if visit.may(Right::Operate) { (steering(&visit, &base, &schedule)) }
        dl.facts {
            div { dt { "While a job of it runs" } dd { (schedule.overlap.replace('_', " ")) } }
            div { dt { "Slots that were missed" } dd { (schedule.catch_up) } }
        }
        h2 { "Next" }
        ol.plain { @for slot in timetable::next_fires(&cron, zone, schedule.read_at) { li { (slot.local) " " span.soft { (words::when(slot.at)) } } } }
        h2 { "What came of it" }
        (fires_table(&slug, &fires))
    };
    Ok(Page::new(&visit, "/schedules", &schedule.name, body).into_response())
}

fn steering(visit: &Visit, base: &str, schedule: &Schedule) -> Markup {
    html! {
        div.acts {
            form.inline method="post" action={ (base) "/run" } {
                (token(visit)) input type="hidden" name="key" value=(JobId::new()); button { "Run now" }
            }
            @if schedule.paused_at.is_some() { (layout::action(visit, &format!("{base}/resume"), "Resume")) }
            @else {
                form.inline method="post" action={ (base) "/pause" } {
                    (token(visit)) label { "Why" input name="reason" required maxlength=(PAUSE_REASON_CHARS_MAX); } button { "Pause" }
                }
            }
        }
    }
}

fn fires_table(slug: &str, fires: &[Fire]) -> Markup {
    html! {
        table {
            thead { tr { th { "Slot" } th { "Outcome" } th { "Job" } th.wide { "Why" } } }
            tbody { @for fire in fires {
                tr {
                    td { (words::when(fire.slot)) @if let Some(through) = fire.through { " to " (words::when(through)) } }
                    td { (state(&fire.outcome)) @if let Some(by) = &fire.fired_by { " " span.soft { (by) } } }
                    td { @if let Some(job) = fire.job() { a href={ "/ops/t/" (slug) "/jobs/" (job) } { "job" } } }
                    td.wide { (fire.reason.as_deref().unwrap_or_default()) }
                }
            } }
        }
        @if fires.is_empty() { p { "It has not fired yet." } }
    }
}

/// What the form of running one sends.
#[derive(Debug, Deserialize)]
pub(super) struct RunForm {
    key: String,
}

/// Runs it now.
pub(super) async fn run(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Form(form): Form<RunForm>,
) -> Result<Redirect, Problem> {
    let mut headers = HeaderMap::new();
    let key = HeaderValue::try_from(form.key).map_err(|_| Problem::not_found("key"))?;
    headers.insert("idempotency-key", key);
    schedule_steer::run_schedule(State(app), Retrier::of(visit.caller()?)?, Id(read(&id)?), headers).await?;
    Ok(Redirect::to(&format!("/ops/t/{slug}/schedules/{id}")))
}

/// Why it is paused.
#[derive(Debug, Deserialize)]
pub(super) struct Reason {
    reason: String,
}

/// Holds it.
pub(super) async fn pause(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Form(form): Form<Reason>,
) -> Result<Redirect, Problem> {
    let body = typed(&json!({ "reason": form.reason }))?;
    drop(
        schedule_steer::pause_schedule(State(app), Retrier::of(visit.caller()?)?, Id(read(&id)?), Json(body))
            .await?,
    );
    Ok(Redirect::to(&format!("/ops/t/{slug}/schedules/{id}")))
}

/// Lets it go on.
pub(super) async fn resume(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    drop(schedule_steer::resume_schedule(State(app), Retrier::of(visit.caller()?)?, Id(read(&id)?)).await?);
    Ok(Redirect::to(&format!("/ops/t/{slug}/schedules/{id}")))
}

fn read(id: &str) -> Result<ScheduleId, Problem> {
    id.parse().map_err(|_| Problem::not_found("schedule"))
}
