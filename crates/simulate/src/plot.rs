//! The plot: how old the oldest waiting photograph is over the day, a line for each number of cores.
//!
//! Written by hand, because a plot on a page has to be readable on light and on dark paper, and only a style sheet
//! inside the picture knows which it is.

use std::{fmt::Write, path::Path};

use anyhow::Context;

use crate::{day::Backfill, page::spelled, study::Simulated};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 760.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 370.0;
/// Ages from here on are told apart, in seconds.
const LEAST_S: f64 = 1.0;
/// And up to here.
const MOST_S: f64 = 100_000.0;
/// Ages with a line and a name, and whether this is the one to stay below.
const MARKS_S: [(f64, bool); 7] = [
    (1.0, false),
    (10.0, false),
    (60.0, true),
    (600.0, false),
    (3_600.0, false),
    (21_600.0, false),
    (86_400.0, false),
];
/// Minutes that are drawn as one point: the worst of them.
const POINT_MINUTES: usize = 5;
/// From few cores to many. Told apart by people who do not tell red from green, on white and on black.
const COLOURS: [&str; 6] = ["#d55e00", "#cc79a7", "#e69f00", "#009e73", "#0072b2", "#56b4e9"];

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 } \
.grid { stroke: #d0d7de; stroke-width: 1 } .limit { stroke: #59636e; stroke-width: 1; stroke-dasharray: 5 4 } \
.line { fill: none; stroke-width: 2; stroke-linejoin: round } \
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .grid { stroke: #30363d } .limit { stroke: #9198a1 } }";

/// Draws `days` into a file.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, days: &[&Simulated]) -> anyhow::Result<()> {
    std::fs::write(path, drawn(days)).with_context(|| format!("could not write {}", path.display()))
}

fn drawn(days: &[&Simulated]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Age of the oldest waiting photograph or film over a day\">\n<style>{STYLE}</style>\n"
    );
    text(
        &mut svg,
        LEFT,
        22.0,
        "start",
        "Age of the oldest photograph or film that waits, by cores for media",
    );
    axes(&mut svg);
    let in_bulk = days.iter().filter(|day| day.outcome.setup.backfill == Backfill::Bulk);
    let mut labels = Vec::new();
    for (day, colour) in in_bulk.zip(COLOURS.iter().cycle()) {
        let points = points(&day.outcome.media.age_s);
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        // Writing into a string cannot fail.
        let _ = writeln!(svg, "<polyline class=\"line\" stroke=\"{colour}\" points=\"{}\"/>", path.join(" "));
        let last_y = points.iter().map(|(_, y)| *y).fold(BOTTOM, f64::min);
        labels.push((last_y, *colour, format!("{} cores", day.outcome.media.slots)));
    }
    legend(&mut svg, labels);
    svg.push_str("</svg>\n");
    svg
}

fn axes(svg: &mut String) {
    for (seconds, is_limit) in MARKS_S {
        let y = height(seconds);
        let class = if is_limit { "limit" } else { "grid" };
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
        );
        text(svg, LEFT - 8.0, y + 4.0, "end", &spelled(seconds).replace(".0", ""));
    }
    for hour in (0..=24).step_by(3) {
        let x = across(f64::from(hour) * 60.0);
        text(svg, x, BOTTOM + 22.0, "middle", &format!("{hour:02}:00"));
    }
}

/// Names of lines at the right, those with the older jobs above.
fn legend(svg: &mut String, mut labels: Vec<(f64, &str, String)>) {
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (nth, (_, colour, label)) in labels.iter().enumerate() {
        let y = TOP + 12.0 + nth as f64 * 20.0;
        let x = RIGHT + 12.0;
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"3\"/>",
            x + 16.0
        );
        text(svg, x + 22.0, y + 4.0, "start", label);
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

/// The worst of every few minutes of the day itself.
fn points(age_s: &[u32]) -> Vec<(f64, f64)> {
    let minutes = 24 * 60;
    let day = &age_s[..age_s.len().min(minutes)];
    let worst = day.chunks(POINT_MINUTES).map(|ages| ages.iter().max().copied().unwrap_or_default());
    worst
        .enumerate()
        .map(|(nth, age_s)| (across((nth * POINT_MINUTES) as f64), height(f64::from(age_s))))
        .collect()
}

fn across(minute: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * minute / (24.0 * 60.0)
}

/// Each ten times as old is equally much higher; nothing waiting lies on the floor.
fn height(age_s: f64) -> f64 {
    let share = (age_s.clamp(LEAST_S, MOST_S) / LEAST_S).log10() / (MOST_S / LEAST_S).log10();
    BOTTOM - (BOTTOM - TOP) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_is_higher_and_later_is_further_right() {
        assert!(height(60.0) < height(1.0) && height(0.0) <= BOTTOM);
        let ages: Vec<u32> = (0..30).collect();
        let points = points(&ages);
        assert_eq!(points.len(), 6);
        assert!(points.is_sorted_by(|one, other| one.0 < other.0 && one.1 >= other.1));
    }

    #[test]
    fn nothing_simulated_is_a_picture_all_the_same() {
        let svg = drawn(&[]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.contains("60 s"));
    }
}
