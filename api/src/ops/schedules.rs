//! Work that repeats: when in words, what came of it, run now, and pause.

use ::jobs::{JobId, ScheduleId};
use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use store::schedules::{self, Fire, Schedule};
use tr::tr;

use super::{
    access::Right,
    guard::Visit,
    layout::{self, Page, state, token},
    words::{self, rich},
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
            thead { tr { th { (tr!("Schedule")) } th { (tr!("When")) } th.wide { (tr!("Kind")) } th { (tr!("Next")) } th.wide { (tr!("Latest")) } th { (tr!("State")) } } }
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
        @if lines.is_empty() { p { (tr!("Nothing repeats yet. POST /v1/schedules makes a schedule.")) } }
    };
    Ok(Page::new(&visit, "/schedules", &tr!("Schedules"), body).into_response())
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
        p.head { (tr!("{when}, by the clock of {zone}", when = cron.describe().trim_end_matches('.'), zone = zone.name())) " " code { (schedule.cron) } }
        @if let Some(at) = schedule.paused_at {
            p.alarm { (paused(&schedule, at)) }
        }
        @if visit.may(Right::Operate) { (steering(&visit, &base, &schedule)) }
        dl.facts {
            div { dt { (tr!("While a job of it runs")) } dd { (schedule.overlap.replace('_', " ")) } }
            div { dt { (tr!("Slots that were missed")) } dd { (schedule.catch_up) } }
        }
        h2 { (tr!("Next")) }
        ol.plain { @for slot in timetable::next_fires(&cron, zone, schedule.read_at) { li { (slot.local) " " span.soft { (words::when(slot.at)) } } } }
        h2 { (tr!("What came of it")) }
        (fires_table(&slug, &fires))
    };
    Ok(Page::new(&visit, "/schedules", &schedule.name, body).into_response())
}

/// Since when it rests, who wants that, and why.
fn paused(schedule: &Schedule, at: DateTime<Utc>) -> Markup {
    let who = html! { (schedule.paused_by.as_deref().unwrap_or_default()) }.0;
    let why = html! { (schedule.pause_reason.as_deref().unwrap_or_default()) }.0;
    rich(tr!("■ Paused {when} by {who}: {why}", when = words::when(at).0, who, why))
}

fn steering(visit: &Visit, base: &str, schedule: &Schedule) -> Markup {
    html! {
        div.acts {
            form.inline method="post" action={ (base) "/run" } {
                (token(visit)) input type="hidden" name="key" value=(JobId::new()); button { (tr!("Run now")) }
            }
            @if schedule.paused_at.is_some() { (layout::action(visit, &format!("{base}/resume"), &tr!("Resume"))) }
            @else {
                form.inline method="post" action={ (base) "/pause" } {
                    (token(visit)) label { (tr!("Why")) input name="reason" required maxlength=(PAUSE_REASON_CHARS_MAX); } button { (tr!("Pause")) }
                }
            }
        }
    }
}

fn fires_table(slug: &str, fires: &[Fire]) -> Markup {
    html! {
        table {
            thead { tr { th { (tr!("Slot")) } th { (tr!("Outcome")) } th { (tr!("Job")) } th.wide { (tr!("Why")) } } }
            tbody { @for fire in fires {
                tr {
                    td { (slot(fire)) }
                    td { (state(&fire.outcome)) @if let Some(by) = &fire.fired_by { " " span.soft { (by) } } }
                    td { @if let Some(job) = fire.job() { a href={ "/ops/t/" (slug) "/jobs/" (job) } { (tr!("job")) } } }
                    td.wide { (fire.reason.as_deref().unwrap_or_default()) }
                }
            } }
        }
        @if fires.is_empty() { p { (tr!("It has not fired yet.")) } }
    }
}

/// The slot that fired, or the first and the last of those that fired as one.
fn slot(fire: &Fire) -> Markup {
    let from = words::when(fire.slot);
    match fire.through {
        Some(through) => rich(tr!("{from} to {through}", from = from.0, through = words::when(through).0)),
        None => from,
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
