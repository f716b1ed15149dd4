//! The table: on the screen, as JSON, and in the page of guarantees.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::Context;
use serde::Serialize;
use testkit::line;

use crate::{figure::Figure, pace::Pace, rows::Row};

const BEGIN: &str = "<!-- table: begin -->";
const END: &str = "<!-- table: end -->";

/// How a row went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Every figure held.
    Held,
    /// One did not.
    Failed,
    /// The row could not be played to its end.
    Broken,
    /// This machine cannot show it.
    NotShown,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Failed => "**failed**",
            Self::Broken => "**broken off**",
            Self::NotShown => "not shown here",
        }
    }
}

/// A row and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    id: &'static str,
    fault: &'static str,
    must_hold: &'static str,
    verdict: Verdict,
    figures: Vec<Figure>,
    /// Why there are no figures, or what went wrong.
    note: Option<String>,
    pace: &'static str,
    took_s: f64,
    date: String,
}

impl Line {
    /// The line of `row`, which took so long.
    pub(crate) fn of(
        row: &Row,
        pace: Pace,
        took: Duration,
        verdict: Verdict,
        figures: Vec<Figure>,
        note: Option<String>,
    ) -> Self {
        Self {
            id: row.id,
            fault: row.fault,
            must_hold: row.must_hold,
            verdict,
            figures,
            note,
            pace: pace.name(),
            took_s: took.as_secs_f64(),
            date: chrono::Utc::now().format("%Y-%m-%d").to_string(),
        }
    }

    /// Whether nothing is wrong with it.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self.verdict, Verdict::Held | Verdict::NotShown)
    }

    fn seen(&self) -> String {
        let figures: Vec<String> = self.figures.iter().map(ToString::to_string).collect();
        self.note.clone().into_iter().chain(figures).collect::<Vec<_>>().join("; ")
    }

    fn markdown(&self) -> String {
        let took = match self.took_s {
            seconds if seconds < 90.0 => format!("{seconds:.0} s"),
            seconds => format!("{:.0} min", seconds / 60.0),
        };
        let cells = [
            self.id.to_owned(),
            self.fault.to_owned(),
            self.must_hold.to_owned(),
            self.seen(),
            self.verdict.word().to_owned(),
            format!("{}, {took}", self.date),
        ];
        format!("| {} |", cells.map(|cell| cell.replace('|', "/").replace('\n', " ")).join(" | "))
    }
}

/// Shows a row's end, with every figure that did not hold on a line of its own.
pub(crate) fn show(outcome: &Line) {
    line(&format!(
        "  {:<4} {} after {:.0} s: {}",
        outcome.id,
        outcome.verdict.word(),
        outcome.took_s,
        outcome.seen()
    ));
    for figure in outcome.figures.iter().filter(|figure| !figure.holds()) {
        line(&format!("       does not hold: {figure}"));
    }
}

/// Shows the whole table.
pub(crate) fn print(lines: &[Line]) {
    line("");
    line("| row | fault | what must hold | what was seen | verdict | when, how long |");
    line("|---|---|---|---|---|---|");
    for outcome in lines {
        line(&outcome.markdown());
    }
}

/// Writes everything that was seen.
pub(crate) fn write_json(path: &Path, lines: &[Line]) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(lines)?;
    std::fs::write(path, text + "\n").with_context(|| format!("could not write {}", path.display()))
}

/// Writes the lines into the page; rows that did not run keep theirs.
pub(crate) fn write_page(path: &Path, lines: &[Line], order: &[&str]) -> anyhow::Result<()> {
    let page = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    let new = lines.iter().map(|line| (line.id.to_owned(), line.markdown())).collect();
    let page = merged(&page, new, order).with_context(|| format!("{} has no table", path.display()))?;
    std::fs::write(path, page).with_context(|| format!("could not write {}", path.display()))
}

fn merged(page: &str, new: BTreeMap<String, String>, order: &[&str]) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (table, after) = rest.split_once(END)?;
    let mut rows: BTreeMap<String, String> = table
        .lines()
        .filter_map(|line| {
            let id = line.strip_prefix("| ")?.split(' ').next()?;
            id.starts_with('F').then(|| (id.to_owned(), line.to_owned()))
        })
        .collect();
    rows.extend(new);
    let lines: Vec<String> = order.iter().filter_map(|id| rows.remove(*id)).collect();
    let head = "| row | fault | what must hold | what was seen | verdict | when, how long |\n|---|---|---|---|---|---|";
    Some(format!("{before}{BEGIN}\n{head}\n{}\n{END}{after}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_did_not_run_keep_their_line() {
        let page = format!(
            "text\n\n{BEGIN}\n| row |\n|---|\n| F1 | old |\n| F2 | old |\n| F9 | gone |\n{END}\nmore\n"
        );
        let new = BTreeMap::from([("F2".to_owned(), "| F2 | new |".to_owned())]);
        let page = merged(&page, new, &["F1", "F2", "F3"]).unwrap();
        assert!(page.starts_with("text\n") && page.ends_with("\nmore\n"));
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| F")).collect();
        assert_eq!(rows, ["| F1 | old |", "| F2 | new |"]);
        assert!(merged("no table", BTreeMap::new(), &[]).is_none());
    }
}
