//! What the whole installation leans on and what is gone of it, each with what works all the same.

use maud::{Markup, html};
use store::observing::Workers;
use tr::tr;

use super::words::{self, rich};
use crate::routes::health;

/// A line for each.
pub(super) fn lines(services: health::Services, workers: &Workers) -> Vec<Markup> {
    let mut lines = Vec::new();
    if workers.silent > 0 {
        lines.push(html! { (dead()) " " (silence(workers)) });
    }
    if workers.without_redis > 0 {
        lines.push(html! { (dead()) " " (without_redis(workers)) });
    }
    if !services.s3 {
        let says = tr!(
            "The object store does not answer: files and large payloads are out of reach. Everything else works."
        );
        lines.push(html! { (dead()) " " (says) });
    }
    lines
}

fn dead() -> Markup {
    html! { strong { (tr!("fallen" => "Dead")) } }
}

fn silence(workers: &Workers) -> String {
    let (silent, here) = (workers.silent, workers.here);
    let here = tr!("{count} is there" | "{count} are there" % here, count = words::count(here));
    tr!(
        "{count} worker says nothing any more. What they had goes to others; {here}."
            | "{count} workers say nothing any more. What they had goes to others; {here}." % silent,
        count = words::count(silent),
        here
    )
}

fn without_redis(workers: &Workers) -> Markup {
    let (number, count) = (workers.without_redis, words::count(workers.without_redis));
    match workers.redis_lost_at {
        Some(at) => rich(tr!(
            "Redis does not answer {count} worker, since {when}: jobs are found in Postgres, a little later. Everything else works."
                | "Redis does not answer {count} workers, since {when}: jobs are found in Postgres, a little later. Everything else works."
                    % number,
            count,
            when = words::when(at).0
        )),
        None => rich(tr!(
            "Redis does not answer {count} worker, jobs are found in Postgres, a little later. Everything else works."
                | "Redis does not answer {count} workers, jobs are found in Postgres, a little later. Everything else works."
                    % number,
            count
        )),
    }
}
