//! One action on everything that fits: looked at first, then confirmed, then followed.

use ::jobs::{BulkOperationId, JobId};
use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::bulk::{self, Confirmation, Operation, OperationState};

use super::{
    access::Right,
    guard::Visit,
    jobs,
    layout::{self, Page, state, token},
    words,
};
use crate::{
    AppState,
    auth::Operator,
    bulk::BulkBody,
    extract::{Id, Json, typed},
    limits::OPS_ROWS_MAX,
    problem::{Code, FieldError, Problem},
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
    let many = format!("{}{}", words::count(preview.count), if preview.is_exact { "" } else { " or more" });
    let body = html! {
        p.head { strong { (many) } " " @if preview.count == 1 { "job fits" } @else { "jobs fit" } "." }
        ul.plain { @for of in &preview.by { li { (words::count(of.jobs)) " " (state(of.state.name())) " " (of.kind) } } }
        @if preview.count > 0 {
            form.confirm method="post" action={ (base) "/bulk" } {
                (token(&visit))
                (hidden("action", &asked.action)) (hidden("states", &asked.states))
                @for (name, value) in asked.narrow() { (hidden(name, value)) }
                (hidden("count", &preview.count.to_string())) (hidden("key", &JobId::new().to_string()))
                @if preview.count > UNCONFIRMED_MAX {
                    label { "Write " code { (preview.count) } " to confirm" input name="typed" inputmode="numeric" autocomplete="off" required; }
                }
                button { (verb(&asked.action)) " " (many) }
            }
            @if let Some(four_eyes) = waits { p.soft { "More than " (words::count(four_eyes.more_than)) " jobs: it begins once a second person has said yes." } }
            h2 { @if preview.is_exact { "The newest of them" } @else { "Some of them" } }
            (jobs::table(&format!("{base}/jobs"), &preview.sample)?)
        }
    };
    Ok(Page::new(&visit, "/bulk", &format!("{} in bulk", verb(&asked.action)), body).into_response())
}

fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

fn verb(action: &str) -> &'static str {
    match action {
        "retry" => "Retry",
        "cancel" => "Cancel",
        "discard" => "Discard",
        _ => "Change",
    }
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
    let wrong = |pointer: &str, detail: &str| Problem::invalid(vec![FieldError::new(pointer, detail)]);
    let count: i64 = form.count.parse().map_err(|_| wrong("/count", "a number"))?;
    if count > UNCONFIRMED_MAX && form.typed.trim() != form.count {
        return Err(wrong("/typed", &format!("write {count} to confirm; nothing was done")));
    }
    let mut headers = HeaderMap::new();
    let key = HeaderValue::try_from(form.key).map_err(|_| wrong("/key", "visible ASCII characters"))?;
    headers.insert("idempotency-key", key);
    let (body, caller) = (form.asked.body(Some(count))?, Operator::of(visit.caller()?)?);
    let begun = endpoint::begin_bulk_operation(State(app), caller, headers, Json(body)).await?;
    let location = begun.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let id = location.and_then(|location| location.rsplit_once('/')).map_or("", |(_, id)| id);
    Ok(Redirect::to(&format!("/ops/t/{}/bulk/{id}", visit.here()?.slug)))
}

/// Lets one begin that waits for a second person.
pub(super) async fn confirm(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    match bulk::confirm(&app.db, visit.tenant()?, read(&id)?, &visit.email).await? {
        Confirmation::Now => Ok(Redirect::to(&format!("/ops/t/{slug}/bulk/{id}"))),
        Confirmation::SamePerson => {
            Err(Problem::new(Code::NotAllowed, "you asked for it yourself; somebody else has to say yes"))
        }
        Confirmation::NotWaiting => Err(Problem::new(Code::TooLate, format!("{id} waits for nobody"))),
        Confirmation::NotFound => Err(Problem::not_found("bulk operation")),
    }
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
    let is_running = waits || operation.state()? == OperationState::Running;
    let body = html! {
        div #operation data-live {
            p.head { (state(operation.state()?.name())) " " code.id { (id) } }
            @if waits { (second_person(&visit, &format!("/ops/t/{slug}/bulk/{id}"), &operation)) }
            (progress(&operation)?)
            dl.facts {
                div { dt { "Fitted" } dd { (words::count(operation.matched)) @if !operation.matched_exactly { " or more" } } }
                div { dt { "Changed" } dd #changed { (words::count(operation.changed)) } }
                div { dt { "Left alone" } dd { (words::count(operation.skipped)) } }
                div { dt { "Unreadable" } dd { (words::count(operation.failed)) } }
                div { dt { "Asked for" } dd { (words::when(operation.created_at)) " by " (operation.requested_by) } }
                @if let Some((by, at)) = operation.confirmed_by.as_ref().zip(operation.confirmed_at) { div { dt { "Confirmed" } dd { (words::when(at)) " by " (by) } } }
                @if let Some(by) = &operation.cancelled_by { div { dt { "Stopped by" } dd { (by) } } }
            }
            @if is_running && visit.may(Right::Operate) { (layout::action(&visit, &format!("/ops/t/{slug}/bulk/{id}/cancel"), "Stop")) }
        }
        h2 { "Which jobs" }
        pre tabindex="0" { (format!("{:#}", operation.filter.0)) }
    };
    let title = format!("{} in bulk", verb(operation.action()?.name()));
    let page = Page::live(&visit, "/bulk", &title, body);
    Ok(Page { live: page.live.filter(|_| is_running), ..Page::new(&visit, "/bulk", &title, page.body) }
        .into_response())
}

/// What is left to be done before it begins, and by whom.
fn second_person(visit: &Visit, path: &str, operation: &Operation) -> Markup {
    html! {
        section.why aria-label="A second person" {
            p { strong { "It has not begun." } " So many jobs are thrown away only once a second person has said yes." }
            @if visit.email == operation.requested_by { p { "You asked for it, so somebody else has to." } }
            @else if visit.may(Right::Operate) { (layout::action(visit, &format!("{path}/confirm"), "Let it begin")) }
        }
    }
}

fn progress(operation: &Operation) -> Result<Markup, Problem> {
    let all = operation.matched.max(operation.processed).max(1);
    let done = if operation.state()? == OperationState::Completed { all } else { operation.processed };
    Ok(
        html! { p.progress { progress max=(all) value=(done) aria-label="Progress" {} " " (words::count(operation.processed)) " of " (words::count(operation.matched)) } },
    )
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
        p.soft { "One action on every job that fits a filter. It begins from the list of jobs, or from a group of errors." }
        div #operations data-live {
            table {
                thead { tr { th { "Operation" } th { "State" } th.number { "Changed" } th.number.wide { "Fitted" } th { "Asked for" } th.wide { "By" } th.wide { "Which jobs" } } }
                tbody { @for (operation, action, is) in &lines {
                    tr {
                        td { a href={ "/ops/t/" (place.slug) "/bulk/" (operation.id()) } { (verb(action)) } }
                        td { (state(is)) }
                        td.number { (words::count(operation.changed)) }
                        td.number.wide { (words::count(operation.matched)) }
                        td { (words::when(operation.created_at)) }
                        td.wide { (operation.requested_by) }
                        td.wide.cut { code { (brief(&operation.filter.0)) } }
                    }
                } }
            }
            @if lines.is_empty() { p { "There has been none." } }
        }
    };
    Ok(Page::live(&visit, "/bulk", "Bulk operations", body).into_response())
}

fn brief(filter: &Value) -> String {
    let said = filter.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    said.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", ")
}
