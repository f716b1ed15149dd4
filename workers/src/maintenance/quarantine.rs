//! Quarantine: runs jobs that were there when a worker died in a process apart, so that they hurt nobody if it was they.

use std::{process::Stdio, sync::Arc, time::Duration};

use jobs::Queue;
use store::{Db, claim::Pick, rescue};
use tokio::{process::Command, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{chain, rescuer};

/// Pause after a child that could not be started.
const START_AGAIN: Duration = Duration::from_secs(1);

/// Sees to quarantined jobs: one child at a time for suspects, and one for jobs that have to be alone.
pub struct Quarantine {
    suspects: mpsc::Sender<Queue>,
    alone: mpsc::Sender<Queue>,
}

/// What a child's name and exit need.
#[derive(Clone)]
pub struct Parent {
    /// The ledger.
    pub db: Db,
    /// This process's name in leases.
    pub worker: Arc<str>,
    /// Queues whose jobs this process may do.
    pub listens_to: Vec<Queue>,
}

impl Quarantine {
    /// Starts seeing to them, until `stop`.
    pub fn start(parent: &Parent, services: &TaskTracker, stop: &CancellationToken) -> Self {
        let begin = |pick| {
            let (sender, waiting) = mpsc::channel(1);
            services.spawn(see_to_all(parent.clone(), pick, waiting, stop.clone()));
            sender
        };
        Self { suspects: begin(Pick::Suspect), alone: begin(Pick::Alone) }
    }

    /// Says that `queue` has such jobs.
    pub fn see_to(&self, pick: Pick, queue: Queue) {
        let sender = if pick == Pick::Alone { &self.alone } else { &self.suspects };
        // Full means that it is being seen to.
        let _ = sender.try_send(queue);
    }
}

async fn see_to_all(parent: Parent, pick: Pick, mut waiting: mpsc::Receiver<Queue>, stop: CancellationToken) {
    let mut runs = 0_u64;
    loop {
        let queue = tokio::select! {
            queue = waiting.recv() => queue,
            () = stop.cancelled() => return,
        };
        let Some(queue) = queue else { return };
        if !parent.listens_to.contains(&queue) {
            continue;
        }
        runs += 1;
        let name = format!("{}-{}{runs}", parent.worker, if pick == Pick::Alone { 'a' } else { 's' });
        if let Err(error) = run_child(&parent.db, pick, queue, &name, &stop).await {
            tracing::error!(error = chain(&error), "Could not start a quarantine process");
            tokio::time::sleep(START_AGAIN).await;
        }
    }
}

/// Runs a child with the settings of this process. One that dies is rescued at once: nobody has to wait for a lease that
/// nobody holds.
async fn run_child(
    db: &Db,
    pick: Pick,
    queue: Queue,
    name: &str,
    stop: &CancellationToken,
) -> std::io::Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(own_arguments())
        .args(["--quarantine", queue.name(), "--worker-name", name])
        .args((pick == Pick::Alone).then_some("--alone"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let status = tokio::select! {
        status = child.wait() => status?,
        () = stop.cancelled() => {
            child.kill().await?;
            child.wait().await?
        }
    };
    if status.success() {
        return Ok(());
    }
    tracing::warn!(worker.name = name, status = %status, "A quarantine process died with its jobs");
    match rescue::rescue(db, rescue::From::Dead(name)).await {
        Ok(rescued) => rescuer::report(&rescued),
        Err(error) => tracing::warn!(error = chain(&error), "Could not rescue at once; the next sweep will"),
    }
    Ok(())
}

/// The arguments this process was started with, without its own name.
fn own_arguments() -> Vec<String> {
    let mut arguments = Vec::new();
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        if argument == "--worker-name" {
            given.next();
        } else {
            arguments.push(argument);
        }
    }
    arguments
}
