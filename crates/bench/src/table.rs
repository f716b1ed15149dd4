//! The table: shown, written as JSON, written into a page.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use testkit::line;

use crate::figure::Figure;

/// A place of the page: the table stands between its beginning and the next end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    begin: &'static str,
}

/// When figures were measured.
#[derive(Debug, Clone)]
pub(crate) struct When {
    /// In words, with the machine and the rounds.
    pub(crate) told: String,
    /// The day.
    pub(crate) day: String,
    /// Whether everything was measured: then what is not among the figures is no more.
    pub(crate) is_whole: bool,
}

/// Where the figures of the queue stand.
pub(crate) const QUEUE: Section =
    Section { begin: "<!-- figures of the queue: written by ./dev bench queue --write -->" };
/// Where the figures of media stand.
pub(crate) const MEDIA: Section =
    Section { begin: "<!-- figures of media: written by ./dev bench media --write -->" };
/// Where the figures of the dashboard stand.
pub(crate) const DASHBOARD: Section =
    Section { begin: "<!-- figures of the dashboard: written by ./dev bench dashboard --write -->" };

const END: &str = "<!-- end of the figures -->";
const HEAD: &str = "| figure | peer | ours | theirs | unit | ratio | floor | goal | verdict | measured |\n\
                    |---|---|---:|---:|---|---:|---:|---:|---|---|";
/// Cells of a row whose day is told.
const CELLS: usize = 10;

/// Shows the whole table.
pub(crate) fn print(figures: &[Figure]) {
    line("");
    line(HEAD);
    for figure in figures {
        line(&figure.markdown());
    }
}

/// Writes every figure.
pub(crate) fn write_json(path: &Path, figures: &[Figure]) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(figures)?;
    std::fs::write(path, text + "\n").with_context(|| format!("could not write {}", path.display()))
}

impl Section {
    /// Writes the figures into the page, with `when` above them and its day beside each. Where not everything was measured, the
    /// other figures keep their line, and their day.
    pub(crate) fn write(self, path: &Path, figures: &[Figure], when: &When) -> anyhow::Result<()> {
        let page =
            std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
        let page = self
            .merged(&page, figures, when)
            .with_context(|| format!("{} has no place for it", path.display()))?;
        std::fs::write(path, page).with_context(|| format!("could not write {}", path.display()))
    }

    fn merged(self, page: &str, figures: &[Figure], when: &When) -> Option<String> {
        let begin = self.begin;
        let (before, rest) = page.split_once(begin)?;
        let (table, after) = rest.split_once(END)?;
        let row = |figure: &Figure| (figure.id(), format!("{} {} |", figure.markdown(), when.day));
        let mut new: BTreeMap<_, _> = figures.iter().map(row).collect();
        let mut rows: Vec<String> = Vec::new();
        for row in table.lines().filter(|row| row.starts_with("| ") && !row.starts_with("| figure |")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let id = (cells.get(1)?.to_string(), cells.get(2)?.to_string());
            let is_dated = cells.len() == CELLS + 2;
            let kept = || Some(row.to_owned()).filter(|_| is_dated && !when.is_whole);
            rows.extend(new.remove(&id).or_else(kept));
        }
        // In the order in which they were measured.
        rows.extend(figures.iter().filter_map(|figure| new.remove(&figure.id())));
        let told = &when.told;
        Some(format!("{before}{begin}\n{told}\n\n{HEAD}\n{}\n{END}{after}", rows.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(is_whole: bool) -> When {
        When { told: "today".into(), day: "2026-11-20".into(), is_whole }
    }

    #[test]
    fn figures_that_were_not_measured_keep_their_line_and_their_day() {
        let begin = MEDIA.begin;
        let old = |name: &str| format!("| {name} |  | 1 |  |  |  |  |  |  | 2026-11-01 |");
        let page = format!(
            "text\n{begin}\nold\n\n{HEAD}\n{}\n{}\n| undated |  | 1 |\n{END}\nmore\n",
            old("a"),
            old("b")
        );
        let new = [Figure::of("b", 2.0, "s"), Figure::of("b", 3.0, "s").beside("y", 1.0, 3.0)];
        let days = |page: &str| -> Vec<(String, String)> {
            let rows = page.lines().filter(|row| row.starts_with("| ") && !row.starts_with("| figure"));
            let cell =
                |row: &str, at: usize| row.split('|').map(str::trim).nth(at).unwrap_or_default().to_owned();
            rows.map(|row| (cell(row, 1), cell(row, CELLS))).collect()
        };
        let pair = |name: &str, day: &str| (name.to_owned(), day.to_owned());
        let part = MEDIA.merged(&page, &new, &when(false)).unwrap();
        assert!(part.starts_with("text\n") && part.ends_with("\nmore\n") && !part.contains("old\n"));
        let fresh = pair("b", "2026-11-20");
        assert_eq!(days(&part), [pair("a", "2026-11-01"), fresh.clone(), fresh.clone()]);
        let whole = MEDIA.merged(&page, &new, &when(true)).unwrap();
        assert_eq!(days(&whole), [fresh.clone(), fresh]);
        assert!(QUEUE.merged(&page, &new, &when(true)).is_none());
    }
}
