//! What is written for people, and what for scripts.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

/// The widest a column of a list gets, in characters.
const COLUMN_CHARS_MAX: usize = 60;

/// Where results go: the standard output. What is said on the way goes to the standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// As JSON: one document a line.
    pub(crate) json: bool,
}

impl Output {
    /// One thing, member by member.
    pub(crate) fn one(self, value: &impl Serialize) -> anyhow::Result<()> {
        let value = serde_json::to_value(value)?;
        if self.json {
            return line(&value.to_string());
        }
        if value.is_null() {
            return Ok(());
        }
        let Some(members) = value.as_object() else { return line(&shown(&value)) };
        let width = members.keys().map(String::len).max().unwrap_or_default();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            line(&format!("{name:width$}  {}", shown(value)))?;
        }
        Ok(())
    }

    /// Many things: these members of each.
    pub(crate) fn many(self, columns: &[&str], values: &[impl Serialize]) -> anyhow::Result<()> {
        let values = values.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        if self.json {
            return values.iter().try_for_each(|value| line(&value.to_string()));
        }
        let heading = columns.iter().map(|column| column.to_uppercase()).collect();
        let row = |value: &Value| columns.iter().map(|column| short(&shown(&value[*column]))).collect();
        let rows: Vec<Vec<String>> = std::iter::once(heading).chain(values.iter().map(row)).collect();
        table(&rows).iter().try_for_each(|row| line(row))
    }

    /// A sentence for people; scripts get `value`.
    pub(crate) fn said(self, sentence: &str, value: &impl Serialize) -> anyhow::Result<()> {
        if self.json { self.one(value) } else { line(&plain(sentence)) }
    }
}

/// Writes a line as it is.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}

/// Columns of equal width.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let padded = |row: &Vec<String>| {
        let cells =
            row.iter().enumerate().map(|(at, cell)| format!("{cell:0$}", width(at).unwrap_or_default()));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(padded).collect()
}

/// `value` on one line.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        other => plain(&other.to_string()),
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= COLUMN_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(COLUMN_CHARS_MAX - 1).chain(['…']).collect()
}

/// `text` without what a terminal would obey: names and messages are somebody else's.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect()
}

/// Whether whoever read our output has gone, as `head` does.
pub(crate) fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_by_strangers() {
        assert_eq!(plain("a\u{1b}[2Jb\r\nc\td"), "a [2Jb  c\td");
        assert_eq!(short(&"ä".repeat(100)).chars().count(), COLUMN_CHARS_MAX);
    }

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [vec!["ID".to_owned(), "STATE".to_owned()], vec!["job_1".to_owned(), "ok".to_owned()]];
        assert_eq!(table(&rows), ["ID     STATE", "job_1  ok"]);
    }
}
