//! Figures: what was measured, of whom, and whether it is what it has to be.

use serde::Serialize;
use testkit::number;

use crate::goals::{Bound, Goal, Judged};

/// How a figure stands to what was set for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// The goal is reached.
    Goal,
    /// What has to hold holds.
    Floor,
    /// It does not.
    Missed,
    /// Nothing was set for it.
    Told,
}

impl Verdict {
    /// The word in the table.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Goal => "goal",
            Self::Floor => "floor",
            Self::Missed => "**missed**",
            Self::Told => "",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What was measured, in words.
    #[serde(rename = "figure")]
    pub(crate) what: String,
    /// Beside whom; empty when nobody.
    pub(crate) peer: String,
    /// Our number.
    pub(crate) ours: f64,
    /// Theirs.
    pub(crate) theirs: Option<f64>,
    /// Of what.
    pub(crate) unit: &'static str,
    /// Ours through theirs.
    pub(crate) ratio: Option<f64>,
    /// What was set for it.
    pub(crate) goal: Option<Goal>,
    /// Whether it is reached.
    pub(crate) verdict: Verdict,
}

impl Figure {
    /// A number of ours.
    pub(crate) fn of(what: impl Into<String>, ours: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            peer: String::new(),
            ours,
            theirs: None,
            unit,
            ratio: None,
            goal: None,
            verdict: Verdict::Told,
        }
    }

    /// The same beside a peer's. `ratio` is the middle of the rounds' own ratios, which swing less than the numbers.
    pub(crate) fn beside(mut self, peer: &str, theirs: f64, ratio: f64) -> Self {
        peer.clone_into(&mut self.peer);
        (self.theirs, self.ratio) = (Some(theirs), Some(ratio));
        self
    }

    /// Held against what was set for it.
    pub(crate) fn towards(mut self, goal: Goal) -> Self {
        let seen = match goal.judged {
            Judged::Ours => Some(self.ours),
            Judged::Ratio => self.ratio,
            Judged::Difference => self.theirs.map(|theirs| self.ours - theirs),
        };
        self.goal = Some(goal);
        self.verdict = match seen {
            Some(seen) if goal.aim.holds(seen) => Verdict::Goal,
            Some(seen) if goal.floor.holds(seen) => Verdict::Floor,
            Some(_) => Verdict::Missed,
            None => Verdict::Told,
        };
        self
    }

    /// Names the line among all.
    pub(crate) fn id(&self) -> (String, String) {
        (self.what.clone(), self.peer.clone())
    }

    /// As a row of the table.
    pub(crate) fn markdown(&self) -> String {
        let some = |value: Option<f64>| value.map(number).unwrap_or_default();
        let times = |value: Option<f64>| value.map(|ratio| format!("{ratio:.2}×")).unwrap_or_default();
        let bound = |bound: Option<Bound>| {
            let Some(goal) = self.goal else { return String::new() };
            let (plus, times) = match goal.judged {
                Judged::Ours => ("", ""),
                Judged::Ratio => ("", "×"),
                Judged::Difference => ("+", ""),
            };
            match bound {
                Some(Bound::AtLeast(least)) => format!("≥ {plus}{}{times}", number(least)),
                Some(Bound::AtMost(most)) => format!("≤ {plus}{}{times}", number(most)),
                None => String::new(),
            }
        };
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.what,
            self.peer,
            number(self.ours),
            some(self.theirs),
            self.unit,
            times(self.ratio),
            bound(self.goal.map(|goal| goal.floor)),
            bound(self.goal.map(|goal| goal.aim)),
            self.verdict.word()
        )
    }
}

/// The middle of `values`; 0 of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// The middle of the ratios of rounds that belong together.
pub(crate) fn median_ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    median(&ratios)
}

/// The value below which `share` of `values` lie; 0 of nothing.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).ceil() as usize).copied().unwrap_or_default()
}

/// How many, as the table says it.
pub(crate) fn count_in_words(count: u64) -> String {
    match count {
        count if count >= 1_000_000 && count % 100_000 == 0 => format!("{} M", count as f64 / 1e6),
        count => number(count as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals;

    #[test]
    fn a_figure_is_held_against_its_bounds() {
        let beside = |ratio| Figure::of("jobs", 10.0, "jobs/s").beside("x", 5.0, ratio);
        assert_eq!(beside(1.1).towards(goals::THROUGHPUT_GRAPHILE).verdict, Verdict::Missed);
        assert_eq!(beside(1.3).towards(goals::THROUGHPUT_GRAPHILE).verdict, Verdict::Floor);
        assert_eq!(beside(1.6).towards(goals::THROUGHPUT_GRAPHILE).verdict, Verdict::Goal);
        let alone = Figure::of("p50", 3.0, "ms");
        assert_eq!(alone.clone().towards(goals::LATENCY_P50_MS).verdict, Verdict::Floor);
        assert_eq!(alone.towards(goals::THROUGHPUT_GRAPHILE).verdict, Verdict::Told);
    }

    #[test]
    fn a_difference_is_held_against_what_has_to_be_more() {
        let points =
            |ours| Figure::of("points", ours, "").beside("sharp", 70.0, 1.0).towards(goals::QUALITY_POINTS);
        assert_eq!(points(69.9).verdict, Verdict::Missed);
        assert_eq!(points(70.5).verdict, Verdict::Floor);
        assert_eq!(points(71.0).verdict, Verdict::Goal);
        assert!(points(71.0).markdown().ends_with("| ≥ +0 | ≥ +1 | goal |"));
    }

    #[test]
    fn the_middle_is_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!((median_ratio(&[2.0, 9.0, 4.0], &[1.0, 1.0, 1.0]) - 4.0).abs() < f64::EPSILON);
        assert!((percentile(&[1.0, 3.0, 2.0], 1.0) - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_row_reads_well() {
        let row = Figure::of("jobs", 61_234.0, "jobs/s").beside("BullMQ", 8_000.0, 7.654).markdown();
        assert_eq!(row, "| jobs | BullMQ | 61,234 | 8,000 | jobs/s | 7.65× |  |  |  |");
    }
}
