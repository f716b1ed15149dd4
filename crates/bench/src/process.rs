//! Programs as processes, each leader of a group, so that nothing of it stays behind.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use testkit::until;

use crate::{cpu, memory};

/// Longest that a program which was asked to end may take.
const END_MAX: Duration = Duration::from_secs(40);
/// Between two looks at a program that is watched.
const LOOK: Duration = Duration::from_millis(5);

/// A running program. Ends with the value, together with whatever it started.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    started: Instant,
}

/// What a program took from its start to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// By the clock, in seconds.
    pub(crate) wall_s: f64,
    /// Of the processors, in microseconds.
    pub(crate) cpu_us: f64,
    /// The most memory it ever had.
    pub(crate) peak_bytes: f64,
}

impl Process {
    /// Starts `command`, whose words go to a log of its own.
    pub(crate) fn start(command: &mut Command, name: &str, logs: &Path) -> anyhow::Result<Self> {
        Self::start_reading(Stdio::null(), command, name, logs)
    }

    /// The same, with something to read.
    pub(crate) fn start_reading(
        input: Stdio,
        command: &mut Command,
        name: &str,
        logs: &Path,
    ) -> anyhow::Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let words = File::create(&log).with_context(|| format!("could not write {}", log.display()))?;
        let started = Instant::now();
        let child = command
            .stdin(input)
            .stdout(words.try_clone()?)
            .stderr(words)
            .process_group(0)
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        Ok(Self { child, log, started })
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

    /// Waits until it has ended by itself, watching what it takes; what it said.
    pub(crate) async fn watch(mut self, bound: Duration) -> anyhow::Result<(Spent, String)> {
        let (pid, started) = (self.id(), self.started);
        // Looked at, not taken away: what a process used can be read until somebody takes it away.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let whom = Pid::from_child(&self.child);
        let mut peak_bytes = 0.0;
        let ended = until("a process to end by itself", bound, LOOK, || {
            peak_bytes = memory::peak(pid).unwrap_or(peak_bytes);
            let over = !matches!(waitid(WaitId::Pid(whom), look), Ok(None));
            async move { over.then(|| started.elapsed().as_secs_f64()) }
        });
        let wall_s = ended.await.with_context(|| self.last_words())?;
        let cpu_us = cpu::of_process(pid);
        let status = self.child.wait().context("could not learn how a process ended")?;
        anyhow::ensure!(status.success(), "a process ended with {status}: {}", self.last_words());
        Ok((Spent { wall_s, cpu_us, peak_bytes }, self.said()))
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
