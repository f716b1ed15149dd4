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
const HEAD: &str = "| figure | peer | ours | theirs | unit | ratio | floor | goal | verdict |\n\
                    |---|---|---:|---:|---|---:|---:|---:|---|";

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
    /// Writes the figures into the page, with `when` above them; figures that were not measured keep their line.
    pub(crate) fn write(self, path: &Path, figures: &[Figure], when: &str) -> anyhow::Result<()> {
        let page =
            std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
        let page = self
            .merged(&page, figures, when)
            .with_context(|| format!("{} has no place for it", path.display()))?;
        std::fs::write(path, page).with_context(|| format!("could not write {}", path.display()))
    }

    fn merged(self, page: &str, figures: &[Figure], when: &str) -> Option<String> {
        let begin = self.begin;
        let (before, rest) = page.split_once(begin)?;
        let (table, after) = rest.split_once(END)?;
        let mut new: BTreeMap<_, _> = figures.iter().map(|figure| (figure.id(), figure.markdown())).collect();
        let mut rows: Vec<String> = Vec::new();
        for row in table.lines().filter(|row| row.starts_with("| ") && !row.starts_with("| figure |")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let id = (cells.get(1)?.to_string(), cells.get(2)?.to_string());
            rows.push(new.remove(&id).unwrap_or_else(|| row.to_owned()));
        }
        // In the order in which they were measured.
        rows.extend(figures.iter().filter_map(|figure| new.remove(&figure.id())));
        Some(format!("{before}{begin}\n{when}\n\n{HEAD}\n{}\n{END}{after}", rows.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_were_not_measured_keep_their_line() {
        let begin = MEDIA.begin;
        let page = format!("text\n{begin}\nold\n\n{HEAD}\n| a |  | 1 |\n| b | x | 1 |\n{END}\nmore\n");
        let new = [
            Figure::of("b", 2.0, "s").beside("x", 1.0, 2.0),
            Figure::of("b", 3.0, "s").beside("y", 1.0, 3.0),
        ];
        let page = MEDIA.merged(&page, &new, "today").unwrap();
        assert!(page.starts_with("text\n") && page.ends_with("\nmore\n") && !page.contains("old"));
        let firsts: Vec<&str> =
            page.lines().filter(|row| row.starts_with("| ")).map(|row| &row[..7]).collect();
        assert_eq!(firsts, ["| figur", "| a |  ", "| b | x", "| b | y"]);
        assert!(QUEUE.merged(&page, &new, "").is_none());
    }
}
