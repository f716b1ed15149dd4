//! Settings: what the programs read, what .env.example offers, and what the documents name are the same.

use std::collections::BTreeSet;

use crate::{
    links::code_words,
    workspace::{files, files_with, none_of, read, read_shipped, shipped_sources},
};

/// Settings that do nothing in a production build; .env.example keeps them apart.
const OF_FAULT_TESTS: [&str; 2] = ["CREWLINE_DIE_AT", "CREWLINE_ABORT_ALLOWED"];

/// Every `#[arg(… env = "NAME" …)]` of what ships.
fn settings() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in shipped_sources() {
        let text = read_shipped(file);
        for attribute in text.split("#[arg(").skip(1) {
            let attribute = attribute.split(")]\n").next().unwrap_or_default();
            let name = attribute.split("env = \"").nth(1).and_then(|rest| rest.split('"').next());
            names.extend(name.map(str::to_owned));
        }
    }
    names
}

#[test]
fn the_example_names_every_setting_and_no_other() {
    let example = read(".env.example");
    let offered: Vec<&str> = example
        .lines()
        .filter_map(|line| line.trim_start_matches(['#', ' ']).split_once('='))
        .map(|(name, _)| name)
        .filter(|name| {
            name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        })
        .collect();
    let unique: BTreeSet<String> = offered.iter().map(ToString::to_string).collect();
    assert_eq!(unique.len(), offered.len(), ".env.example names a setting twice");
    assert_eq!(unique, settings(), ".env.example (left) and the programs' settings (right)");
}

#[test]
fn the_example_keeps_fault_tests_apart() {
    let (settings, example) = (settings(), read(".env.example"));
    let (everyday, faults) =
        example.split_once("# Fault tests").expect(".env.example has a part for fault tests");
    for name in OF_FAULT_TESTS {
        assert!(settings.contains(name), "{name} is gone; take it out of this test");
        assert!(faults.contains(name) && !everyday.contains(name), "{name} belongs under # Fault tests");
    }
}

#[test]
fn settings_that_documents_name_exist() {
    let mut known = settings();
    // What only the script, the compose file and the tests read.
    let others = files().iter().filter(|name| {
        *name == "dev"
            || name.starts_with("dev.d/")
            || *name == "docker-compose.yml"
            || name.ends_with("/testing.rs")
            || name.contains("/tests/")
    });
    let elsewhere: String = others.map(|name| read(name)).collect();
    let is_setting = |word: &str| {
        word.len() > 4
            && word.contains('_')
            && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    known.extend(
        elsewhere
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|word| is_setting(word))
            .map(str::to_owned),
    );
    let mut broken = Vec::new();
    for name in files_with("md") {
        for word in code_words(&read(name)) {
            let word = word.split(['=', ' ']).next().unwrap_or_default();
            let ours = ["CREWLINE_", "DATABASE_", "REDIS_", "S3_", "AWS_", "OTEL_", "LOG_"];
            if is_setting(word) && ours.iter().any(|start| word.starts_with(start)) && !known.contains(word) {
                broken.push(format!("{name}: {word}"));
            }
        }
    }
    none_of(&broken, "Nothing reads these settings:");
}
