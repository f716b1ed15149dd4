//! What a tenant may still have: its limits, and requests.

use std::time::Instant;

use jobs::TenantId;
use maud::{Markup, html};
use store::quotas::Quota;

use super::words;
use crate::AppState;

/// The limits with what is left of each.
pub(super) fn table(quotas: &[Quota]) -> Markup {
    html! {
        table {
            thead { tr { th { "Limit" } th { "Counts" } th { "At once" } th { "In a time" } } }
            tbody { @for quota in quotas { tr {
                td {
                    code { (quota.name) }
                    @if quota.is_used_up() { " " span.state.refused { "✕ used up" } }
                    @if quota.whole_installation { div.soft { "of every tenant together" } }
                }
                td {
                    (quota.queue.as_deref().unwrap_or("every queue")) " " (quota.kind.as_deref().unwrap_or_default())
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
                @if let Some((running, left)) = quota.running.zip(quota.places_left()) { div.soft { (running) " in use, " (left) " left" } }
            },
            None => "–",
        }
    }
}

fn in_a_time(quota: &Quota) -> Markup {
    html! {
        @match quota.rate_count.zip(quota.rate_period_s) {
            Some((count, period_s)) => {
                (words::count(count.into())) " in " (period_s) " s" @if quota.is_window() { " of the clock" }
                @if let Some(left) = quota.tokens_left() {
                    div.soft { (words::count(left)) " left" @if let Some(at) = quota.next_at.filter(|_| left == 0) { ", one more " (words::when(at)) } }
                }
            },
            None => "–",
        }
    }
}

/// How many requests the tenant may make.
pub(super) fn requests(app: &AppState, tenant: TenantId) -> Markup {
    let rate = app.rates.look(&tenant, Instant::now());
    html! {
        p.soft {
            "Requests to this api process: " (words::count(rate.left as i64)) " left of " (words::count(app.rates.requests_max() as i64))
            @if rate.full_in_s > 0 { ", all of them again in " (rate.full_in_s) " s" } "."
        }
    }
}
