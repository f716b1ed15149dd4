//! Who makes ladders of pictures: ourselves and others, and how each is started at its best.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use testkit::line;

use super::{child, hand::Hand};

/// Cores that are kept busy by steady work.
const AT_ONCE: usize = 2;

/// Who.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The children of a worker.
    Ours,
    /// sharp, in Node.
    Sharp,
    /// Pillow, in Python.
    Pillow,
    /// libvips, from Python.
    Vips,
}

impl Who {
    /// How it is started, from the folder where it lies.
    fn command(self, folder: &Path) -> Command {
        match self {
            Self::Ours => child::pictures(folder),
            Self::Sharp => {
                let mut command = Command::new("node");
                command.arg(folder.join("node/sharp.mjs"));
                command
            }
            Self::Pillow => python(folder, "pillow_ladder.py"),
            Self::Vips => python(folder, "vips_ladder.py"),
        }
    }
}

/// Somebody who makes ladders.
pub(crate) struct Maker {
    /// Who.
    pub(crate) who: Who,
    /// Its name and version.
    pub(crate) name: String,
    /// Where its programs lie.
    folder: PathBuf,
}

impl Maker {
    /// Ourselves first, then those who were installed in `peers` and start, in the order of their turns.
    pub(crate) fn find(programs: &Path, peers: Option<&Path>) -> Vec<Self> {
        let ours = Self { who: Who::Ours, name: "ours".to_owned(), folder: programs.to_path_buf() };
        let mut makers = vec![ours];
        let Some(folder) = peers else { return makers };
        for who in [Who::Sharp, Who::Pillow, Who::Vips] {
            match name_of(who.command(folder)) {
                Ok(name) => makers.push(Self { who, name, folder: folder.to_path_buf() }),
                Err(why) => line(&format!("{who:?} is left out: {}", why.trim())),
            }
        }
        makers
    }

    /// Processes and requests at once in each that keep the cores busiest.
    pub(crate) fn steady(&self) -> (usize, usize) {
        match self.who {
            // It works on several at once by itself.
            Who::Sharp => (1, AT_ONCE),
            Who::Ours | Who::Pillow | Who::Vips => (AT_ONCE, 1),
        }
    }

    /// Starts a process of it.
    pub(crate) fn start(&self, number: usize, logs: &Path) -> anyhow::Result<Hand> {
        Hand::start(self.who.command(&self.folder), &format!("{:?}-{number}", self.who), logs)
    }
}

/// One of the scripts among the peers.
pub(crate) fn python(peers: &Path, script: &str) -> Command {
    let mut command = Command::new(peers.join("venv/bin/python"));
    command.arg(peers.join(script));
    command
}

/// What a driver calls itself, or why it does not.
fn name_of(mut driver: Command) -> Result<String, String> {
    match driver.arg("name").output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => Err(format!("it does not start; {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(error.to_string()),
    }
}
