//! What the whole installation leans on and what is gone of it, each with what works all the same.

use maud::{Markup, html};
use store::observing::Workers;

use super::words;
use crate::routes::health;

/// A line for each.
pub(super) fn lines(services: health::Services, workers: &Workers) -> Vec<Markup> {
    let mut lines = Vec::new();
    if workers.silent > 0 {
        lines.push(html! {
            strong { "Dead" } " " (words::many(workers.silent, "worker says", "workers say"))
            " nothing any more. What they had goes to others; " (words::many(workers.here, "is", "are")) " there."
        });
    }
    if workers.without_redis > 0 {
        lines.push(html! {
            strong { "Dead" } " Redis does not answer " (words::many(workers.without_redis, "worker", "workers")) ", "
            @if let Some(at) = workers.redis_lost_at { "since " (words::when(at)) ": " }
            "jobs are found in Postgres, a little later. Everything else works."
        });
    }
    if !services.s3 {
        lines.push(html! {
            strong { "Dead" } " The object store does not answer: files and large payloads are out of reach. Everything else works."
        });
    }
    lines
}
