//! What endpoints were told: filtered by what the address says, and told once more, one by one or all that fits.

use ::jobs::{WebhookDeliveryId, WebhookEndpointId};
use axum::{
    Form,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use store::outbox::{self, Delivery, Endpoint, Filter};
use tr::tr;

use super::{
    access::Right,
    guard::Visit,
    layout::{self, Page, state, token},
    words,
};
use crate::{
    AppState,
    auth::Retrier,
    extract::typed,
    limits::{OPS_ROWS_MAX, WEBHOOK_ENDPOINTS_MAX, WEBHOOK_RECOVER_MAX},
    problem::{Code, FieldError, Problem},
    routes::{webhook_deliveries, webhook_recovery},
};

/// What the address says, and the form that tells once more.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// Which endpoint, on the page of all of them.
    endpoint: String,
    state: String,
    event_type: String,
    /// Times as clocks of `zone` show them.
    since: String,
    until: String,
    zone: String,
    before: Option<WebhookDeliveryId>,
    /// The last message of those that were told once more before.
    after: String,
    /// How many those were.
    recovered: Option<usize>,
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

impl Wanted {
    fn times(&self) -> Result<[Option<DateTime<Utc>>; 2], Problem> {
        Ok([
            words::moment(&self.zone, &self.since, "since")?,
            words::moment(&self.zone, &self.until, "until")?,
        ])
    }

    fn filter(&self) -> Result<Filter, Problem> {
        let [since, until] = self.times()?;
        let is_state = self.state.is_empty() || webhook_deliveries::STATES.contains(&self.state.as_str());
        if !is_state || self.event_type.contains('\0') {
            return Err(Problem::new(Code::InvalidParameter, "there is no such state or type"));
        }
        Ok(Filter { state: some(&self.state), event_type: some(&self.event_type), since, until })
    }

    fn endpoint(&self) -> Result<Option<WebhookEndpointId>, Problem> {
        let read = some(&self.endpoint).map(|id| id.parse()).transpose();
        read.map_err(|_| Problem::new(Code::InvalidParameter, "there is no such endpoint"))
    }

    /// What was said, by name.
    fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let has_time = !self.since.is_empty() || !self.until.is_empty();
        let said = [
            ("endpoint", self.endpoint.as_str()),
            ("state", &self.state),
            ("event_type", &self.event_type),
            ("since", &self.since),
            ("until", &self.until),
            ("zone", if has_time { &self.zone } else { "" }),
        ];
        said.into_iter().filter(|(_, text)| !text.is_empty())
    }

    /// The same view with more behind it.
    fn link(&self, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
        query.extend_pairs(self.pairs()).extend_pairs(more).finish()
    }

    fn form(&self, endpoints: Option<&[Endpoint]>) -> Markup {
        let zone = words::zone_of(&self.zone);
        html! {
            form.filters role="search" {
                @if let Some(endpoints) = endpoints {
                    label { (tr!("Endpoint")) select name="endpoint" {
                        option value="" { (tr!("any")) }
                        @for one in endpoints { option value=(one.id()) selected[self.endpoint == one.id().to_string()] { (one.url) } }
                    } }
                }
                label { (tr!("State")) select name="state" {
                    option value="" { (tr!("any")) }
                    @for state in webhook_deliveries::STATES { option selected[self.state == state] { (state) } }
                } }
                label { (tr!("Type")) input name="event_type" value=(self.event_type); }
                (words::zone_field(zone))
                label { (tr!("Happened at or after")) span.soft { ", " (zone) } input type="datetime-local" name="since" value=(self.since); }
                label { (tr!("Happened before")) span.soft { ", " (zone) } input type="datetime-local" name="until" value=(self.until); }
                button { (tr!("Show")) }
            }
        }
    }

    /// Tells once more what fits: what was given up, or what got through if that is what is shown.
    fn recovery(&self, visit: &Visit, base: &str) -> Markup {
        if self.state == "pending" {
            return html! {};
        }
        let is_failed = self.state != "delivered";
        html! {
            @if let Some(count) = self.recovered { p role="status" { (tr!(
                "{count} message is sent again."
                    | "{count} messages are sent again." % count,
                count = words::count(count as i64)
            )) } }
            form.acts method="post" action={ (base) "/recover" } {
                (token(visit))
                @for (name, value) in self.pairs() { input type="hidden" name=(name) value=(value); }
                input type="hidden" name="after" value=(self.after);
                (tr!("Everything that fits:")) " "
                button {
                    @if !self.after.is_empty() { (tr!("Go on with those after")) }
                    @else if is_failed { (tr!("Send again what was given up")) }
                    @else { (tr!("Send all of it again")) }
                }
                span.soft { (tr!(
                    "Up to {count} at once, oldest first, under their ids of before.",
                    count = words::count(WEBHOOK_RECOVER_MAX)
                )) }
            }
        }
    }
}

/// What all of them were told.
pub(super) async fn all(
    State(app): State<AppState>,
    visit: Visit,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let place = visit.here()?;
    let endpoints = outbox::list(&app.db, place.id, WEBHOOK_ENDPOINTS_MAX).await?;
    let told = list(&app, &visit, wanted.endpoint()?, &wanted).await?;
    let body = html! {
        (wanted.form(Some(&endpoints)))
        (table(&visit, &place.slug, &told, Some(&endpoints)))
        (older(&wanted, &told))
    };
    Ok(Page::new(&visit, "/webhooks", &tr!("Webhooks that went out"), body).into_response())
}

/// What one of those who are told was told.
pub(super) async fn endpoint(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let id: WebhookEndpointId = id.parse().map_err(|_| Problem::not_found("endpoint"))?;
    let wanted = Wanted { endpoint: String::new(), ..wanted };
    let endpoint =
        outbox::get(&app.db, visit.tenant()?, id).await?.ok_or_else(|| Problem::not_found("endpoint"))?;
    let told = list(&app, &visit, Some(id), &wanted).await?;
    let body = html! {
        (wanted.form(None))
        @if visit.may(Right::Operate) { (wanted.recovery(&visit, &format!("/ops/t/{slug}/webhooks/out/{id}"))) }
        (table(&visit, &slug, &told, None))
        (older(&wanted, &told))
    };
    Ok(Page::new(&visit, "/webhooks", &endpoint.url, body).into_response())
}

async fn list(
    app: &AppState,
    visit: &Visit,
    endpoint: Option<WebhookEndpointId>,
    wanted: &Wanted,
) -> Result<Vec<Delivery>, Problem> {
    let (filter, most) = (wanted.filter()?, OPS_ROWS_MAX);
    Ok(outbox::deliveries(&app.db, visit.tenant()?, endpoint, &filter, wanted.before, most).await?)
}

fn table(visit: &Visit, slug: &str, told: &[Delivery], endpoints: Option<&[Endpoint]>) -> Markup {
    let base = format!("/ops/t/{slug}/webhooks/out");
    let url = |of: &Delivery| {
        let mut known = endpoints.into_iter().flatten();
        known.find(|one| one.id() == of.endpoint()).map_or_else(|| tr!("an endpoint"), |one| one.url.clone())
    };
    html! {
        table {
            thead { tr { th { (tr!("What")) } @if endpoints.is_some() { th { (tr!("Endpoint")) } } th { (tr!("State")) } th.number { (tr!("Tries")) } th { (tr!("Happened")) } th { "" } } }
            tbody { @for delivery in told { tr {
                td { (delivery.event_type) div.soft { (delivery.subject) } }
                @if endpoints.is_some() { td.cut { a href={ (base) "/" (delivery.endpoint()) } { (url(delivery)) } } }
                td { (state(&delivery.state)) }
                td.number { (delivery.attempts) }
                td { (words::when(delivery.happened_at)) }
                td { @if visit.may(Right::Operate) {
                    (layout::action(visit, &format!("{base}/{}/resend/{}", delivery.endpoint(), delivery.id()), &tr!("Send again")))
                } }
            } } }
        }
        @if told.is_empty() { p { (tr!("Nothing that fits was told.")) } }
    }
}

fn older(wanted: &Wanted, told: &[Delivery]) -> Markup {
    let last = told.last().filter(|_| told.len() as i64 == OPS_ROWS_MAX).map(|last| last.id().to_string());
    html! { @if let Some(last) = last { p { a href=(wanted.link(&[("before", &last)])) rel="next" { (tr!("Older")) } } } }
}

/// Tells it once more.
pub(super) async fn resend(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id, delivery)): Path<(String, String, String)>,
) -> Result<Redirect, Problem> {
    let path = Path((id.clone(), delivery));
    webhook_deliveries::resend_webhook_delivery(State(app), Retrier::of(visit.caller()?)?, path).await?;
    Ok(Redirect::to(&format!("/ops/t/{slug}/webhooks/out/{id}")))
}

/// Tells once more what fits, as much as may be at once, and leads on to what follows.
pub(super) async fn recover(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Form(wanted): Form<Wanted>,
) -> Result<Redirect, Problem> {
    let caller = Retrier::of(visit.caller()?)?.0;
    let endpoint: WebhookEndpointId = id.parse().map_err(|_| Problem::not_found("endpoint"))?;
    let [since, until] = wanted.times()?;
    if wanted.state == "pending" {
        return Err(Problem::invalid(vec![FieldError::new("/state", "failed or delivered")]));
    }
    let body = typed(&json!({
        "since": since.unwrap_or(DateTime::UNIX_EPOCH), "until": until, "state": some(&wanted.state),
        "event_type": some(&wanted.event_type), "after": some(&wanted.after),
    }))?;
    // The guard writes it down.
    let told = webhook_recovery::recover(&app, caller.tenant, endpoint, body).await?;
    let (next, count) = (told.next.map(|next| next.to_string()), told.messages.to_string());
    let more = [("after", next.as_deref().unwrap_or_default()), ("recovered", &count)];
    Ok(Redirect::to(&format!("/ops/t/{slug}/webhooks/out/{id}{}", wanted.link(&more))))
}

#[cfg(test)]
mod tests {
    use super::Wanted;

    #[test]
    fn an_address_holds_the_whole_view_and_times_in_their_zone() {
        let wanted = Wanted {
            state: "failed".into(),
            event_type: "job.*".into(),
            since: "2026-07-01T10:30".into(),
            zone: "Europe/Berlin".into(),
            ..Wanted::default()
        };
        let query = "?state=failed&event_type=job.*&since=2026-07-01T10%3A30&zone=Europe%2FBerlin&before=x";
        assert_eq!(wanted.link(&[("before", "x")]), query);
        let since = wanted.filter().unwrap().since.unwrap();
        assert_eq!(since.to_rfc3339(), "2026-07-01T08:30:00+00:00");
        let untimed = Wanted { zone: "Europe/Berlin".into(), ..Wanted::default() };
        assert_eq!(untimed.link(&[]), "?");
        for (state, zone) in [("told", ""), ("", "Mars")] {
            let wanted = Wanted {
                state: state.into(),
                zone: zone.into(),
                since: "2026-07-01T10:30".into(),
                ..Wanted::default()
            };
            assert!(wanted.filter().is_err(), "{state} {zone}");
        }
    }
}
