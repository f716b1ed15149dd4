//! The repository as the rules see it: its files as git knows them, and its crates as cargo does.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde_json::Value;

/// The folder that holds everything.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

/// Every file of the working tree that git tracks or would track, relative to the root.
pub(crate) fn files() -> &'static [String] {
    static FILES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        // A checkout may belong to another user than the one who runs the tests.
        let listed =
            run(Command::new("git").args(["-c", "safe.directory=*"]).args(arguments).current_dir(root()));
        let files: BTreeSet<String> =
            listed.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        // A tracked file that was deleted is still listed until the deletion is staged.
        files.into_iter().filter(|name| root().join(name).is_file()).collect()
    });
    &FILES
}

/// The files whose names end in `.{extension}`.
pub(crate) fn files_with(extension: &str) -> impl Iterator<Item = &'static str> {
    let ending = format!(".{extension}");
    files().iter().map(String::as_str).filter(move |name| name.ends_with(&ending))
}

/// The Rust files of what ships: no tests, no examples, no development servers.
pub(crate) fn shipped_sources() -> impl Iterator<Item = &'static str> {
    files_with("rs").filter(|name| {
        let ships = ["jobs/src/", "api/src/", "workers/src/"].iter().any(|start| name.starts_with(start))
            || (name.starts_with("crates/")
                && name.contains("/src/")
                && ![
                    "crates/testkit/",
                    "crates/faults/",
                    "crates/bench/",
                    "crates/model/",
                    "crates/simulate/",
                ]
                .iter()
                .any(|start| name.starts_with(start)));
        ships && !name.contains("/embedded/") && !name.ends_with("/testing.rs")
    })
}

/// The text of a file; a failed rule when it is not there.
pub(crate) fn read(name: &str) -> String {
    let path = root().join(name);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{name} has to be there and be text: {error}"))
}

/// The text of a file up to its unit tests.
pub(crate) fn read_shipped(name: &str) -> String {
    let text = read(name);
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

/// What a command that has to succeed wrote to stdout.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// What cargo knows of the workspace and everything it leans on, as it is built for this machine.
pub(crate) fn metadata() -> &'static Value {
    static METADATA: LazyLock<Value> = LazyLock::new(|| {
        let about = run(Command::new(env!("CARGO")).arg("-vV").current_dir(root()));
        let host = about.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host");
        let text = run(Command::new(env!("CARGO"))
            .args(["metadata", "--offline", "--locked", "--all-features", "--format-version", "1"])
            .args(["--filter-platform", host])
            .current_dir(root()));
        serde_json::from_str(&text).expect("cargo writes JSON")
    });
    &METADATA
}

/// The names of our own crates.
pub(crate) fn members() -> BTreeSet<String> {
    let members: BTreeSet<&str> = strings(&metadata()["workspace_members"]).collect();
    packages()
        .filter(|package| members.contains(text(&package["id"])))
        .map(|package| text(&package["name"]).to_owned())
        .collect()
}

/// Every package of the graph, ours and others'.
pub(crate) fn packages() -> impl Iterator<Item = &'static Value> {
    items(&metadata()["packages"])
}

/// A string of a document; a failed rule when it is something else.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} should be a string"))
}

/// The items of an array; none when it is not there.
pub(crate) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

/// The strings of an array.
pub(crate) fn strings(value: &Value) -> impl Iterator<Item = &str> {
    items(value).filter_map(Value::as_str)
}

/// Every part of `text` that stands between `open` and the next `close`.
pub(crate) fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close).map(|(inside, _)| inside))
}

/// Fails with every broken line at once: nobody wants to learn of them one by one.
pub(crate) fn none_of(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}\n  {}", broken.join("\n  "));
}
