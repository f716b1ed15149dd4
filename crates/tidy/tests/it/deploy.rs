//! What lies in `deploy/` for other programs: it asks for metrics that exist, and Prometheus takes its rules.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::workspace::{between, files, none_of, read, root, run};

/// What Prometheus and Grafana themselves put into expressions.
const THEIRS: [&str; 1] = ["up"];
/// What a histogram is read by.
const PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];

/// Every expression of the files in `deploy/`, as they stand.
fn expressions() -> Vec<String> {
    let mut found = Vec::new();
    for name in files().iter().filter(|name| name.starts_with("deploy/")) {
        let text = read(name);
        let document: Value = match name.rsplit('.').next() {
            Some("json") => serde_json::from_str(&text).expect("it is JSON"),
            _ => serde_saphyr::from_str(&text).expect("it is YAML"),
        };
        gather(&document, &mut found);
    }
    found
}

fn gather(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("expr" | "series", Value::String(text)) => found.push(text.clone()),
                    ("query", Value::String(text)) if text.contains('{') => found.push(text.clone()),
                    _ => gather(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        _ => {}
    }
}

/// The names in `expression` that are metrics: followed by what they are chosen by, or all that an aggregation is of.
fn metrics(expression: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    let mut found = BTreeSet::new();
    let mut rest = expression;
    while let Some(at) = rest.find(is_part) {
        let word: String = rest[at..].chars().take_while(|c| is_part(*c)).collect();
        let (before, after) = (rest[..at].chars().next_back(), rest[at + word.len()..].chars().next());
        let is_alone = before.is_none_or(|c| c == '(') && matches!(after, None | Some(')'));
        if matches!(after, Some('{' | '[')) || (is_alone && word.contains('_')) {
            found.insert(word.clone());
        }
        rest = &rest[at + word.len()..];
    }
    found
}

#[test]
fn only_metrics_that_exist_are_asked_for() {
    let source = read("crates/telemetry/src/metrics.rs");
    let known: BTreeSet<&str> = between(&source, ": &str = \"", "\"").collect();
    let expressions = expressions();
    assert!(expressions.len() > 20, "the expressions were not found");
    let mut seen = 0;
    let mut broken = Vec::new();
    for expression in &expressions {
        for metric in metrics(expression) {
            seen += 1;
            let name = PARTS.iter().find_map(|part| metric.strip_suffix(part)).unwrap_or(&metric);
            if !known.contains(name) && !THEIRS.contains(&name) {
                broken.push(format!("{metric} in {expression}"));
            }
        }
    }
    assert!(seen > expressions.len() / 2, "the metrics were not found");
    none_of(&broken, "deploy/ asks for what nothing measures:");
}

#[test]
fn prometheus_takes_the_rules_and_they_hold() {
    let folder = root().join("deploy/prometheus");
    for arguments in [["check", "rules", "crewline.rules.yml"], ["test", "rules", "crewline.test.yml"]] {
        // Of the Debian package prometheus, which ./dev test installs.
        run(Command::new("promtool").args(arguments).current_dir(&folder));
    }
}
