//! Alerts: what people want to be told of, how that stands, and what was found.

use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{TimeDelta, Utc};
use jobs::Measure;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use store::alerts::{self, Alert, Rule};
use tr::tr;

use super::{
    access::Right,
    guard::Visit,
    layout::{self, Page, state, token},
    words::{self, rich},
};
use crate::{
    AppState,
    auth::Operator,
    extract::{Id, Json, typed},
    limits::{
        ALERT_AFTER_S_MAX, ALERT_FIRE_AFTER_S, ALERT_NAME_CHARS_MAX, ALERT_RESOLVE_AFTER_S,
        ALERT_THRESHOLD_MAX, ALERT_WINDOW_S, ALERT_WINDOW_S_MAX, ALERT_WINDOW_S_MIN, OPS_ROWS_MAX,
    },
    problem::{FieldError, Problem},
    routes::alerts::{remove_alert_rule, set_alert_rule},
};

/// Rules are looked after every few seconds: one that was not for longer has nobody who does.
const LOOKED_LATELY: TimeDelta = TimeDelta::minutes(1);

/// The page.
pub(super) async fn show(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = visit.here()?;
    let (rules, found) = tokio::try_join!(
        alerts::list(&app.db, place.id),
        alerts::alerts(&app.db, place.id, None, OPS_ROWS_MAX),
    )?;
    let body = html! {
        div #alerts data-live {
            @if rules.is_empty() { p { (tr!("Nobody wants to be told of anything yet.")) } }
            @else { (stands(&rules)) }
            @if !rules.is_empty() { (rules_table(&visit, &place.slug, &rules)?) }
            @if !found.is_empty() { h2 { (tr!("What was found")) } (found_table(&found)) }
        }
        @if visit.may(Right::Operate) { (rule_form(&visit, &place.slug)) }
    };
    Ok(Page::live(&visit, "/alerts", &tr!("Alerts"), body).into_response())
}

/// What the rules say, if somebody looks after them.
fn stands(rules: &[Rule]) -> Markup {
    let lately = Utc::now() - LOOKED_LATELY;
    let last = rules.iter().map(|rule| rule.looked_at).min().flatten();
    html! {
        @if let Some(said) = firing(rules) { p.alarm { (said) } }
        @match last {
            None => p.soft { (tr!("Not every rule has been looked after yet; a worker does that within seconds.")) },
            Some(last) if last < lately => p.alarm { (rich(tr!("A rule was looked after {when} for the last time: a worker does that, and none seems to be there.", when = words::when(last).0))) },
            Some(_) if firing(rules).is_none() => p.calm { (tr!("✓ Nothing is wrong.")) },
            Some(_) => {},
        }
    }
}

/// What is told of the rules that fire; nothing when none does.
pub(super) fn firing(rules: &[Rule]) -> Option<String> {
    let firing = rules.iter().filter(|rule| rule.alert().is_some()).count();
    let said = || {
        tr!(
            "{count} rule says that something is wrong."
                | "{count} rules say that something is wrong." % firing,
            count = words::count(firing as i64)
        )
    };
    (firing > 0).then(said)
}

fn rules_table(visit: &Visit, slug: &str, rules: &[Rule]) -> Result<Markup, Problem> {
    let rows = rules.iter().map(|rule| Ok((rule, rule.measure()?))).collect::<Result<Vec<_>, Problem>>()?;
    Ok(html! {
        table {
            thead { tr { th { (tr!("Rule")) } th { (tr!("State")) } th.number { (tr!("Now")) } th.number { (tr!("Wrong from")) } th.wide { (tr!("Of")) } th.wide { (tr!("Told")) } th { "" } } }
            tbody { @for (rule, measure) in &rows { tr {
                td { (rule.name) div.soft { (measure.name()) } }
                td { (state(rule.state().name())) }
                td.number { @match rule.value { Some(value) => (words::count(value)), None => "–" } }
                td.number { (words::count(rule.threshold.into())) " " (measure.unit()) }
                td.wide { (of(rule.queue.as_deref(), rule.kind.as_deref())) }
                td.wide { (told(rule.recipients().len())) }
                td { @if visit.may(Right::Operate) {
                    (layout::action(visit, &format!("/ops/t/{slug}/alerts/{}/remove", rule.name), &tr!("Remove")))
                } }
            } } }
        }
    })
}

fn found_table(found: &[Alert]) -> Markup {
    html! {
        table {
            thead { tr { th { (tr!("Rule")) } th { (tr!("State")) } th.number { (tr!("First")) } th.number { (tr!("Worst")) } th { (tr!("Since")) } th { (tr!("Over")) } th.wide { (tr!("Of")) } } }
            tbody { @for alert in found { tr {
                td { (alert.rule) div.soft { (alert.measure) } }
                td { (state(if alert.resolved_at.is_some() { "resolved" } else { "firing" })) }
                td.number { (words::count(alert.value)) }
                td.number { (words::count(alert.worst)) }
                td { (words::when(alert.fired_at)) }
                td { @match alert.resolved_at { Some(at) => (words::when(at)), None => "–" } }
                td.wide { (of(alert.queue.as_deref(), alert.kind.as_deref())) }
            } } }
        }
    }
}

fn of(queue: Option<&str>, kind: Option<&str>) -> Markup {
    html! { @match queue { Some(queue) => (queue), None => (tr!("every queue")) } " " (kind.unwrap_or_default()) }
}

/// Who is told when a rule fires, by how many of them it names.
fn told(parties: usize) -> String {
    let count = words::count(parties as i64);
    tr!("{count} party and every endpoint" | "{count} parties and every endpoint" % parties, count)
}

fn rule_form(visit: &Visit, slug: &str) -> Markup {
    html! {
        details.form {
            summary { (tr!("Set a rule")) }
            form method="post" action={ "/ops/t/" (slug) "/alerts" } {
                (token(visit))
                label { (tr!("Name; one that is there is replaced")) input name="name" required maxlength=(ALERT_NAME_CHARS_MAX) pattern="[a-z0-9][a-z0-9_.\\-]*"; }
                label { (tr!("What is looked at")) select name="measure" {
                    @for measure in Measure::ALL { option value=(measure.name()) { (measure.name()) ", " (measure.unit()) } }
                } }
                label { (tr!("Wrong from")) input type="number" name="threshold" required min="1" max=(ALERT_THRESHOLD_MAX); }
                label { (tr!("Queue")) select name="queue" {
                    option value="" { (tr!("every queue")) }
                    @for queue in ::jobs::Queue::ALL { option { (queue.name()) } }
                } }
                label { (tr!("Kind")) select name="kind" {
                    option value="" { (tr!("every kind")) }
                    @for spec in ::jobs::specs() { option { (spec.kind) } }
                } }
                label { (tr!("Seconds to look back")) input type="number" name="window_s" min=(ALERT_WINDOW_S_MIN) max=(ALERT_WINDOW_S_MAX) value=(ALERT_WINDOW_S); }
                label { (tr!("Told once it is wrong for, in seconds")) input type="number" name="fire_after_s" min="0" max=(ALERT_AFTER_S_MAX) value=(ALERT_FIRE_AFTER_S); }
                label { (tr!("Over once it is well for, in seconds")) input type="number" name="resolve_after_s" min="0" max=(ALERT_AFTER_S_MAX) value=(ALERT_RESOLVE_AFTER_S); }
                label { (tr!("Parties who are told: their ids, with spaces between")) input name="recipients"; }
                button { (tr!("Set")) }
            }
        }
    }
}

/// What the form of a rule sends.
#[derive(Debug, Deserialize)]
pub(super) struct RuleForm {
    name: String,
    measure: String,
    threshold: String,
    queue: String,
    kind: String,
    window_s: String,
    fire_after_s: String,
    resolve_after_s: String,
    recipients: String,
}

/// Sets a rule.
pub(super) async fn set(
    State(app): State<AppState>,
    visit: Visit,
    Form(form): Form<RuleForm>,
) -> Result<Redirect, Problem> {
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let number = |text: &str, name: &str| {
        let wrong = |_| Problem::invalid(vec![FieldError::new(format!("/{name}"), "a number")]);
        text.parse::<i32>().map_err(wrong)
    };
    let body = typed(&json!({
        "measure": form.measure, "queue": some(&form.queue), "kind": some(&form.kind),
        "threshold": number(&form.threshold, "threshold")?, "window_s": number(&form.window_s, "window_s")?,
        "fire_after_s": number(&form.fire_after_s, "fire_after_s")?,
        "resolve_after_s": number(&form.resolve_after_s, "resolve_after_s")?,
        "recipients": form.recipients.split_whitespace().collect::<Vec<_>>(),
    }))?;
    let operator = Operator::of(visit.caller()?)?;
    drop(set_alert_rule(State(app), operator, Id(form.name), Json(body)).await?);
    back(&visit)
}

/// Removes a rule.
pub(super) async fn remove(
    State(app): State<AppState>,
    visit: Visit,
    Path((_, name)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    remove_alert_rule(State(app), Operator::of(visit.caller()?)?, Id(name)).await?;
    back(&visit)
}

fn back(visit: &Visit) -> Result<Redirect, Problem> {
    Ok(Redirect::to(&format!("/ops/t/{}/alerts", visit.here()?.slug)))
}
