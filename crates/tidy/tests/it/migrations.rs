//! Migrations go forward, are named by when and what, and say why.

use crate::workspace::{files, files_with, none_of, read};

const FOLDER: &str = "migrations/";
const README: &str = "migrations/README.md";

/// `YYYYMMDDHHMMSS_verb_noun.sql`
fn is_named_well(name: &str) -> bool {
    let Some((stamp, words)) = name.strip_suffix(".sql").and_then(|stem| stem.split_once('_')) else {
        return false;
    };
    let of_words = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    stamp.len() == 14
        && stamp.bytes().all(|byte| byte.is_ascii_digit())
        && words.split('_').count() >= 2
        && words.split('_').all(|word| !word.is_empty())
        && words.bytes().all(of_words)
}

#[test]
fn migrations_are_named_and_say_why() {
    let mut broken = Vec::new();
    let mut stamps = Vec::new();
    for name in files().iter().filter(|name| name.starts_with(FOLDER) && *name != README) {
        let file = &name[FOLDER.len()..];
        if !is_named_well(file) {
            broken.push(format!("{name} should be named YYYYMMDDHHMMSS_verb_noun.sql"));
        }
        // What sqlx has to apply outside of a transaction says so on its first line.
        if !read(name).trim_start_matches("-- no-transaction\n").starts_with("-- Why: ") {
            broken.push(format!("{name} should begin with -- Why: and the reason"));
        }
        stamps.push(file.get(..14).unwrap_or_default().to_owned());
    }
    assert!(!stamps.is_empty(), "there are migrations");
    stamps.sort();
    if stamps.windows(2).any(|pair| pair[0] == pair[1]) {
        broken.push("two migrations have the same time".to_owned());
    }
    none_of(&broken, "sqlx applies migrations in the order of their names.");
}

#[test]
fn names_are_told_apart() {
    assert!(is_named_well("20261120000001_create_roles_and_tenants.sql"));
    for wrong in [
        "1_create_x.sql",
        "20261120000001_create.sql",
        "20261120000001_Create_x.sql",
        "20261120000001_a__b.sql",
        "x.sql",
    ] {
        assert!(!is_named_well(wrong), "{wrong}");
    }
}

#[test]
fn every_tenants_table_has_its_policies() {
    let all: String = files_with("sql").filter(|name| name.starts_with(FOLDER)).map(read).collect();
    let mut broken = Vec::new();
    for (table, body) in all.split("create table ").skip(1).filter_map(|rest| rest.split_once(" (")) {
        let columns = body.split("\n)").next().unwrap_or_default();
        if !columns.contains("tenant_id uuid") {
            continue;
        }
        for wanted in [
            format!("alter table {table} enable row level security"),
            format!("create policy tenant_only on {table} to crewline_api"),
        ] {
            if !all.contains(&wanted) {
                broken.push(format!("{table}: {wanted}"));
            }
        }
    }
    none_of(&broken, "A table with a tenant_id is closed to other tenants. Missing:");
}
