//! Programs of ours as processes that may be treated badly, each leader of a group, so that nothing of it stays behind.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// A running program. Ends with the value, together with whatever it started.
pub(crate) struct Process {
    child: Child,
    /// Whether what it started ends with it.
    takes_all: bool,
    /// What it is called in logs and notes.
    pub(crate) name: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, whose words go to a log of its own.
    pub(crate) fn start(command: &mut Command, name: &str, logs: &Path) -> anyhow::Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let words = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(words.try_clone()?)
            .stderr(words)
            .process_group(0)
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        Ok(Self { child, takes_all: true, name: name.to_owned(), log })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; a process that is gone does not mind.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// `kill -9`, and the certainty that it is gone. What it started lives on, as it would.
    pub(crate) fn kill_alone(mut self) {
        self.takes_all = false;
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it is gone, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Whether its log has these words.
    pub(crate) fn said(&self, words: &str) -> bool {
        std::fs::read_to_string(&self.log).is_ok_and(|log| log.contains(words))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A stopped process cannot be waited for by its own children.
        self.signal(Signal::CONT);
        self.kill();
        if self.takes_all {
            end_group(self.id());
        }
    }
}

/// The processes of group `leader` that belong to this session: only what we started ourselves.
fn members(leader: u32) -> Vec<u32> {
    let Some((_, ours)) = group_and_session(std::process::id()) else { return Vec::new() };
    let listed = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = listed.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| group_and_session(*pid) == Some((leader, ours))).collect()
}

/// Field 5 and 6 of `/proc/PID/stat`; none for the dead.
fn group_and_session(pid: u32) -> Option<(u32, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    (fields.first() != Some(&"Z")).then_some(())?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}

/// Ends whatever is left of a group.
pub(crate) fn end_group(leader: u32) {
    for pid in members(leader) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn nothing_of_a_process_stays_behind() {
        let logs = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 300 & echo started; wait"]);
        let process = Process::start(&mut command, "parent", logs.path()).unwrap();
        let look = || async {
            let has_child = members(process.id()).into_iter().any(|pid| pid != process.id());
            (has_child && process.said("started")).then_some(())
        };
        testkit::eventually("the child to start", Duration::from_secs(10), look).await;
        let leader = process.id();
        drop(process);
        let look = || async { members(leader).is_empty().then_some(()) };
        testkit::eventually("the child to be gone", Duration::from_secs(10), look).await;
    }
}
