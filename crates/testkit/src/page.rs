//! Pages of the documentation, run as they stand.
//!
//! Every `sh` block of a page runs in one shell, in order. A `text` block after one is what it prints; `…` stands for
//! anything.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context;
use tokio::process::Command;

/// The commands of a page, and what they should print.
pub struct Page {
    path: PathBuf,
    commands: String,
    prints: Vec<String>,
}

impl Page {
    /// The page at `path`.
    ///
    /// # Errors
    /// When there is none, or it shows nothing that could be held against what happens.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("there is no {}", path.display()))?;
        let mut page =
            Self { path: path.to_owned(), commands: "set -euo pipefail\n".into(), prints: Vec::new() };
        let mut block = None;
        for line in text.lines() {
            match (block, line) {
                (None, "```sh" | "```text") => block = Some(line),
                (Some(_), "```") => block = None,
                (Some("```sh"), line) => writeln!(page.commands, "{line}")?,
                (Some(_), line) => page.prints.push(line.to_owned()),
                _ => {}
            }
        }
        anyhow::ensure!(!page.prints.is_empty(), "{} shows nothing", path.display());
        Ok(page)
    }

    /// Runs it in `folder`, with these variables in the environment.
    ///
    /// # Errors
    /// When a command fails, prints something else, or does not end within `bound`.
    pub async fn holds(
        &self,
        folder: &Path,
        environment: &[(&str, &str)],
        bound: Duration,
    ) -> anyhow::Result<()> {
        let page = self.path.display();
        let run = Command::new("bash")
            .args(["-c", &self.commands])
            .envs(environment.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let run = tokio::time::timeout(bound, run).await.context("the page's commands do not end")??;
        let (printed, told) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        let printed: Vec<&str> = printed.lines().collect();
        let all = printed.join("\n");
        anyhow::ensure!(run.status.success(), "{page}: {}\n{all}\n{told}", run.status);
        anyhow::ensure!(printed.len() == self.prints.len(), "{page} prints\n{all}\n{told}");
        for (line, expected) in printed.iter().zip(&self.prints) {
            anyhow::ensure!(
                fits(line, expected),
                "{page} should print\n{expected}\nand prints\n{line}\n{told}"
            );
        }
        Ok(())
    }
}

/// Whether `line` is what `expected` describes.
fn fits(line: &str, expected: &str) -> bool {
    let mut rest = line;
    let mut parts = expected.split('…');
    let Some(first) = parts.next() else { return false };
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    for part in parts {
        if part.is_empty() {
            return true;
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}
