//! The tenants: all of them with what each has of the whole, or those that somebody may look at.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{TimeDelta, Utc};
use maud::html;
use store::{
    observing::{self, TenantShare},
    sessions,
};
use tr::tr;

use super::{charts, guard::Visit, layout::Page, weights, words};
use crate::{AppState, limits::OPS_SHARES_MAX, problem::Problem};

/// Whose first waiting job waits for longer than this is starving.
const STARVING: TimeDelta = TimeDelta::minutes(15);

/// What each tenant has of each queue, and who waits longest.
pub(super) async fn show(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let shares = observing::shares(&app.db, visit.user, STARVING, OPS_SHARES_MAX).await?;
    let now = Utc::now();
    let mut slugs: Vec<&str> = shares.iter().map(|share| share.slug.as_str()).collect();
    slugs.dedup();
    let since = now - TimeDelta::minutes(charts::MINUTES as i64);
    let waited = observing::waited(&app.db, visit.user, &slugs, since).await?;
    let of_share =
        |share: &TenantShare| waited.iter().find(|of| of.slug == share.slug && of.queue == share.queue);
    let took =
        |share: &TenantShare| charts::said(charts::percentiles(of_share(share).iter().map(|of| &of.wait_ms)));
    let held = |share: &TenantShare| of_share(share).map_or(0, |of| of.slot_ms);
    let waits = |share: &TenantShare| share.oldest_at.map(|at| now - at);
    let (starving, all) =
        shares.first().map(|one| (one.starving_in_all, one.shares_in_all)).unwrap_or_default();
    let places = sessions::tenants_of(&app.db, visit.user).await?;
    let weighed = weights::part(&app, &visit, &places).await?;
    let body = html! {
        @if starving == 0 { p.calm { (tr!("✓ Nobody has waited for longer than {span}.", span = words::span(STARVING))) } }
        @else { p.alarm { (tr!(
            "{count} share waits for longer than {span} in a queue."
                | "{count} shares wait for longer than {span} in a queue." % starving,
            count = words::count(starving), span = words::span(STARVING)
        )) } }
        table {
            thead { tr { th { (tr!("Tenant")) } th { (tr!("Queue")) } th.number { (tr!("Jobs/s")) } th.number.wide { (tr!("Weight")) } th { (tr!("First in line since")) } th.wide { (tr!("Wait in the last hour")) } th.number.wide { abbr title=(tr!("For how long its jobs held slots of workers, those beside each other counted each")) { (tr!("Slot time in the last hour")) } } } }
            tbody {
                @for share in &shares {
                    tr.hot[waits(share).is_some_and(|wait| wait > STARVING)] {
                        td { a href={ "/ops/t/" (share.slug) } { (share.name) } }
                        td { (share.queue) }
                        td.number { (words::decimal(share.per_s)) }
                        td.number.wide { (share.weight) }
                        td { @match share.oldest_at { Some(at) => (words::when(at)), None => span.soft { (tr!("nothing waits")) } } }
                        td.wide { (took(share)) }
                        td.number.wide { (words::span(TimeDelta::milliseconds(held(share)))) }
                    }
                }
            }
        }
        @if all > shares.len() as i64 { p.soft { (tr!("Those who wait longest, of {all} in all.", all)) } }
        (weighed)
        h2 { (tr!("Every tenant")) }
        ul.plain { @for place in &places { li { a href={ "/ops/t/" (place.slug) } { (place.name) } " " code { (place.slug) } } } }
    };
    Ok(Page::new(&visit, super::ROOT, &tr!("Tenants"), body).into_response())
}

/// The tenants that somebody may look at; the only one at once.
pub(super) async fn mine(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let places = sessions::tenants_of(&app.db, visit.user).await?;
    if let [only] = places.as_slice() {
        return Ok(Redirect::to(&format!("/ops/t/{}", only.slug)).into_response());
    }
    let body = html! {
        @if places.is_empty() { p { (tr!("You have no role anywhere yet. Whoever runs this installation gives you one.")) } }
        ul.plain { @for place in &places { li { a href={ "/ops/t/" (place.slug) } { (place.name) } " " code { (place.slug) } } } }
    };
    Ok(Page::new(&visit, super::TENANTS_OF_MINE, &tr!("Your tenants"), body).into_response())
}
