//! What every source file keeps to.

use crate::workspace::{files, files_with, none_of, read, read_shipped, shipped_sources};

const LINES_MAX: usize = 400;
/// Names that say nothing: what lands in such a file belongs somewhere.
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "common", "helpers", "helper", "misc", "types"];
/// Put together here, so that this file does not find itself.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!("), concat!("unimple", "mented!(")];
/// Hosts from which packages come. A tool is told by its own configuration where to fetch from, not by our files.
const PACKAGE_HOSTS: [&str; 9] = [
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
    concat!("deb.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
    concat!("py", "pi.org"),
    concat!("registry.", "npmjs.org"),
    concat!("proxy.", "golang.org"),
    concat!("/simple", "/pip"),
    concat!("/repository", "/maven"),
];
/// Folders of somebody's machine.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("C:", "\\\\", "Us", "ers"),
];
/// Where a value from the environment is read although clap does not: the tests' own database.
const READS_ENVIRONMENT: &[&str] = &["crates/store/src/testing.rs"];

fn is_text(name: &str) -> bool {
    const ENDINGS: [&str; 13] =
        ["rs", "md", "toml", "sql", "lua", "sh", "yml", "yaml", "txt", "html", "css", "js", "json"];
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_none_or(|ending| ENDINGS.contains(&ending)) && !name.ends_with("Cargo.lock")
}

fn lines_with(words: &[&str], spare: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for name in files().iter().filter(|name| is_text(name)) {
        let Ok(text) = std::fs::read_to_string(crate::workspace::root().join(name)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) && !spare(name, line) {
                found.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn a_file_fits_into_a_head() {
    let long = files_with("rs").filter_map(|name| {
        let lines = read(name).lines().count();
        (lines > LINES_MAX).then(|| format!("{name} has {lines} lines"))
    });
    none_of(&long.collect::<Vec<_>>(), "At most 400 lines of Rust in a file. Split it by what it is about.");
}

#[test]
fn a_file_is_named_for_what_is_in_it() {
    let empty = files().iter().filter(|name| {
        name.split('/').any(|part| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or_default()))
    });
    none_of(&empty.cloned().collect::<Vec<_>>(), "These names say nothing about what is inside:");
}

#[test]
fn nothing_is_left_to_be_done_later() {
    none_of(&lines_with(&UNFINISHED, |_, _| false), "Do it, or write down in an issue what is missing:");
}

#[test]
fn no_file_knows_a_package_host() {
    none_of(
        &lines_with(&PACKAGE_HOSTS, |_, _| false),
        "Where packages come from is each machine's own setting:",
    );
}

#[test]
fn no_file_knows_somebodys_machine() {
    none_of(&lines_with(&MACHINE_PATHS, |_, _| false), "Paths of one machine mean nothing on another:");
}

#[test]
fn every_crate_comes_from_the_registry() {
    let lock = read("Cargo.lock");
    let sources = lock.lines().filter(|line| line.starts_with("source = "));
    let foreign =
        sources.filter(|line| *line != "source = \"registry+https://github.com/rust-lang/crates.io-index\"");
    none_of(
        &foreign.map(str::to_owned).collect::<Vec<_>>(),
        "Cargo.lock should name the public registry only:",
    );
}

#[test]
fn only_clap_reads_the_environment() {
    let wrong = shipped_sources().filter(|name| {
        let text = read_shipped(name);
        let reads = ["env::var(", "env::var_os(", "env::vars("].iter().any(|call| text.contains(call));
        reads && !READS_ENVIRONMENT.contains(name)
    });
    none_of(
        &wrong.map(str::to_owned).collect::<Vec<_>>(),
        "A setting is an argument with `env`, so that --help has it:",
    );
}
