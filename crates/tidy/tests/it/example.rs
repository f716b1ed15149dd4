//! "Add a job kind" in CONTRIBUTING.md is not prose: its code is the code that is compiled and run here.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::workspace::{files, read, root, run};

const FOLDER: &str = "docs/examples/add-a-job-kind/";
const NEW_FILES: [&str; 2] = ["jobs/src/kinds/text_count.rs", "workers/src/handlers/text_count.rs"];
/// Where a line is added, and after the last line that begins with what.
const NEW_LINES: [(&str, &str); 3] = [
    ("jobs/src/catalogue.rs", "            $crate::kinds::"),
    ("jobs/src/kinds/mod.rs", "pub mod "),
    ("workers/src/handlers/mod.rs", "mod "),
];

/// The block of CONTRIBUTING.md that is headed ```` ```rust {file} ````.
fn block(file: &str) -> String {
    let guide = read("CONTRIBUTING.md");
    let opening = format!("```rust {file}\n");
    let block = guide.split(&opening).nth(1).and_then(|rest| rest.split("```").next());
    block.unwrap_or_else(|| panic!("CONTRIBUTING.md has a block for {file}")).to_owned()
}

#[test]
fn the_guide_shows_the_files_of_the_example() {
    for file in NEW_FILES {
        assert_eq!(
            block(file),
            read(&format!("{FOLDER}{file}")),
            "CONTRIBUTING.md (left) and {FOLDER}{file} (right)"
        );
    }
    for (file, _) in NEW_LINES {
        assert_eq!(block(file).lines().count(), 1, "one line is added to {file}");
    }
}

#[test]
fn the_example_is_formatted() {
    for file in NEW_FILES {
        run(Command::new("rustfmt")
            .args(["--check", "--edition", "2024"])
            .arg(root().join(FOLDER).join(file)));
    }
}

/// `text` with `line` after its last line that begins with `start`.
fn with_line(text: &str, line: &str, start: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().rposition(|line| line.starts_with(start)).expect("there is a line to follow");
    lines.insert(last + 1, line.trim_end());
    lines.join("\n") + "\n"
}

/// Makes `folder` hold exactly `contents`, and touches only what differs, so that cargo builds only what differs.
fn sync(folder: &Path, contents: &BTreeMap<String, Vec<u8>>) {
    fs::create_dir_all(folder).unwrap();
    let mut ahead = vec![folder.to_path_buf()];
    while let Some(inside) = ahead.pop() {
        for entry in fs::read_dir(&inside).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                ahead.push(path);
            } else if !contents.contains_key(&name) {
                fs::remove_file(path).unwrap();
            }
        }
    }
    for (name, bytes) in contents {
        let path = folder.join(name);
        if fs::read(&path).ok().as_ref() != Some(bytes) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

/// The workspace as it stands. Its crates get another version, so that what is built of them does not take the place of
/// what the running tests were built from.
fn workspace() -> BTreeMap<String, Vec<u8>> {
    let mut contents: BTreeMap<String, Vec<u8>> =
        files().iter().map(|name| (name.clone(), fs::read(root().join(name)).unwrap())).collect();
    let manifest = read("Cargo.toml");
    let renumbered = manifest.replacen("version = \"0.0.0\"", "version = \"0.0.1\"", 1);
    assert_ne!(manifest, renumbered, "the crates share a version");
    contents.insert("Cargo.toml".to_owned(), renumbered.into_bytes());
    let members = crate::workspace::members();
    let mut lock = read("Cargo.lock");
    for member in members {
        let (old, new) = (
            format!("name = \"{member}\"\nversion = \"0.0.0\""),
            format!("name = \"{member}\"\nversion = \"0.0.1\""),
        );
        lock = lock.replace(&old, &new);
    }
    contents.insert("Cargo.lock".to_owned(), lock.into_bytes());
    contents
}

/// `workspace` with the new kind, as the guide says.
fn with_example(workspace: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let mut contents = workspace.clone();
    for file in NEW_FILES {
        contents.insert(file.to_owned(), read(&format!("{FOLDER}{file}")).into_bytes());
    }
    for (file, start) in NEW_LINES {
        let before = String::from_utf8(workspace[file].clone()).unwrap();
        contents.insert(file.to_owned(), with_line(&before, &block(file), start).into_bytes());
    }
    contents
}

/// What changed between two folders: lines added, lines removed, file.
fn changes(folder: &Path) -> Vec<String> {
    let compare = ["diff", "--no-index", "--no-renames", "--numstat", "before", "after"];
    // It ends with 1 when there are differences.
    let output = Command::new("git").args(compare).current_dir(folder).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut changes: Vec<String> = text
        .lines()
        .map(|line| {
            let [added, removed, file] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            // A changed file is written as {before => after}/path, a new one as /dev/null => after/path.
            let file =
                file.replace("{before => after}/", "").replace("/dev/null => ", "").replace("after/", "");
            format!("+{added} -{removed} {file}")
        })
        .collect();
    changes.sort();
    changes
}

#[test]
fn two_files_and_one_line_make_a_kind() {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let folder = target.join("add-a-job-kind");
    fs::create_dir_all(&folder).unwrap();
    // Two runs of the tests must not write into one copy.
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let before = workspace();
    let after = with_example(&before);
    sync(&folder.join("before"), &before);
    sync(&folder.join("after"), &after);

    let mut wanted: Vec<String> = NEW_FILES
        .iter()
        .map(|file| format!("+{} -0 {file}", String::from_utf8_lossy(&after[*file]).lines().count()))
        .collect();
    wanted.extend(NEW_LINES.iter().map(|(file, _)| format!("+1 -0 {file}")));
    wanted.sort();
    assert_eq!(changes(&folder), wanted);

    // store and tidy are named for what their tests ask of dependencies: so every dependency of others is built as it is
    // for ./dev test, and is there already.
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["test", "-p", "jobs", "-p", "workers", "-p", "store", "-p", "tidy", "--lib", "--all-features"])
        .args(["--offline", "--locked"])
        .args(["--", "text_count", "every_kind", "kinds_are_named"])
        .env("CARGO_TARGET_DIR", target.parent().expect("the target folder"))
        .env("CARGO_TERM_COLOR", "never")
        .current_dir(folder.join("after"));
    for (name, _) in std::env::vars_os() {
        // What cargo tells this test of this package is not true of the copy.
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|start| name.starts_with(start))
        {
            cargo.env_remove(name.as_ref());
        }
    }
    let said = run(&mut cargo);
    for test in ["kinds::text_count::tests::", "handlers::text_count::tests::", "every_kind_round_trips"] {
        let passed = said.lines().any(|line| line.contains(test) && line.ends_with("... ok"));
        assert!(passed, "no test {test}… ran:\n{said}");
    }
}
