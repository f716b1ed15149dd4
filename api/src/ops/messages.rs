//! What people were told: why each message went out, or did not, and what a person found out about those of which nobody
//! knows.

use ::jobs::{Channel, MessageId};
use axum::{
    Form,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};
use store::messages::{self, Effect, Filter, Message};
use tr::tr;

use super::{
    access::Right,
    guard::Visit,
    layout::{Page, state, token},
    words,
};
use crate::{
    AppState,
    auth::Writer,
    extract::{Id, Json, typed},
    limits::OPS_ROWS_MAX,
    problem::Problem,
    routes::messages as api,
};

/// Which messages somebody wants to see.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    state: String,
    before: Option<MessageId>,
}

/// The latest messages.
pub(super) async fn list(
    State(app): State<AppState>,
    visit: Visit,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let place = visit.here()?;
    let wants = Some(&wanted.state).filter(|state| !state.is_empty());
    if wants.is_some_and(|state| !api::STATES.contains(&state.as_str())) {
        return Err(Problem::not_found("state"));
    }
    let before = wanted.before.map(|id| id.as_uuid());
    let filter = Filter { state: wants.cloned(), before, ..Filter::default() };
    let found = messages::list(&app.db, place.id, &filter, OPS_ROWS_MAX).await?;
    let base = format!("/ops/t/{}/messages", place.slug);
    let next = found.last().filter(|_| found.len() as i64 == OPS_ROWS_MAX).map(Message::id);
    let body = html! {
        form.filter method="get" {
            label { (tr!("State")) " " select name="state" {
                option value="" { (tr!("any")) }
                @for one in api::STATES { option value=(one) selected[wanted.state == one] { (one) } }
            } }
            button { (tr!("Show")) }
        }
        (table(&base, &found)?)
        @if let Some(next) = next { p { a href={ "?state=" (wanted.state) "&before=" (next) } { (tr!("Older")) } } }
    };
    Ok(Page::new(&visit, "/messages", &tr!("Messages"), body).into_response())
}

fn table(base: &str, found: &[Message]) -> Result<Markup, Problem> {
    let lines = found.iter().map(|message| Ok((message, message.channel()?)));
    let lines = lines.collect::<Result<Vec<(&Message, Channel)>, Problem>>()?;
    Ok(html! {
        table {
            thead { tr { th { (tr!("Message")) } th { (tr!("State")) } th.wide { (tr!("By")) } th { (tr!("Decided")) } } }
            tbody { @for (message, channel) in &lines { tr {
                td { a href={ (base) "/" (message.id()) } { (message.template) } div.soft { (message.subject_reference.as_deref().unwrap_or_default()) } }
                td { (state(&message.state)) @if let Some(why) = &message.detail { div.soft { (why) } } }
                td.wide { (channel.name()) }
                td { (words::when(message.created_at)) }
            } } }
        }
        @if lines.is_empty() { p { (tr!("There is no such message.")) } }
    })
}

/// One of them.
pub(super) async fn show(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (id, tenant) = (read(&id)?, visit.tenant()?);
    let message =
        messages::message(&app.db, tenant, id).await?.ok_or_else(|| Problem::not_found("message"))?;
    let tries = messages::effects(&app.db, tenant, id).await?;
    let (base, channel) = (format!("/ops/t/{slug}"), message.channel()?);
    let body = html! {
        p.head { (state(&message.state)) " " code.id { (id) } }
        @if let Some(why) = &message.detail { p.alarm { (why) } }
        @if message.state == "unknown" && visit.may(Right::Operate) { (resolve_form(&visit, &format!("{base}/messages/{id}"))) }
        dl.facts {
            div { dt { (tr!("By")) } dd { (tr!("{channel} in {locale}", channel = channel.name(), locale = message.locale)) } }
            div { dt { (tr!("Asked for by")) } dd { a href={ (base) "/jobs/" (message.request()) } { code { (message.request()) } } } }
            div { dt { (tr!("Not before")) } dd { (words::when(message.scheduled_at)) } }
            @if let Some(at) = message.sent_at { div { dt { (tr!("Sent")) } dd { (words::when(at)) } } }
            @if let Some(at) = message.read_at { div { dt { (tr!("Read")) } dd { (words::when(at)) } } }
            @if let Some((amount, currency)) = message.cost() { div { dt { (tr!("Cost")) } dd { (amount) " " (currency) } } }
            @if let Some(id) = &message.provider_id { div { dt { (tr!("The provider calls it")) } dd { code { (id) } } } }
        }
        h2 { (tr!("Why")) }
        (decisions(&message.decisions.0))
        @if !tries.is_empty() { h2 { (tr!("Tries")) } (tries_table(&tries)) }
        @if let Some(content) = message.content.as_ref().filter(|_| visit.sees_payloads && visit.sees_private) { h2 { (tr!("What it says")) } (said(&content.0)) }
    };
    Ok(Page::new(&visit, "/messages", &message.template, body).into_response())
}

/// What the rules said, in their order.
fn decisions(said: &Value) -> Markup {
    html! {
        ol.timeline { @for line in said.as_array().into_iter().flatten() {
            li { (line["said"].as_str().unwrap_or_default()) }
        } }
    }
}

pub(super) fn tries_table(tries: &[Effect]) -> Markup {
    html! {
        table {
            thead { tr { th.number { (tr!("Try")) } th { (tr!("State")) } th { (tr!("Asked")) } th { (tr!("Began")) } th.wide { (tr!("Said by")) } } }
            tbody { @for one in tries { tr {
                td.number { (one.number) }
                td { (state(&one.state)) @if let Some(why) = &one.detail { div.soft { (why) } } }
                td { (one.provider) }
                td { (words::when(one.begun_at)) }
                td.wide { (one.resolved_by.as_deref().unwrap_or("–")) }
            } } }
        }
    }
}

/// The texts of a message, each under its name, but for a mail's page: it says the same as its text.
pub(super) fn said(content: &Value) -> Markup {
    let texts = content.as_object().into_iter().flatten().flat_map(|(name, value)| match value {
        Value::Object(parts) => parts.iter().map(|(name, value)| (name.clone(), value)).collect(),
        value => vec![(name.clone(), value)],
    });
    html! {
        @for (name, text) in texts.filter_map(|(name, value)| Some((name, value.as_str()?))).filter(|(name, _)| name != "html") {
            h3 { (name) } pre tabindex="0" aria-label=(name) { (text) }
        }
    }
}

fn resolve_form(visit: &Visit, path: &str) -> Markup {
    html! {
        section.why aria-label=(tr!("What became of it")) {
            p { strong { (tr!("Nobody knows whether it arrived.")) } " " (tr!("Ask whom it went to, or look into the provider's log, and say what you found.")) }
            form method="post" action={ (path) "/resolve" } {
                (token(visit))
                button name="outcome" value="sent" { (tr!("It arrived")) } " "
                button name="outcome" value="send_again" { (tr!("It did not: send it again")) } " "
                button name="outcome" value="give_up" { (tr!("It did not, and is not needed")) }
            }
        }
    }
}

/// What somebody found out.
#[derive(Debug, Deserialize)]
pub(super) struct ResolveForm {
    outcome: String,
}

/// Notes it.
pub(super) async fn resolve(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Form(form): Form<ResolveForm>,
) -> Result<Redirect, Problem> {
    let (id, body) = (read(&id)?, typed(&json!({ "outcome": form.outcome }))?);
    drop(api::resolve_message(State(app), Writer::of(visit.caller()?)?, Id(id), Json(body)).await?);
    Ok(Redirect::to(&format!("/ops/t/{slug}/messages/{id}")))
}

fn read(id: &str) -> Result<MessageId, Problem> {
    id.parse().map_err(|_| Problem::not_found("message"))
}
