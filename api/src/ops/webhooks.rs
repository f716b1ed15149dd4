//! Webhooks that come in and that go out: what came of each, and the same once more.

use ::jobs::WebhookSourceId;
use axum::{
    Form,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use store::{
    inbox::{self, Event, Refused},
    outbox,
};
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
    extract::typed,
    limits::{OPS_ROWS_MAX, WEBHOOK_ENDPOINTS_MAX, WEBHOOK_REPLAY_MAX, WEBHOOK_SOURCES_MAX},
    problem::Problem,
    routes::webhook_events,
};

/// Who sends, and who is told.
pub(super) async fn list(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = visit.here()?;
    let sources = inbox::list(&app.db, place.id, WEBHOOK_SOURCES_MAX).await?;
    let endpoints = outbox::list(&app.db, place.id, WEBHOOK_ENDPOINTS_MAX).await?;
    let base = format!("/ops/t/{}/webhooks", place.slug);
    let is_on = |is_disabled: bool| state(if is_disabled { "disabled" } else { "active" });
    let body = html! {
        h2 { (tr!("In")) }
        table {
            thead { tr { th { (tr!("Source")) } th { (tr!("State")) } th.number { (tr!("Refused")) } th { (tr!("Since")) } } }
            tbody { @for source in &sources { tr {
                td { a href={ (base) "/in/" (source.id()) } { (source.name) } }
                td { (is_on(source.disabled_at.is_some())) }
                td.number { (words::count(source.refusals)) }
                td { (words::when(source.created_at)) }
            } } }
        }
        @if sources.is_empty() { p { (tr!("Nobody sends webhooks here.")) } }
        h2 { (tr!("Out")) }
        @if !endpoints.is_empty() { p { a href={ (base) "/out" } { (tr!("What all of them were told")) } } }
        table {
            thead { tr { th { (tr!("Endpoint")) } th { (tr!("State")) } th.wide { (tr!("Told of")) } th { (tr!("Health")) } } }
            tbody { @for endpoint in &endpoints { tr {
                td.cut { a href={ (base) "/out/" (endpoint.id()) } { (endpoint.url) } }
                td { (is_on(endpoint.disabled_at.is_some())) @if let Some(why) = &endpoint.disabled_reason { " " span.soft { (why) } } }
                td.wide { (endpoint.event_types.join(", ")) }
                td { @match endpoint.failing_since {
                    Some(at) => (rich(tr!("{state} since {when}", state = state("failed").0, when = words::when(at).0))),
                    None => (tr!("✓ gets through")),
                } }
            } } }
        }
        @if endpoints.is_empty() { p { (tr!("Nobody is told by webhook.")) } }
    };
    Ok(Page::new(&visit, "/webhooks", &tr!("Webhooks"), body).into_response())
}

/// What one of those who send sent.
pub(super) async fn source(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Query(range): Query<Range>,
) -> Result<Response, Problem> {
    let tenant = visit.tenant()?;
    let id: WebhookSourceId = id.parse().map_err(|_| Problem::not_found("source"))?;
    let source = inbox::get(&app.db, tenant, id).await?.ok_or_else(|| Problem::not_found("source"))?;
    let every = inbox::Filter::default();
    let (events, refused) = tokio::try_join!(
        inbox::events(&app.db, tenant, id, &every, None, OPS_ROWS_MAX),
        inbox::refusals(&app.db, tenant, id),
    )?;
    let base = format!("/ops/t/{slug}/webhooks/in/{id}");
    let body = html! {
        (events_table(&visit, &base, &events))
        @if visit.may(Right::Operate) { (range_form(&visit, &base, &range)) }
        @if !refused.is_empty() { h2 { (tr!("Not believed")) } (refusals_table(&refused)) }
    };
    Ok(Page::new(&visit, "/webhooks", &source.name, body).into_response())
}

fn events_table(visit: &Visit, base: &str, events: &[Event]) -> Markup {
    html! {
        table {
            thead { tr { th { (tr!("Event")) } th { (tr!("State")) } th { (tr!("Came")) } th.number.wide { (tr!("Looked at again")) } th { "" } } }
            tbody { @for event in events { tr {
                td { (event.event_type) div.soft { code { (event.event_id) } } }
                td { (state(&event.state)) @if let Some(why) = &event.reason { div.soft { (why) } } }
                td { (words::when(event.received_at)) }
                td.number.wide { (event.replays) }
                td { @if visit.may(Right::Operate) { (layout::action(visit, &format!("{base}/replay/{}", event.id()), &tr!("Replay"))) } }
            } } }
        }
        @if events.is_empty() { p { (tr!("Nothing has come yet.")) } }
    }
}

fn refusals_table(refused: &[Refused]) -> Markup {
    html! {
        table {
            thead { tr { th { (tr!("When")) } th { (tr!("Code")) } th { (tr!("Why")) } } }
            tbody { @for one in refused { tr { td { (words::when(one.refused_at)) } td { code { (one.word) } } td { (one.reason) } } } }
        }
    }
}

/// Which events are to be looked at again: what the form sends, and what it is filled with when there are more.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Range {
    state: String,
    event_type: String,
    /// Times as clocks of `zone` show them.
    since: String,
    until: String,
    zone: String,
    /// The last event of those before.
    after: String,
    /// How many those were.
    replayed: usize,
}

fn range_form(visit: &Visit, base: &str, range: &Range) -> Markup {
    let (goes_on, zone) = (!range.after.is_empty(), words::zone_of(&range.zone));
    html! {
        @if range.replayed > 0 { p role="status" { (tr!(
            "{count} event is looked at again."
                | "{count} events are looked at again." % range.replayed,
            count = words::count(range.replayed as i64)
        )) } }
        details.form open[goes_on] {
            summary { (tr!("Replay a range")) }
            form method="post" action={ (base) "/replay" } {
                (token(visit))
                input type="hidden" name="after" value=(range.after);
                label { (tr!("State")) select name="state" {
                    option value="" { (tr!("any")) }
                    @for state in webhook_events::STATES { option selected[range.state == *state] { (state) } }
                } }
                label { (tr!("Type")) input name="event_type" value=(range.event_type); }
                (words::zone_field(zone))
                label { (tr!("Not before")) span.soft { ", " (zone) } input type="datetime-local" name="since" value=(range.since); }
                label { (tr!("Before")) span.soft { ", " (zone) } input type="datetime-local" name="until" value=(range.until); }
                p.soft { (tr!("Up to {most} at once, oldest first. The jobs they become are new ones.", most = WEBHOOK_REPLAY_MAX)) }
                button { @if goes_on { (tr!("Go on with those after")) } @else { (tr!("Replay")) } }
            }
        }
    }
}

/// Has the events of a range looked at again, as many as may be at once, and leads on to those after.
pub(super) async fn replay_range(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Form(range): Form<Range>,
) -> Result<Redirect, Problem> {
    let caller = Retrier::of(visit.caller()?)?.0;
    let source: WebhookSourceId = id.parse().map_err(|_| Problem::not_found("source"))?;
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let body = typed(&json!({
        "state": some(&range.state), "event_type": some(&range.event_type), "after": some(&range.after),
        "since": words::moment(&range.zone, &range.since, "since")?,
        "until": words::moment(&range.zone, &range.until, "until")?,
    }))?;
    let told = webhook_events::replay_range(&app, caller.tenant, source, body).await?;
    let after = told.next.map(|next| next.to_string()).unwrap_or_default();
    let range = Range { after, replayed: told.events.len(), ..range };
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("state", &range.state)
        .append_pair("event_type", &range.event_type)
        .append_pair("since", &range.since)
        .append_pair("until", &range.until)
        .append_pair("zone", &range.zone)
        .append_pair("after", &range.after)
        .append_pair("replayed", &range.replayed.to_string())
        .finish();
    Ok(Redirect::to(&format!("/ops/t/{slug}/webhooks/in/{id}?{query}")))
}

/// Has an event looked at again.
pub(super) async fn replay(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id, event)): Path<(String, String, String)>,
) -> Result<Redirect, Problem> {
    let path = Path((id.clone(), event));
    webhook_events::replay_webhook_event(State(app), Retrier::of(visit.caller()?)?, path).await?;
    Ok(Redirect::to(&format!("/ops/t/{slug}/webhooks/in/{id}")))
}
