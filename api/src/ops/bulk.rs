//! One action on everything that fits: looked at first, then confirmed, then followed.

use ::jobs::{BulkOperationId, JobId};
use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::bulk::{self, Operation, OperationState};
use tr::tr;

use super::{
    access::Right,
    guard::Visit,
    jobs,
    layout::{self, Page, state, token},
    verbs,
    words::{self, rich},
};
use crate::{
    AppState,
    auth::Operator,
    bulk::BulkBody,
    extract::{Id, Json, typed},
    limits::OPS_ROWS_MAX,
    problem::{FieldError, Problem},
    routes::bulk as endpoint,
};

/// Whoever changes more jobs than this has to write how many.
const UNCONFIRMED_MAX: i64 = 100;

/// What to do, as an address or a form says it. What is empty is not asked about.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Asked {
    action: String,
    #[serde(default)]
    states: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    queue: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    created_after: String,
    #[serde(default)]
    created_before: String,
    #[serde(default)]
    finished_after: String,
    #[serde(default)]
    finished_before: String,
}

impl Asked {
    /// As the API takes it.
    fn body(&self, expected: Option<i64>) -> Result<BulkBody, Problem> {
        let mut filter = json!({ "states": self.states.split_whitespace().collect::<Vec<_>>() });
        for (name, value) in self.narrow() {
            filter[name] = value.into();
        }
        let mut body = json!({ "action": self.action, "filter": filter });
        if let Some(expected) = expected {
            body["expected_count"] = expected.into();
        }
        typed(&body)
    }

    fn narrow(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("kind", &self.kind),
            ("queue", &self.queue),
            ("tag", &self.tag),
            ("error_code", &self.error_code),
            ("created_after", &self.created_after),
            ("created_before", &self.created_before),
            ("finished_after", &self.finished_after),
            ("finished_before", &self.finished_before),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.as_str()))
    }
}

/// What it would do, and the form that does it.
pub(super) async fn preview(
    State(app): State<AppState>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let place = visit.here()?;
    let (wanted, _) = asked.body(None)?.check().map_err(Problem::invalid)?;
    let preview = bulk::preview(&app.db, place.id, &wanted.filter).await?;
    let four_eyes = if wanted.action.throws_away() { bulk::wanted(&app.db, place.id).await? } else { None };
    let waits = four_eyes.filter(|four_eyes| preview.count > four_eyes.more_than || !preview.is_exact);
    let base = format!("/ops/t/{}", place.slug);
    let many = verbs::at_least(preview.count, preview.is_exact);
    let body = html! {
        p.head { (rich(tr!("{count} job fits." | "{count} jobs fit." % preview.count, count = html! { strong { (many) } }.0))) }
        ul.plain { @for of in &preview.by { li { (words::count(of.jobs)) " " (state(of.state.name())) " " (of.kind) } } }
        @if preview.count > 0 {
            form.confirm method="post" action={ (base) "/bulk" } {
                (token(&visit))
                (hidden("action", &asked.action)) (hidden("states", &asked.states))
                @for (name, value) in asked.narrow() { (hidden(name, value)) }
                (hidden("count", &preview.count.to_string())) (hidden("key", &JobId::new().to_string()))
                (confirmation(preview.count))
                button { (verbs::of_so_many(&asked.action, &many)) }
            }
            @if let Some(four_eyes) = waits { p.soft { (tr!(
                "More than {count} jobs: it begins once a second person has said yes.",
                count = words::count(four_eyes.more_than)
            )) } }
            h2 { @if preview.is_exact { (tr!("The newest of them")) } @else { (tr!("Some of them")) } }
            (jobs::table(&format!("{base}/jobs"), &preview.sample)?)
        }
    };
    Ok(Page::new(&visit, "/bulk", &verbs::in_bulk(&asked.action), body).into_response())
}

/// Asks for the number, where it is large.
fn confirmation(count: i64) -> Markup {
    html! {
        @if count > UNCONFIRMED_MAX {
            label { (rich(tr!(
                "Write {count} to confirm",
                count = html! { code { (count) } }.0
            ))) input name="typed" inputmode="numeric" autocomplete="off" required; }
        }
    }
}

fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(super) struct Confirmed {
    #[serde(flatten)]
    asked: Asked,
    count: String,
    key: String,
    #[serde(default)]
    typed: String,
}

/// Begins it.
pub(super) async fn begin(
    State(app): State<AppState>,
    visit: Visit,
    Form(form): Form<Confirmed>,
) -> Result<Redirect, Problem> {
    let wrong = |_| Problem::invalid(vec![FieldError::new("/count", "a number")]);
    let count: i64 = form.count.parse().map_err(wrong)?;
    confirm(count, &form.typed)?;
    let (body, caller) = (form.asked.body(Some(count))?, Operator::of(visit.caller()?)?);
    let begun = endpoint::begin_bulk_operation(State(app), caller, keyed(form.key)?, Json(body)).await?;
    Ok(followed(&visit.here()?.slug, &begun))
}

/// Lets one begin that waits for a second person.
pub(super) async fn let_begin(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    endpoint::confirm(&app, &visit.caller()?, read(&id)?).await?;
    Ok(Redirect::to(&format!("/ops/t/{slug}/bulk/{id}")))
}

/// Stops one.
pub(super) async fn cancel(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    drop(endpoint::cancel_bulk_operation(State(app), Operator::of(visit.caller()?)?, Id(read(&id)?)).await?);
    Ok(Redirect::to(&format!("/ops/t/{slug}/bulk/{id}")))
}

/// Holds one.
pub(super) async fn pause(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    drop(endpoint::pause_bulk_operation(State(app), Operator::of(visit.caller()?)?, Id(read(&id)?)).await?);
    Ok(Redirect::to(&format!("/ops/t/{slug}/bulk/{id}")))
}

/// Lets one go on.
pub(super) async fn resume(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    drop(endpoint::resume_bulk_operation(State(app), Operator::of(visit.caller()?)?, Id(read(&id)?)).await?);
    Ok(Redirect::to(&format!("/ops/t/{slug}/bulk/{id}")))
}

/// What the form that takes one back sends.
#[derive(Debug, Deserialize)]
pub(super) struct Undone {
    key: String,
    #[serde(default)]
    typed: String,
}

/// Takes back what one changed.
pub(super) async fn undo(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Form(form): Form<Undone>,
) -> Result<Redirect, Problem> {
    let id = read(&id)?;
    let found = bulk::get(&app.db, visit.tenant()?, id).await?;
    let changed = found.ok_or_else(|| Problem::not_found("bulk operation"))?.changed;
    confirm(changed, &form.typed)?;
    let caller = Operator::of(visit.caller()?)?;
    let begun = endpoint::undo_bulk_operation(State(app), caller, Id(id), keyed(form.key)?).await?;
    Ok(followed(&slug, &begun))
}

/// Refuses to change many jobs at the press of a button.
fn confirm(count: i64, typed: &str) -> Result<(), Problem> {
    if count > UNCONFIRMED_MAX && typed.trim() != count.to_string() {
        let detail = format!("write {count} to confirm; nothing was done");
        return Err(Problem::invalid(vec![FieldError::new("/typed", detail)]));
    }
    Ok(())
}

/// By the key of a form, so that pressing twice is doing once.
fn keyed(key: String) -> Result<HeaderMap, Problem> {
    let wrong = |_| Problem::invalid(vec![FieldError::new("/key", "visible ASCII characters")]);
    let key = HeaderValue::try_from(key).map_err(wrong)?;
    Ok([(HeaderName::from_static("idempotency-key"), key)].into_iter().collect())
}

/// To the page of the operation that has begun.
fn followed(slug: &str, begun: &Response) -> Redirect {
    let location = begun.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let id = location.and_then(|location| location.rsplit_once('/')).map_or("", |(_, id)| id);
    Redirect::to(&format!("/ops/t/{slug}/bulk/{id}"))
}

fn read(id: &str) -> Result<BulkOperationId, Problem> {
    id.parse().map_err(|_| Problem::not_found("bulk operation"))
}

/// The page of one.
pub(super) async fn show(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let found = bulk::get(&app.db, visit.tenant()?, read(&id)?).await?;
    let operation = found.ok_or_else(|| Problem::not_found("bulk operation"))?;
    let waits = operation.state()? == OperationState::Waiting;
    let goes_on = !operation.state()?.is_final();
    let takes_back = operation.filter.0["changed_by"].as_str();
    let body = html! {
        div #operation data-live {
            p.head { (state(operation.state()?.name())) " " code.id { (id) } }
            @if waits { (second_person(&visit, &format!("/ops/t/{slug}/bulk/{id}"), &operation)) }
            (progress(&operation)?)
            dl.facts {
                div { dt { (tr!("Fitted")) } dd { (verbs::at_least(operation.matched, operation.matched_exactly)) } }
                div { dt { (tr!("Changed")) } dd #changed { (words::count(operation.changed)) } }
                div { dt { (tr!("Left alone")) } dd { (words::count(operation.skipped)) } }
                div { dt { (tr!("Unreadable")) } dd { (words::count(operation.failed)) } }
                div { dt { (tr!("Asked for")) } dd { (when_by(operation.created_at, &operation.requested_by)) } }
                @if let Some(by) = &operation.taken_on_by { div { dt { (tr!("Taken on by")) } dd { (by) } } }
                @if let Some((by, at)) = operation.confirmed_by.as_ref().zip(operation.confirmed_at) { div { dt { (tr!("Confirmed")) } dd { (when_by(at, by)) } } }
                @if let Some(by) = &operation.cancelled_by { div { dt { (tr!("Stopped by")) } dd { (by) } } }
                @if let Some(at) = operation.paused_at { div { dt { (tr!("Paused")) } dd { (when_by(at, operation.paused_by.as_deref().unwrap_or_default())) } } }
                @if let Some(of) = takes_back { div { dt { (tr!("Takes back")) } dd { a href={ "/ops/t/" (slug) "/bulk/" (of) } { code { (of) } } } } }
            }
            @if visit.may(Right::Operate) { (steering(&visit, &format!("/ops/t/{slug}/bulk/{id}"), &operation)?) }
        }
        h2 { (tr!("Which jobs")) }
        pre tabindex="0" { (format!("{:#}", operation.filter.0)) }
    };
    let title = verbs::in_bulk(operation.action()?.name());
    let page = Page::live(&visit, "/bulk", &title, body);
    Ok(Page { live: page.live.filter(|_| goes_on), ..Page::new(&visit, "/bulk", &title, page.body) }
        .into_response())
}

/// When something was done, and who did it.
fn when_by(at: DateTime<Utc>, who: &str) -> Markup {
    rich(tr!("{when} by {who}", when = words::when(at).0, who = html! { (who) }.0))
}

/// What is left to be done before it begins, and by whom.
fn second_person(visit: &Visit, path: &str, operation: &Operation) -> Markup {
    let (asked, says_yes) = (operation.person(), visit.may(Right::Operate));
    html! {
        section.why aria-label=(tr!("A second person")) {
            p { strong { (tr!("It has not begun.")) } " " (tr!("So many jobs are thrown away only once a second person has said yes.")) }
            @if asked.is_none() { p { (tr!("A key that was made for nobody asked for it: one person takes it on, and another lets it begin.")) } }
            @if asked == Some(visit.user) { p { (tr!("You asked for it, or took it on, so somebody else has to.")) } }
            @else if says_yes { (layout::action(visit, &format!("{path}/confirm"), &if asked.is_some() { tr!("Let it begin") } else { tr!("Take it on") })) }
        }
    }
}

/// What can be done to an operation as it stands, or why nothing can.
fn steering(visit: &Visit, base: &str, operation: &Operation) -> Result<Markup, Problem> {
    let act = |what: &str, word: String| layout::action(visit, &format!("{base}/{what}"), &word);
    let undo = || endpoint::undo_of(operation, Utc::now());
    Ok(match operation.state()? {
        OperationState::Waiting => html! { (act("cancel", tr!("Stop"))) },
        OperationState::Running => {
            html! { p.acts { (act("pause", tr!("Pause"))) (act("cancel", tr!("Stop"))) } }
        }
        OperationState::Paused => {
            html! { p.acts { (act("resume", tr!("Resume"))) (act("cancel", tr!("Stop"))) } }
        }
        _ if operation.changed == 0 => html! {},
        _ => match undo()? {
            Ok(_) => html! {
                form.confirm method="post" action={ (base) "/undo" } {
                    (token(visit)) (hidden("key", &JobId::new().to_string())) (confirmation(operation.changed))
                    p.soft { (verbs::taken_back(operation.action()?)) }
                    button { (tr!("Undo")) }
                }
            },
            Err(why) => html! { p.soft { (tr!("It cannot be undone: {why}.", why)) } },
        },
    })
}

fn progress(operation: &Operation) -> Result<Markup, Problem> {
    let all = operation.matched.max(operation.processed).max(1);
    let done = if operation.state()? == OperationState::Completed { all } else { operation.processed };
    let (so_far, in_all) = (words::count(operation.processed), words::count(operation.matched));
    let says = tr!("{so_far} of {in_all}", so_far, in_all);
    Ok(html! { p.progress { progress max=(all) value=(done) aria-label=(tr!("Progress")) {} " " (says) } })
}

/// Every operation.
pub(super) async fn list(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = visit.here()?;
    let operations = bulk::list(&app.db, place.id, None, OPS_ROWS_MAX).await?;
    let lines = operations
        .iter()
        .map(|operation| Ok((operation, operation.action()?.name(), operation.state()?.name())));
    let lines = lines.collect::<Result<Vec<_>, Problem>>()?;
    let body = html! {
        p.soft { (tr!("One action on every job that fits a filter. It begins from the list of jobs, or from a group of errors.")) }
        div #operations data-live="quiet" {
            table {
                thead { tr { th { (tr!("Operation")) } th { (tr!("State")) } th.number { (tr!("Changed")) } th.number.wide { (tr!("Fitted")) } th { (tr!("Asked for")) } th.wide { (tr!("By")) } th.wide { (tr!("Which jobs")) } } }
                tbody { @for (operation, action, is) in &lines {
                    tr {
                        td { a href={ "/ops/t/" (place.slug) "/bulk/" (operation.id()) } { (verbs::of(action)) } }
                        td { (state(is)) }
                        td.number { (words::count(operation.changed)) }
                        td.number.wide { (words::count(operation.matched)) }
                        td { (words::when(operation.created_at)) }
                        td.wide { (operation.requested_by) }
                        td.wide.cut { code { (brief(&operation.filter.0)) } }
                    }
                } }
            }
            @if lines.is_empty() { p { (tr!("There has been none.")) } }
        }
    };
    Ok(Page::live(&visit, "/bulk", &tr!("Bulk operations"), body).into_response())
}

fn brief(filter: &Value) -> String {
    let said = filter.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    said.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", ")
}
