//! One list of packages, one toolchain, one way to test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::workspace::{files, items, none_of, packages as crates, read, strings, text};

/// The crates whose programs people run.
const RUN: [&str; 3] = ["api", "workers", "cli"];

/// packages.txt: a group and a package on every line that is no comment.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in read("packages.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [group, package] = words[..] else {
            panic!("packages.txt: {line:?} should be a group and a package")
        };
        assert!(
            groups.entry(group.to_owned()).or_default().insert(package.to_owned()),
            "{line:?} stands there twice"
        );
    }
    groups
}

/// A line that installs. Advice to install again what is damaged may name it.
fn is_install(line: &str) -> bool {
    line.contains("apt-get install") && !line.contains("--reinstall")
}

#[test]
fn the_image_and_the_script_install_from_one_list() {
    let groups = packages();
    let dockerfile = read("Dockerfile");
    let script: String = files()
        .iter()
        .filter(|name| *name == "dev" || name.starts_with("dev.d/"))
        .map(|name| read(name))
        .collect();
    assert!(script.contains("$ROOT/packages.txt"), "dev reads packages.txt");
    assert!(dockerfile.contains("COPY packages.txt"), "the Dockerfile reads packages.txt");
    for (text, quote) in [(&dockerfile, '"'), (&script, '"')] {
        let asked = text.split("$1 == \"").skip(1).filter_map(|rest| rest.split(quote).next());
        for group in asked {
            assert!(groups.contains_key(group), "packages.txt has no group {group}");
        }
    }
    for group in ["build", "image"] {
        assert!(
            dockerfile.contains(&format!("$1 == \"{group}\"")),
            "the Dockerfile installs the group {group}"
        );
    }
    let named: Vec<String> = groups
        .values()
        .flatten()
        .filter(|package| {
            let called = |text: &str| {
                text.lines().any(|line| {
                    is_install(line) && line.split([' ', '"']).any(|word| word == package.as_str())
                })
            };
            called(&dockerfile) || called(&script)
        })
        .cloned()
        .collect();
    none_of(&named, "A package is named in packages.txt only. Also named where it is installed:");
}

#[test]
fn every_program_that_people_run_is_in_the_image() {
    let dockerfile = read("Dockerfile");
    let mut missing = Vec::new();
    let ours =
        crates().filter(|package| package["source"].is_null() && RUN.contains(&text(&package["name"])));
    for package in ours {
        let name = text(&package["name"]);
        // Once with its dependencies alone, and once as it is.
        if dockerfile.matches(&format!(" -p {name}")).count() != 2 {
            missing.push(format!("-p {name}, twice"));
        }
        let is_program = |target: &&Value| strings(&target["kind"]).any(|kind| kind == "bin");
        let programs = items(&package["targets"]).filter(is_program);
        let wanted = programs.map(|program| format!("target/release/{}", text(&program["name"])));
        missing.extend(wanted.filter(|wanted| !dockerfile.contains(wanted)));
    }
    none_of(&missing, "The Dockerfile should build and install:");
}

#[test]
fn everything_is_built_with_one_toolchain() {
    let toolchain: toml::Value = toml::from_str(&read("rust-toolchain.toml")).expect("TOML");
    let channel = toolchain["toolchain"]["channel"].as_str().expect("a channel");
    assert!(
        read("Dockerfile").contains(&format!("ARG RUST_VERSION={channel}\n")),
        "the image is built with {channel}"
    );
    let workspace: toml::Value = toml::from_str(&read("Cargo.toml")).expect("TOML");
    let minimum = workspace["workspace"]["package"]["rust-version"].as_str().expect("a rust-version");
    assert!(
        channel.starts_with(minimum),
        "rust-version {minimum} and the toolchain {channel} belong together"
    );
}

#[test]
fn ci_runs_what_developers_run() {
    assert!(read(".github/workflows/ci.yml").contains(".ci/run"), "CI runs .ci/run");
    assert!(read(".ci/run").contains("./dev test"), ".ci/run is ./dev test");
}
