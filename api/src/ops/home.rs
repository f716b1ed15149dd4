//! How a tenant's work stands: what is late, failing or dead, and little else. A green page is nearly empty.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use store::{
    alerts::{self, Rule},
    dead_letters::{self, DEAD_COUNTED_MAX, DeadLetters},
    observing::{self, Listeners, Minute, Standing, WAITING_COUNTED_MAX},
    outbox::{self, Endpoint},
    pauses, promises,
};
use tr::tr;

use super::{
    alerts::firing,
    charts,
    dead_letters::is_late,
    fallen,
    guard::Visit,
    layout::Page,
    queues::queue_of,
    words::{self, rich},
};
use crate::{AppState, limits::WEBHOOK_ENDPOINTS_MAX, problem::Problem, routes::health};

/// A queue whose first job waits for longer than this is late.
const LATE: TimeDelta = TimeDelta::minutes(1);
/// Promises at risk that are shown.
const AT_RISK_SHOWN_MAX: i64 = 10;
/// Of a hundred attempts in the last ten minutes: more failures than this are an alarm.
const FAILING_PERCENT: i64 = 5;
const LATELY_MINUTES: usize = 10;

/// What a page of an hour is made from.
pub(super) struct Hour {
    pub(super) now: DateTime<Utc>,
    pub(super) minutes: Vec<Minute>,
    pub(super) queues: Vec<Standing>,
    pub(super) listeners: Vec<Listeners>,
    pub(super) pauses: Vec<pauses::Pause>,
}

impl Hour {
    pub(super) async fn of(app: &AppState, visit: &Visit) -> Result<Self, Problem> {
        let (now, tenant) = (Utc::now(), visit.tenant()?);
        let since = now - TimeDelta::minutes(charts::MINUTES as i64);
        let (minutes, queues, listeners, pauses) = tokio::try_join!(
            observing::minutes(&app.db, tenant, since),
            observing::queues(&app.db, tenant),
            observing::listeners(&app.db),
            pauses::list(&app.db, tenant),
        )?;
        Ok(Self { now, minutes, queues, listeners, pauses })
    }

    /// Who listens to a queue: workers and slots.
    pub(super) fn heard(&self, queue: &str) -> (i64, i64) {
        let heard = self.listeners.iter().find(|heard| heard.queue == queue);
        heard.map_or((0, 0), |heard| (heard.workers, heard.slots))
    }

    /// The pause that holds all of a queue.
    pub(super) fn pause(&self, queue: &str) -> Option<&pauses::Pause> {
        self.pauses
            .iter()
            .find(|pause| pause.kind.is_none() && pause.queue.as_deref().is_none_or(|of| of == queue))
    }
}

/// The page.
pub(super) async fn show(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = visit.here()?;
    let (hour, endpoints, dead_letters, at_risk, services, workers, rules) = tokio::try_join!(
        Hour::of(&app, &visit),
        async { outbox::list(&app.db, place.id, WEBHOOK_ENDPOINTS_MAX).await.map_err(Problem::from) },
        async { dead_letters::list(&app.db, place.id).await.map_err(Problem::from) },
        async { promises::at_risk(&app.db, place.id, AT_RISK_SHOWN_MAX).await.map_err(Problem::from) },
        async { Ok(health::services(&app).await) },
        async { observing::workers(&app.db).await.map_err(Problem::from) },
        async { alerts::list(&app.db, place.id).await.map_err(Problem::from) },
    )?;
    let base = format!("/ops/t/{}", place.slug);
    let mut alarms = late(&hour, &base);
    alarms.extend(failing(&hour, &base));
    alarms.extend(unheard(&hour));
    alarms.extend(fallen::lines(services, &workers));
    alarms.extend(alerted(&rules, &base));
    alarms.extend(unattended(&hour, &dead_letters, &base));
    alarms.extend(untold(&endpoints, &base));
    alarms.extend(paused(&hour));
    let body = html! {
        div #state data-live {
            @if alarms.is_empty() && at_risk.is_empty() {
                p.calm { (tr!("✓ All is well: nothing is late, nothing fails, everybody is there.")) }
            }
            @if !alarms.is_empty() { ul.alarms { @for alarm in &alarms { li { (alarm) } } } }
            @if !at_risk.is_empty() { (promised(&at_risk, &base)) }
        }
        section.cards #queues data-live aria-label=(tr!("Queues")) {
            @for queue in &hour.queues { (card(&hour, queue, &base)) }
            @if hour.queues.is_empty() { p { (tr!("No job has been submitted yet.")) } }
        }
        form.search action={ (base) "/jobs" } role="search" {
            label { (tr!("Find a job by its id, or failures by their words")) input type="search" name="words"; }
            button { (tr!("Find")) }
        }
    };
    Ok(Page::live(&visit, "", &tr!("Home"), body).into_response())
}

fn late(hour: &Hour, base: &str) -> Vec<Markup> {
    let is_late = |queue: &&Standing| {
        hour.pause(&queue.queue).is_none() && queue.oldest_at.is_some_and(|at| hour.now - at > LATE)
    };
    let say = |queue: &Standing| {
        let waited = queue.oldest_at.map(|at| hour.now - at).unwrap_or_default();
        html! {
            strong { (tr!("Late")) } " "
            (rich(tr!(
                "{queue}: the first in line waits for {span}.",
                queue = html! { a href={ (base) "/queues#" (queue.queue) } { (queue.queue) } }.0,
                span = words::span(waited)
            )))
        }
    };
    hour.queues.iter().filter(is_late).map(say).collect()
}

fn failing(hour: &Hour, base: &str) -> Option<Markup> {
    let since = hour.now - TimeDelta::minutes(LATELY_MINUTES as i64);
    let lately = hour.minutes.iter().filter(|minute| minute.minute >= since);
    let (failed, all) = lately.fold((0_i64, 0_i64), |(failed, all), minute| {
        (failed + i64::from(minute.failed), all + i64::from(minute.failed + minute.completed))
    });
    (failed * 100 > all * FAILING_PERCENT).then(|| html! {
        strong { (tr!("Failing")) } " "
        (rich(tr!(
            "{attempts} went wrong in the last {minutes} minutes.",
            attempts = html! { a href={ (base) "/errors" } {
                (tr!("{count} attempt of {all}" | "{count} attempts of {all}" % failed, count = words::count(failed), all = words::count(all)))
            } }.0,
            minutes = LATELY_MINUTES
        )))
    })
}

fn unheard(hour: &Hour) -> impl Iterator<Item = Markup> {
    let unheard = hour.queues.iter().filter(|queue| queue.waiting > 0 && hour.heard(&queue.queue).0 == 0);
    unheard.map(|queue| html! { strong { (tr!("of a service" => "Dead")) } " " (tr!("{queue}: jobs wait and no worker listens.", queue = queue.queue)) })
}

/// What somebody wanted to be told of.
fn alerted(rules: &[Rule], base: &str) -> Option<Markup> {
    firing(rules).map(|said| html! { strong { (tr!("Alert")) } " " a href={ (base) "/alerts" } { (said) } })
}

/// Jobs that were given up and that nobody looked after in time.
fn unattended(hour: &Hour, kinds: &[DeadLetters], base: &str) -> impl Iterator<Item = Markup> {
    kinds.iter().filter(|of| is_late(of, hour.now)).map(move |of| {
        html! {
            strong { (tr!("Unattended")) } " " a href={ (base) "/dead-letters" } { (of.kind) } ": "
            (rich(tr!(
                "{count} given up, the first {when}",
                count = words::up_to(of.jobs, DEAD_COUNTED_MAX),
                when = of.oldest_at.map(words::when).unwrap_or_default().0
            )))
            @if let Some(owner) = &of.care.owner { (tr!(", with {owner}", owner)) }
        }
    })
}

/// Whoever is told nothing any more: nobody else may be there to hear of it.
fn untold(endpoints: &[Endpoint], base: &str) -> impl Iterator<Item = Markup> {
    endpoints.iter().filter_map(move |endpoint| {
        let since = endpoint.disabled_at?;
        Some(html! {
            strong { (tr!("Switched off")) } " "
            (rich(tr!(
                "{endpoint} since {when}: {why}",
                endpoint = html! { a href={ (base) "/webhooks/out/" (endpoint.id()) } { (endpoint.url) } }.0,
                when = words::when(since).0,
                why = html! { (endpoint.disabled_reason.as_deref().unwrap_or_default()) }.0
            )))
        })
    })
}

/// What somebody holds back on purpose: nothing is wrong, and nobody should forget it.
fn paused(hour: &Hour) -> impl Iterator<Item = Markup> {
    hour.pauses.iter().map(|pause| {
        html! {
            strong { (tr!("Paused")) } " "
            (tr!(
                "{queue} {kind} by {who}: {why}",
                queue = queue_of(pause),
                kind = pause.kind.as_deref().unwrap_or_default(),
                who = pause.paused_by,
                why = pause.reason
            ))
        }
    })
}

fn promised(at_risk: &[promises::Promised], base: &str) -> Markup {
    html! {
        h2 { (tr!("Promises at risk")) }
        table {
            thead { tr { th { (tr!("Job")) } th { (tr!("Kind")) } th { (tr!("Promised for")) } } }
            tbody {
                @for job in at_risk {
                    tr { td { a href={ (base) "/jobs/" (job.id()) } { (job.id()) } } td { (job.kind) } td { (words::when(job.due_at)) } }
                }
            }
        }
    }
}

fn card(hour: &Hour, queue: &Standing, base: &str) -> Markup {
    let of_queue: Vec<&Minute> = hour.minutes.iter().filter(|minute| minute.queue == queue.queue).collect();
    html! {
        article.card {
            h2 { a href={ (base) "/queues#" (queue.queue) } { (queue.queue) } }
            dl {
                dt { (tr!("waiting")) } dd { (words::up_to(queue.waiting, WAITING_COUNTED_MAX.into())) }
                dt { (tr!("running")) } dd { (words::count(queue.running)) }
            }
            (charts::sparkline(&charts::per_minute(&of_queue, hour.now, |minute| minute.completed), &tr!("completed")))
            @if hour.pause(&queue.queue).is_some() { p.soft { (tr!("■ paused")) } }
        }
    }
}
