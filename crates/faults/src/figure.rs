//! Figures: what was seen, what must hold, and whether it does.

use std::{fmt, time::Duration};

use serde::Serialize;
use testkit::number;

/// What a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Must {
    /// Exactly this.
    Be(f64),
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
    /// Anything: it tells how hard the row tried.
    Tell,
}

impl Must {
    fn holds(self, seen: f64) -> bool {
        match self {
            Self::Be(wanted) => (seen - wanted).abs() < f64::EPSILON,
            Self::AtMost(most) => seen <= most,
            Self::AtLeast(least) => seen >= least,
            Self::Tell => true,
        }
    }
}

/// One thing that was measured or counted.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What it is, in words.
    pub(crate) what: String,
    /// How much.
    pub(crate) seen: f64,
    /// Of what: ` s`, ` ms`, or nothing for a count.
    pub(crate) unit: &'static str,
    /// What it has to be.
    pub(crate) must: Must,
}

impl Figure {
    fn new(what: impl Into<String>, seen: f64, unit: &'static str, must: Must) -> Self {
        Self { what: what.into(), seen, unit, must }
    }

    /// A count that only tells how hard the row tried.
    pub(crate) fn tell(what: impl Into<String>, seen: usize) -> Self {
        Self::new(what, seen as f64, "", Must::Tell)
    }

    /// A time that is only told.
    pub(crate) fn tell_time(what: impl Into<String>, seen: Duration) -> Self {
        let (number, unit) = spelled(seen, seen);
        Self::new(what, number, unit, Must::Tell)
    }

    /// A count that has to be exactly `wanted`.
    pub(crate) fn be(what: impl Into<String>, seen: usize, wanted: usize) -> Self {
        Self::new(what, seen as f64, "", Must::Be(wanted as f64))
    }

    /// A count of what must not happen.
    pub(crate) fn none(what: impl Into<String>, seen: usize) -> Self {
        Self::be(what, seen, 0)
    }

    /// A count that has to reach something, so that the row tried what it says.
    pub(crate) fn at_least(what: impl Into<String>, seen: usize, least: usize) -> Self {
        Self::new(what, seen as f64, "", Must::AtLeast(least as f64))
    }

    /// A number with a bound.
    pub(crate) fn at_most(what: impl Into<String>, seen: f64, unit: &'static str, most: f64) -> Self {
        Self::new(what, seen, unit, Must::AtMost(most))
    }

    /// A share of a hundred that has to be reached.
    pub(crate) fn percent_at_least(what: impl Into<String>, seen: f64, least: f64) -> Self {
        Self::new(what, seen, " %", Must::AtLeast(least))
    }

    /// A time with a bound.
    pub(crate) fn within(what: impl Into<String>, seen: Duration, most: Duration) -> Self {
        let (number, unit) = spelled(seen, most);
        let (bound, _) = spelled(most, most);
        Self::new(what, number, unit, Must::AtMost(bound))
    }

    /// The same figure, of one part of a row.
    pub(crate) fn of(mut self, part: &str) -> Self {
        self.what = format!("{part}: {}", self.what);
        self
    }

    /// Whether it is what it has to be.
    pub(crate) fn holds(&self) -> bool {
        self.must.holds(self.seen)
    }
}

/// In seconds or milliseconds, whichever fits `scale`.
fn spelled(time: Duration, scale: Duration) -> (f64, &'static str) {
    if scale >= Duration::from_secs(2) {
        (time.as_secs_f64(), " s")
    } else {
        (time.as_secs_f64() * 1e3, " ms")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.what, number(self.seen), self.unit)?;
        match self.must {
            Must::Tell => Ok(()),
            Must::Be(wanted) if self.holds() && wanted == 0.0 => Ok(()),
            Must::Be(wanted) => write!(f, " (= {})", number(wanted)),
            Must::AtMost(most) => write!(f, " (≤ {})", number(most)),
            Must::AtLeast(least) => write!(f, " (≥ {})", number(least)),
        }
    }
}

/// The value below which `share` of `values` lie; nothing of nothing.
pub(crate) fn percentile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).ceil() as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_what_it_has_to_be() {
        assert_eq!(Figure::none("lost", 0).to_string(), "lost 0");
        assert_eq!(Figure::none("lost", 2).to_string(), "lost 2 (= 0)");
        let late = Figure::within("rerun", Duration::from_secs(25), Duration::from_secs(21));
        assert_eq!((late.to_string().as_str(), late.holds()), ("rerun 25 s (≤ 21)", false));
        let quick = Figure::within("pick-up", Duration::from_micros(3_250), Duration::from_millis(20));
        assert_eq!((quick.to_string().as_str(), quick.holds()), ("pick-up 3.25 ms (≤ 20)", true));
        assert!(!Figure::at_least("kills", 3, 4).holds());
    }

    #[test]
    fn the_slowest_is_the_hundredth_percentile() {
        let mut times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut times, 1.0), Duration::from_millis(100));
        assert_eq!(percentile(&mut times, 0.5), Duration::from_millis(51));
        assert_eq!(percentile(&mut [], 0.99), Duration::ZERO);
    }
}
