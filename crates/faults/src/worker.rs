//! Worker processes: started, frozen, killed, and started again by a supervisor.

use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    process::Process,
    stage::until,
    world::{World, answers, status},
};

/// How long processes may take to die of a job.
const DYING: Duration = Duration::from_secs(15);

/// A process that works.
pub(crate) struct Worker {
    /// The process.
    pub(crate) process: Process,
    address: SocketAddr,
}

/// How a worker is started.
#[derive(Default, Clone)]
pub(crate) struct How<'a> {
    /// Its name in leases; a fresh one unless given.
    pub(crate) name: Option<&'a str>,
    /// The program that starts it, with its arguments, such as `prlimit`.
    pub(crate) under: &'a [&'a str],
    /// More environment.
    pub(crate) environment: &'a [(&'a str, &'a str)],
    /// Arguments of `workers run`.
    pub(crate) arguments: &'a [&'a str],
}

/// Settings unless a row says otherwise.
fn usual(world: &World) -> [(&'static str, String); 4] {
    [
        ("--lease-ms", world.lease().as_millis().to_string()),
        ("--sweep-ms", world.sweep().as_millis().to_string()),
        ("--abort-allowed", "true".to_owned()),
        ("--database-connections-max", "10".to_owned()),
    ]
}

impl World {
    /// Starts `workers run` with `arguments` added.
    pub(crate) fn worker(&self, arguments: &[&str]) -> anyhow::Result<Worker> {
        self.worker_as(&How { arguments, ..How::default() })
    }

    /// Starts a worker in a way of its own.
    pub(crate) fn worker_as(&self, how: &How<'_>) -> anyhow::Result<Worker> {
        let name = how.name.map_or_else(|| format!("w{}", self.next()), str::to_owned);
        let address = testkit::free_address()?;
        let program = self.program("workers");
        let mut command = match how.under {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.args(["run", "--worker-name", &name, "--listen", &address.to_string()]);
        for (argument, value) in usual(self) {
            if !how.arguments.contains(&argument) {
                command.args([argument, &value]);
            }
        }
        command.args(how.arguments).envs(how.environment.iter().copied());
        Ok(Worker { process: self.launch(&mut command, &name)?, address })
    }

    /// As many workers, all of them able to work.
    pub(crate) async fn workers(&self, count: usize, arguments: &[&str]) -> anyhow::Result<Vec<Worker>> {
        let workers = (0..count).map(|_| self.worker(arguments)).collect::<anyhow::Result<Vec<_>>>()?;
        for worker in &workers {
            worker.ready().await?;
        }
        Ok(workers)
    }

    /// `kill -9` of a worker, with a note of when. What it started lives on until the world ends.
    pub(crate) fn kill(&self, worker: Worker) {
        self.note_killed(&worker.process.name);
        worker.process.kill_alone();
    }

    /// Starts as many workers as there are jobs, all told to die at one; answers how many did. Those that found nothing to do
    /// end here: who wants more deaths calls again.
    pub(crate) async fn die(&self, arguments: &[&str], count: usize) -> anyhow::Result<usize> {
        let mut doomed: Vec<_> = (0..count).map(|_| self.worker(arguments)).collect::<anyhow::Result<_>>()?;
        let mut dead = 0;
        let _ = until("all of them to die", DYING, || {
            dead += doomed.extract_if(.., |worker| worker.process.ended().is_some()).count();
            let all = doomed.is_empty();
            async move { all.then_some(()) }
        })
        .await;
        Ok(dead)
    }

    /// What a supervisor does: starts those again that are gone. Answers how many were.
    pub(crate) fn tend(&self, workers: &mut [Worker], arguments: &[&str]) -> anyhow::Result<usize> {
        let mut gone = 0;
        for worker in workers {
            if worker.process.ended().is_some() {
                gone += 1;
                self.note_killed(&worker.process.name);
                let heir = self.worker(arguments)?;
                std::mem::replace(worker, heir).process.kill_alone();
            }
        }
        Ok(gone)
    }
}

impl Worker {
    /// Waits until it says that it can work.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        answers(self.address, "/readyz").await
    }

    /// Whether it says now that it can work.
    pub(crate) async fn is_ready(&self) -> bool {
        status(self.address, "/readyz").await == Some(200)
    }

    /// SIGTERM, as a deploy would; answers whether it ended well. `patience` is how long it may take.
    pub(crate) async fn drain(&mut self, patience: Duration) -> anyhow::Result<bool> {
        self.process.signal(Signal::TERM);
        let give_up = Instant::now() + patience;
        loop {
            if let Some(status) = self.process.ended() {
                return Ok(status.success());
            }
            anyhow::ensure!(Instant::now() < give_up, "{} does not end", self.process.name);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// SIGSTOP: it holds what it holds, and does nothing.
    pub(crate) fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }
}
