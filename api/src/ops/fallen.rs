//! What the whole installation leans on and what is gone of it, each with what works all the same.

use maud::{Markup, html};
use store::observing::Workers;
use tr::tr;

use super::words::{self, rich};
use crate::routes::health;

/// A line for each.
pub(super) fn lines(services: health::Services, workers: &Workers) -> Vec<Markup> {
    let mut lines = Vec::new();
    let nobody = || tr!("No worker is there: what is submitted waits until one begins.");
    if workers.silent > 0 {
        let silent = tr!(
            "{count} worker says nothing any more."
                | "{count} workers say nothing any more." % workers.silent,
            count = words::count(workers.silent)
        );
        let here = || {
            tr!(
                "What they had goes to others; {count} is there."
                    | "What they had goes to others; {count} are there." % workers.here,
                count = words::count(workers.here)
            )
        };
        let rest = if workers.here > 0 { here() } else { nobody() };
        lines.push(format!("{silent} {rest}"));
    } else if workers.here == 0 {
        lines.push(nobody());
    }
    if workers.without_redis > 0 {
        lines.push(tr!(
            "Redis does not answer {count} worker, since {when}: jobs are found in Postgres, a little later."
                | "Redis does not answer {count} workers, since {when}: jobs are found in Postgres, a little later."
                % workers.without_redis,
            count = words::count(workers.without_redis),
            when = workers.redis_lost_at.map(words::when).unwrap_or_default().0
        ));
    }
    if !services.s3 {
        lines.push(tr!("The object store does not answer: files and large payloads are out of reach."));
    }
    if let ([line], 1..) = (lines.as_mut_slice(), workers.here) {
        *line = format!("{line} {}", tr!("Everything else works."));
    }
    lines
        .into_iter()
        .map(|line| html! { strong { (tr!("of a service" => "Dead")) } " " (rich(line)) })
        .collect()
}
