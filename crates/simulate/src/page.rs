//! The tables, and the page they stand in.

use std::{fmt::Write, path::Path};

use anyhow::Context;

use crate::{
    day::{Backfill, Setup},
    demand::{self, Parcel},
    outcome::{Outcome, QueueOutcome, Spread},
    study::Simulated,
};

/// One day in a few words.
pub fn title(setup: &Setup) -> String {
    let archive = match setup.backfill {
        Backfill::None => "no archive",
        Backfill::Bulk => "the archive in media_bulk",
        Backfill::Media => "the archive in media",
    };
    format!("{}×, {} cores, {archive}", setup.scale, setup.cores)
}

/// What a day came to, in one line.
pub fn in_a_line(day: &Simulated) -> String {
    let Simulated { outcome, wall_s } = day;
    format!(
        "{} jobs in {}: photographs waited {} at most, cores were used to {}, {} jobs left",
        grouped(outcome.jobs),
        spelled(*wall_s),
        spelled(outcome.photos.max_s),
        percent(outcome.media.used),
        grouped(outcome.left),
    )
}

/// The file of the plot of a scale.
pub fn plot_name(scale: f64) -> String {
    format!("scaling-{scale}.svg")
}

/// The tables of one scale.
pub fn tables(days: &[&Simulated]) -> String {
    let in_bulk: Vec<&Simulated> =
        days.iter().copied().filter(|day| day.outcome.setup.backfill == Backfill::Bulk).collect();
    let Some(first) = in_bulk.first() else { return String::new() };
    let setup = &first.outcome.setup;
    let parts = [
        opening(setup, days),
        format!(
            "![Age of the oldest photograph or film that waits, over the day, by the number of cores]({})",
            plot_name(setup.scale)
        ),
        media(&in_bulk),
        tenants(&in_bulk),
        others(&in_bulk),
        archive(days),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn opening(setup: &Setup, days: &[&Simulated]) -> String {
    let (mut shoots, mut photos, mut films) = (0, 0, 0);
    for arrival in demand::arrivals(setup) {
        match arrival.parcel {
            Parcel::Booked => shoots += 1,
            Parcel::Photos { count, .. } => photos += u64::from(count),
            Parcel::Film => films += 1,
            Parcel::Digests(_) | Parcel::Rerenders(_) => {}
        }
    }
    let jobs = days.iter().map(|day| day.outcome.jobs).max().unwrap_or_default();
    let wall = |pick: fn(f64, f64) -> f64| days.iter().map(|day| day.wall_s).reduce(pick).unwrap_or_default();
    format!(
        "{} shoots, {} photographs, {} films, {} jobs in all. A simulated day took {} to {} of real time (seed {}).",
        grouped(shoots),
        grouped(photos),
        grouped(films),
        grouped(jobs),
        spelled(wall(f64::min)),
        spelled(wall(f64::max)),
        setup.seed,
    )
}

fn minutes(setup: &Setup) -> usize {
    ((setup.to_h - setup.from_h) * 60) as usize
}

fn ages(outcome: &Outcome, queue: &QueueOutcome) -> String {
    let Spread { p50_s, p95_s, p99_s, max_s, .. } = queue.ages(minutes(&outcome.setup));
    [p50_s, p95_s, p99_s, max_s].map(spelled).join(" | ")
}

fn media(days: &[&Simulated]) -> String {
    table(
        "| cores for `media` | used, in the mean | used, busiest hour | oldest job: p50 | p95 | p99 | longest | hours over 60 s | left at 6 h |",
        days.iter().map(|day| {
            let outcome = &day.outcome;
            format!(
                "| {} | {} | {} | {} | {:.1} | {} |",
                outcome.media.slots,
                percent(outcome.media.used),
                percent(outcome.media.used_most),
                ages(outcome, &outcome.media),
                outcome.media.hours_over(60),
                grouped(outcome.left),
            )
        }),
    )
}

fn tenants(days: &[&Simulated]) -> String {
    table(
        "| cores for `media` | photographs of the largest tenant wait: p50 | p95 | longest | of the smaller half of tenants: p50 | p95 | longest |",
        days.iter().map(|day| {
            let waits = |spread: &Spread| [spread.p50_s, spread.p95_s, spread.max_s].map(spelled).join(" | ");
            let Outcome { media, largest, smaller_half, .. } = &day.outcome;
            format!("| {} | {} | {} |", media.slots, waits(largest), waits(smaller_half))
        }),
    )
}

/// The other queues hardly depend on the cores for photographs; shown where those are enough.
fn others(days: &[&Simulated]) -> String {
    let Some(day) = days.last() else { return String::new() };
    let outcome = &day.outcome;
    let row = |name: &str, queue: &QueueOutcome| {
        format!(
            "| `{name}` | {} | {} | {} | {} | {:.1} |",
            queue.slots,
            percent(queue.used),
            percent(queue.used_most),
            ages(outcome, queue),
            queue.hours_over(60),
        )
    };
    let mut text = table(
        "| queue | slots | used, in the mean | used, busiest hour | oldest job: p50 | p95 | p99 | longest | hours over 60 s |",
        [row("default", &outcome.default), row("media_bulk", &outcome.bulk)].into_iter(),
    );
    let Outcome { notices, digests, packages, .. } = outcome;
    // Writing into a string cannot fail.
    let _ = write!(
        text,
        "\n\nNotices waited {} at p99 and {} at most, while the mails of the morning (low priority, all at seven) \
         waited up to {}. Packages waited {} at p99 and {} at most.",
        spelled(notices.p99_s),
        spelled(notices.max_s),
        spelled(digests.max_s),
        spelled(packages.p99_s),
        spelled(packages.max_s),
    );
    text
}

/// The archive rendered again, in every way that was tried with the same cores.
fn archive(days: &[&Simulated]) -> String {
    let Some(other) = days.iter().find(|day| day.outcome.setup.backfill != Backfill::Bulk) else {
        return String::new();
    };
    let cores = other.outcome.setup.cores;
    let mut same: Vec<&&Simulated> = days.iter().filter(|day| day.outcome.setup.cores == cores).collect();
    same.sort_by_key(|day| match day.outcome.setup.backfill {
        Backfill::None => 0,
        Backfill::Bulk => 1,
        Backfill::Media => 2,
    });
    let pictures = (demand::RERENDERS * other.outcome.setup.scale).round() as u64;
    let head = format!(
        "| {} pictures made again from noon on ({cores} cores for `media`) | new photographs wait: p50 | p95 | p99 | longest | packages: p99 | the archive is done |",
        grouped(pictures)
    );
    table(
        &head,
        same.into_iter().map(|day| {
            let Outcome { setup, photos, packages, rerendered_h, .. } = &day.outcome;
            let how = match setup.backfill {
                Backfill::None => "not at all".to_owned(),
                Backfill::Bulk => format!("in `media_bulk`, {} cores of its own", setup.bulk_cores),
                Backfill::Media => "in `media`, at low priority".to_owned(),
            };
            let waits = [photos.p50_s, photos.p95_s, photos.p99_s, photos.max_s].map(spelled).join(" | ");
            let done = rerendered_h.map_or_else(|| "–".to_owned(), clock);
            format!("| {how} | {waits} | {} | {done} |", spelled(packages.p99_s))
        }),
    )
}

fn table(head: &str, rows: impl Iterator<Item = String>) -> String {
    let columns = head.matches('|').count() - 1;
    let rule = format!("|{}", "---|".repeat(columns));
    [head.to_owned(), rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

/// Writes the tables of a scale into the page, between the markers of that scale.
///
/// # Errors
/// When the page cannot be read or written, or has no such markers.
pub fn write(path: &Path, scale: f64, tables: &str) -> anyhow::Result<()> {
    let page = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    let page = replaced(&page, scale, tables)
        .with_context(|| format!("{} has no place for scale {scale}", path.display()))?;
    std::fs::write(path, page).with_context(|| format!("could not write {}", path.display()))
}

fn replaced(page: &str, scale: f64, tables: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- simulated {scale}: begin -->"), "<!-- simulated: end -->");
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{tables}\n{end}{after}"))
}

/// A time as people say it.
pub fn spelled(seconds: f64) -> String {
    match seconds {
        s if s < 0.05 => "0".to_owned(),
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

fn clock(hours: f64) -> String {
    let minutes = (hours * 60.0).round() as u64;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_go_between_the_markers_of_their_scale() {
        let page = "a\n<!-- simulated 1: begin -->\nold\n<!-- simulated: end -->\nb\n\
                    <!-- simulated 10: begin -->\nold\n<!-- simulated: end -->\nc\n";
        let page = replaced(page, 10.0, "new").unwrap();
        assert!(page.contains("1: begin -->\nold\n<!--") && page.contains("10: begin -->\nnew\n<!--"));
        assert!(page.ends_with("end -->\nc\n") && replaced(&page, 2.0, "new").is_none());
    }

    #[test]
    fn times_and_numbers_read_well() {
        let times = [0.01, 3.21, 59.9, 119.0, 600.0, 7_200.0].map(spelled);
        assert_eq!(times, ["0", "3.2 s", "60 s", "119 s", "10 min", "2.0 h"]);
        assert_eq!((grouped(1_500_000), clock(20.5)), ("1,500,000".to_owned(), "20:30".to_owned()));
        assert_eq!(table("| a | b |", std::iter::empty()), "| a | b |\n|---|---|");
    }
}
