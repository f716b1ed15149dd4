//! Tables in the documents that repeat what the code says: they have to say the same.

use std::collections::BTreeSet;

use crate::workspace::{between, files_with, none_of, read, shipped_sources};

/// The names that `file` gives its string constants.
fn string_constants(file: &str) -> Vec<(String, String)> {
    let text = read(file);
    let constants = text.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("pub const ")?.split_once(": &str = \"")?;
        Some((name.to_owned(), rest.strip_suffix("\";")?.to_owned()))
    });
    constants.collect()
}

fn missing_from(document: &str, words: impl IntoIterator<Item = String>) -> Vec<String> {
    let text = read(document);
    words
        .into_iter()
        .filter(|word| !text.contains(&format!("`{word}`")))
        .map(|word| format!("{document}: `{word}`"))
        .collect()
}

#[test]
fn every_problem_code_is_explained() {
    let source = read("api/src/code.rs");
    let codes = source
        .split("\ncodes! {")
        .nth(1)
        .and_then(|rest| rest.split("\n}").next())
        .expect("api::problem lists its codes");
    let rows = codes.lines().filter_map(|line| {
        let mut parts = line.trim().split_once(" = \"")?.1.splitn(3, ", ");
        let (word, status) = (parts.next()?.trim_end_matches('"').to_owned(), parts.next()?.to_owned());
        Some((word, status))
    });
    let table = read("docs/api.md");
    let mut broken = Vec::new();
    let mut count = 0;
    for (word, status) in rows {
        count += 1;
        let number = status_number(&status);
        if !table.contains(&format!("| `{word}` | {number} |")) {
            broken.push(format!("| `{word}` | {number} | …"));
        }
    }
    assert!(count > 20, "the codes of api::problem were not found");
    none_of(&broken, "docs/api.md should have these rows:");
}

fn status_number(name: &str) -> u16 {
    let known = [
        ("BAD_REQUEST", 400),
        ("UNAUTHORIZED", 401),
        ("FORBIDDEN", 403),
        ("NOT_FOUND", 404),
        ("METHOD_NOT_ALLOWED", 405),
        ("NOT_ACCEPTABLE", 406),
        ("REQUEST_TIMEOUT", 408),
        ("CONFLICT", 409),
        ("GONE", 410),
        ("PAYLOAD_TOO_LARGE", 413),
        ("UNSUPPORTED_MEDIA_TYPE", 415),
        ("UNPROCESSABLE_ENTITY", 422),
        ("TOO_MANY_REQUESTS", 429),
        ("REQUEST_HEADER_FIELDS_TOO_LARGE", 431),
        ("INTERNAL_SERVER_ERROR", 500),
        ("SERVICE_UNAVAILABLE", 503),
        ("GATEWAY_TIMEOUT", 504),
    ];
    known.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}: add its number here")).1
}

#[test]
fn every_endpoint_is_listed_and_no_other() {
    let mut served = BTreeSet::new();
    for file in files_with("rs").filter(|name| name.starts_with("api/src/")) {
        let text = read(file);
        for attribute in text.split("#[utoipa::path(").skip(1) {
            let mut words = attribute.trim_start().split(',');
            let method = words.next().unwrap_or_default().trim().to_uppercase();
            let path = between(attribute, "path = \"", "\"").next().unwrap_or_default();
            served.insert(format!("{method} {path}"));
        }
    }
    let listed: BTreeSet<String> = read("docs/api.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(first, _)| first.to_owned()))
        .filter(|first| {
            ["GET ", "POST ", "PUT ", "DELETE ", "PATCH "].iter().any(|method| first.starts_with(method))
        })
        .collect();
    assert_eq!(listed, served, "the endpoints of docs/api.md (left) and of the code (right)");
}

#[test]
fn every_metric_and_field_is_described() {
    let metrics = string_constants("crates/telemetry/src/metrics.rs");
    assert!(!metrics.is_empty());
    let metrics = metrics.into_iter().filter(|(name, _)| !name.starts_with("LABEL_")).map(|(_, word)| word);
    let fields = string_constants("crates/telemetry/src/fields.rs").into_iter().map(|(_, word)| word);
    let by_hand = shipped_sources().flat_map(|file| {
        let text = read(file);
        let calls = ["counter!(\"", "gauge!(\"", "histogram!(\""];
        calls
            .iter()
            .flat_map(|call| between(&text, call, "\"").map(str::to_owned).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    });
    let broken = missing_from("docs/logging.md", metrics.chain(fields).chain(by_hand));
    none_of(&broken, "What is measured and logged is described. Missing:");
}

#[test]
fn every_reason_a_photographer_sees_is_described() {
    let text = read("crates/media/src/error.rs");
    let codes: Vec<String> = text
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("Self::")?.split_once("=> \"")?.1.split('"').next().map(str::to_owned)
        })
        .collect();
    assert!(codes.len() > 5, "the codes of media were not found");
    none_of(&missing_from("docs/media.md", codes), "Reasons without an explanation:");
}

#[test]
fn every_state_outcome_kind_and_queue_has_its_words() {
    let states = read("jobs/src/state.rs");
    let states = between(&states, "=> \"", "\"").map(str::to_owned);
    let ledger = read("migrations/20261120000002_create_ledger.sql");
    let outcomes =
        ledger.split("check (outcome in").nth(1).and_then(|rest| rest.split("))").next()).unwrap_or_default();
    let outcomes = outcomes.split('\'').skip(1).step_by(2).map(str::to_owned);
    let queues = read("jobs/src/queue.rs");
    let queues = between(&queues, "=> \"", "\"").map(str::to_owned);
    none_of(
        &missing_from("docs/states.md", states.chain(outcomes).chain(queues)),
        "Words without an explanation:",
    );
}

#[test]
fn architecture_fits_into_a_head() {
    let lines = read("ARCHITECTURE.md").lines().count();
    assert!(lines < 300, "ARCHITECTURE.md has {lines} lines, and should have less than 300");
}

#[test]
fn decisions_are_numbered_and_say_what_was_given_up() {
    let mut broken = Vec::new();
    let mut expected = 1;
    for name in files_with("md").filter(|name| name.starts_with("docs/decisions/")) {
        let file = name.trim_start_matches("docs/decisions/");
        if !file.starts_with(&format!("{expected:04}-")) {
            broken.push(format!("{name}: the next number is {expected:04}"));
        }
        let text = read(name);
        for heading in ["## Context", "## Choice", "## What was given up"] {
            if !text.contains(heading) {
                broken.push(format!("{name}: {heading}"));
            }
        }
        expected += 1;
    }
    assert!(expected > 7, "there are decisions");
    none_of(&broken, "A decision has a number, a context, a choice and a price:");
}
