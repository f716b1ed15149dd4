//! What a tenant may still have: its limits, and requests.

use std::time::Instant;

use jobs::TenantId;
use maud::{Markup, html};
use store::quotas::Quota;
use tr::tr;

use super::words::{self, rich};
use crate::AppState;

/// The limits with what is left of each.
pub(super) fn table(quotas: &[Quota]) -> Markup {
    html! {
        table {
            thead { tr { th { (tr!("Limit")) } th { (tr!("Counts")) } th { (tr!("At once")) } th { (tr!("In a time")) } } }
            tbody { @for quota in quotas { tr {
                td {
                    code { (quota.name) }
                    @if quota.is_used_up() { " " span.state.refused { (tr!("✕ used up")) } }
                    @if quota.whole_installation { div.soft { (tr!("of every tenant together")) } }
                }
                td {
                    @match &quota.queue { Some(queue) => (queue), None => (tr!("every queue")) } " " (quota.kind.as_deref().unwrap_or_default())
                    @if let Some(pattern) = &quota.pattern { " " code { (quota.key.as_deref().unwrap_or(pattern)) } }
                }
                td { (at_once(quota)) }
                td { (in_a_time(quota)) }
            } } }
        }
    }
}

fn at_once(quota: &Quota) -> Markup {
    html! {
        @match quota.concurrency {
            Some(most) => {
                (words::count(most.into()))
                @if let Some((running, left)) = quota.running.zip(quota.places_left()) { div.soft { (tr!("{running} in use, {left} left", running, left)) } }
            },
            None => "–",
        }
    }
}

fn pace(quota: &Quota, count: &str, period_s: f32) -> String {
    if quota.is_window() {
        tr!("{count} in {period_s} s of the clock", count, period_s)
    } else {
        tr!("{count} in {period_s} s", count, period_s)
    }
}

fn left_of(quota: &Quota, left: i64) -> String {
    let count = words::count(left);
    match quota.next_at.filter(|_| left == 0) {
        Some(at) => tr!("{count} left, one more {when}", count, when = words::when(at).0),
        None => tr!("{count} left", count),
    }
}

fn in_a_time(quota: &Quota) -> Markup {
    html! {
        @match quota.rate_count.zip(quota.rate_period_s) {
            Some((count, period_s)) => {
                (pace(quota, &words::count(count.into()), period_s))
                @if let Some(left) = quota.tokens_left() {
                    div.soft { (rich(left_of(quota, left))) }
                }
            },
            None => "–",
        }
    }
}

/// How many requests the tenant may make.
pub(super) fn requests(app: &AppState, tenant: TenantId) -> Markup {
    let rate = app.rates.look(&tenant, Instant::now());
    let (left, all) = (words::count(rate.left as i64), words::count(app.rates.requests_max() as i64));
    html! {
        p.soft { @if rate.full_in_s > 0 {
            (tr!("Requests to this api process: {left} left of {all}, all of them again in {seconds} s.", left, all, seconds = rate.full_in_s))
        } @else {
            (tr!("Requests to this api process: {left} left of {all}.", left, all))
        } }
    }
}
