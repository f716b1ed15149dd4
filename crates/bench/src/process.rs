//! Programs as processes, each leader of a group, so that nothing of it stays behind.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use testkit::until;

/// Longest that a program which was asked to end may take.
const END_MAX: Duration = Duration::from_secs(40);

/// A running program. Ends with the value, together with whatever it started.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, whose words go to a log of its own.
    pub(crate) fn start(command: &mut Command, name: &str, logs: &Path) -> anyhow::Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let words = File::create(&log).with_context(|| format!("could not write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(words.try_clone()?)
            .stderr(words)
            .process_group(0)
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        Ok(Self { child, log })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read(&self.log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// The last words of a program that did not do what it should.
    pub(crate) fn last_words(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Whether it is still there.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// `kill -9` of this one process; what it started lives on until the value goes.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, and waits until it has; a process that is gone does not mind.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        until("a process to end", END_MAX, Duration::from_millis(10), || {
            let runs = self.runs();
            async move { (!runs).then_some(()) }
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        // Before it is waited for: until then nobody else can have its number.
        let _ = kill_process_group(group, Signal::KILL);
        self.kill();
    }
}
