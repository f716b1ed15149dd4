//! What the documents point at is there.

use std::{collections::BTreeSet, path::Path};

use crate::workspace::{files, files_with, none_of, read, root};

/// The text without what stands in fences.
pub(crate) fn prose(markdown: &str) -> String {
    let mut inside = false;
    let lines = markdown.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        inside ^= is_fence;
        !inside && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands between single backticks.
pub(crate) fn code_words(markdown: &str) -> Vec<String> {
    prose(markdown)
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The anchors of a document, as forges make them from headings.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    let slugs = headings.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    });
    slugs.collect()
}

fn is_broken(from: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    let file = if path.is_empty() { root().join(from) } else { root().join(folder).join(path) };
    if !file.exists() {
        return Some(format!("{from}: {target} is not there"));
    }
    if !anchor.is_empty() {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if !anchors(&text).contains(anchor) {
            return Some(format!("{from}: {target} has no such heading"));
        }
    }
    None
}

#[test]
fn relative_links_lead_somewhere() {
    let mut broken = Vec::new();
    for name in files_with("md") {
        let text = prose(&read(name));
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            broken.extend(is_broken(name, target));
        }
    }
    none_of(&broken, "Links of documents:");
}

#[test]
fn files_that_documents_name_exist() {
    const ENDINGS: [&str; 8] = [".rs", ".sql", ".lua", ".md", ".toml", ".sh", ".txt", ".yml"];
    let known: BTreeSet<&str> = files().iter().map(String::as_str).collect();
    let mut broken = Vec::new();
    for name in files_with("md") {
        for word in code_words(&read(name)) {
            let is_path = word.contains('/') && ENDINGS.iter().any(|ending| word.ends_with(ending));
            let is_pattern = word.contains(['*', '<', '{', '$', ' ', '…'])
                || word.contains("NNNN")
                || word.contains("YYYY");
            // The files of the example are not there: adding them is what it is about.
            if is_path
                && !is_pattern
                && !word.contains("text_count")
                && !known.contains(word.trim_start_matches("./"))
            {
                broken.push(format!("{name}: {word}"));
            }
        }
    }
    none_of(&broken, "Documents name files from the root of the repository. Not there:");
}
