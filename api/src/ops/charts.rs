//! Small pictures of the last hour, and what histograms say.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use store::observing::{HISTOGRAM_STEPS_MS, Minute};
use tr::tr;

use super::words::span;

/// Minutes that a picture shows.
pub(super) const MINUTES: usize = 60;
const WIDTH: usize = 120;
const HEIGHT: f64 = 24.0;

/// How many in each of the last [`MINUTES`], oldest first.
pub(super) fn per_minute(minutes: &[&Minute], now: DateTime<Utc>, of: impl Fn(&Minute) -> i32) -> Vec<i64> {
    let mut counts = vec![0_i64; MINUTES];
    for minute in minutes {
        let ago = usize::try_from((now - minute.minute).num_minutes()).unwrap_or(MINUTES);
        if let Some(count) = MINUTES.checked_sub(ago + 1).and_then(|place| counts.get_mut(place)) {
            *count += i64::from(of(minute));
        }
    }
    counts
}

/// A line through `counts`. What it shows is said in words, for those who do not see it.
pub(super) fn sparkline(counts: &[i64], what: &str) -> Markup {
    let most = counts.iter().copied().max().unwrap_or(0);
    let step = WIDTH as f64 / counts.len().saturating_sub(1).max(1) as f64;
    let place = |(at, count): (usize, &i64)| {
        let height = HEIGHT - 1.0 - (HEIGHT - 2.0) * *count as f64 / most.max(1) as f64;
        format!("{:.1},{height:.1}", at as f64 * step)
    };
    let points: Vec<String> = counts.iter().enumerate().map(place).collect();
    let latest = counts.last().copied().unwrap_or(0);
    let said = tr!(
        "{what} per minute over the last hour: {latest} in the latest, {most} at most",
        what,
        latest,
        most
    );
    html! {
        svg.spark role="img" aria-label=(said) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
            polyline points=(points.join(" ")) {}
        }
    }
}

/// The middle, the 95th and the 99th of a hundred, as far as a histogram tells.
pub(super) fn percentiles<'a, N: Copy + Into<i64> + 'a>(
    histograms: impl Iterator<Item = &'a Vec<N>>,
) -> Option<[TimeDelta; 3]> {
    let mut sums = [0_i64; HISTOGRAM_STEPS_MS.len() + 1];
    for histogram in histograms {
        for (sum, count) in sums.iter_mut().zip(histogram) {
            *sum += (*count).into();
        }
    }
    let all: i64 = sums.iter().sum();
    (all > 0).then(|| [50, 95, 99].map(|percent| quantile(&sums, (all * percent + 99) / 100)))
}

/// Where the `nth` lies, as if those of a place were spread evenly over it.
fn quantile(sums: &[i64], nth: i64) -> TimeDelta {
    let mut before = 0;
    for (place, count) in sums.iter().enumerate() {
        if before + count >= nth && *count > 0 {
            let longest = HISTOGRAM_STEPS_MS.last().copied().unwrap_or(0);
            let begin = place.checked_sub(1).map_or(0, |before| HISTOGRAM_STEPS_MS[before]);
            let end = HISTOGRAM_STEPS_MS.get(place).copied().unwrap_or(longest);
            let within = (nth - before) as f64 / *count as f64;
            return TimeDelta::milliseconds(i64::from(begin) + (f64::from(end - begin) * within) as i64);
        }
        before += count;
    }
    TimeDelta::zero()
}

/// `12 ms · 80 ms · 1 s`, or a dash.
pub(super) fn said(percentiles: Option<[TimeDelta; 3]>) -> Markup {
    html! {
        @match percentiles {
            Some(spans) => {
                @for (name, length) in ["p50", "p95", "p99"].into_iter().zip(spans) {
                    span.pct { abbr title=(name) { (name) } " " (span(length)) } " "
                }
            }
            None => span.soft { "–" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{percentiles, sparkline};

    #[test]
    fn percentiles_lie_in_their_places() {
        let mut histogram = vec![0_i64; 16];
        (histogram[0], histogram[6]) = (90, 10);
        let [p50, p95, p99] = percentiles([&histogram].into_iter()).unwrap();
        assert!((4..=6).contains(&p50.num_milliseconds()), "{p50}");
        assert!((500..1_000).contains(&p95.num_milliseconds()) && p99 > p95, "{p95} {p99}");
        assert!(percentiles([&vec![0_i32; 16]].into_iter()).is_none());
    }

    #[test]
    fn a_line_says_what_it_shows() {
        let drawn = sparkline(&[0, 5, 10], "completed").0;
        assert!(drawn.contains("0.0,23.0 60.0,12.0 120.0,1.0"), "{drawn}");
        assert!(drawn.contains("10 in the latest, 10 at most"), "{drawn}");
    }
}
