//! One kind is two files and one line: the lists have to agree.

use std::collections::BTreeSet;

use crate::workspace::{between, files, read};

/// The modules in a folder: files but `mod.rs`, and folders.
fn modules_in(folder: &str) -> BTreeSet<String> {
    files()
        .iter()
        .filter_map(|name| name.strip_prefix(folder)?.split('/').next())
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .filter(|name| name != "mod")
        .collect()
}

fn declared_in(file: &str) -> BTreeSet<String> {
    let declared = read(file);
    let modules = declared.lines().filter_map(|line| {
        line.trim().trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned)
    });
    modules.collect()
}

#[test]
fn every_contract_is_in_the_catalogue_and_has_a_handler() {
    let catalogue = read("jobs/src/catalogue.rs");
    let listed: BTreeSet<String> = between(&catalogue, "$crate::kinds::", "::").map(str::to_owned).collect();
    assert!(
        !listed.is_empty(),
        "for_each_kind! in jobs/src/catalogue.rs lists the kinds as $crate::kinds::file::Type"
    );
    let contracts = modules_in("jobs/src/kinds/");
    let handlers = modules_in("workers/src/handlers/");
    assert_eq!(contracts, listed, "files in jobs/src/kinds (left) and lines of for_each_kind! (right)");
    assert_eq!(handlers, listed, "files in workers/src/handlers (left) and lines of for_each_kind! (right)");
    assert_eq!(
        declared_in("jobs/src/kinds/mod.rs"),
        contracts,
        "mod lines (left) and files (right) of jobs/src/kinds"
    );
    assert_eq!(
        declared_in("workers/src/handlers/mod.rs"),
        handlers,
        "mod lines (left) and files (right) of handlers"
    );
}

#[test]
fn a_contract_says_its_kind_first_and_in_its_file_name() {
    for module in modules_in("jobs/src/kinds/") {
        let file = format!("jobs/src/kinds/{module}.rs");
        let text = read(&file);
        let kind = between(&text, "const KIND: &'static str = \"", "\"").next();
        let kind = kind.unwrap_or_else(|| panic!("{file} has no const KIND"));
        assert_eq!(kind.replace('.', "_"), module, "{file} should be named after its kind, {kind}");
        assert!(
            text.starts_with(&format!("//! `{kind}`")),
            "{file} should begin with //! `{kind}`: what it does"
        );
    }
}
