//! Quarantine: runs jobs that were there when a worker died in a process apart, so that they hurt nobody if it was they.

use std::{
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use jobs::Queue;
use rustix::process::{Pid, Signal, kill_process};
use store::{Db, claim::Pick, rescue};
use tokio::{
    process::{Child, Command},
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{chain, rescuer};

/// Pause after a child that could not be started.
const START_AGAIN: Duration = Duration::from_secs(1);

/// Sees to quarantined jobs: of each queue one child at a time for suspects, and one for jobs that have to be alone.
pub struct Quarantine(Vec<(Pick, Queue, mpsc::Sender<()>)>);

/// What a child's name and exit need.
#[derive(Clone)]
pub struct Parent {
    /// The ledger.
    pub db: Db,
    /// This process's name in leases.
    pub worker: Arc<str>,
    /// Queues whose jobs this process may do.
    pub listens_to: Vec<Queue>,
    /// How long a child may take to end what it does when this process stops.
    pub patience: Duration,
}

impl Quarantine {
    /// Starts seeing to them, until `stop`; what is under way then may take its patience.
    pub fn start(parent: &Parent, tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        let all = parent.listens_to.iter().flat_map(|queue| Pick::QUARANTINED.map(|pick| (pick, *queue)));
        let begin = |(pick, queue)| {
            let (sender, waiting) = mpsc::channel(1);
            tasks.spawn(see_to_all(parent.clone(), pick, queue, waiting, stop.clone()));
            (pick, queue, sender)
        };
        Self(all.map(begin).collect())
    }

    /// Says that `queue` has such jobs.
    pub fn see_to(&self, pick: Pick, queue: Queue) {
        for (_, _, sender) in self.0.iter().filter(|(of, at, _)| (*of, *at) == (pick, queue)) {
            // Full means that it is being seen to.
            let _ = sender.try_send(());
        }
    }
}

async fn see_to_all(
    parent: Parent,
    pick: Pick,
    queue: Queue,
    mut waiting: mpsc::Receiver<()>,
    stop: CancellationToken,
) {
    let mut runs = 0_u64;
    loop {
        let wanted = tokio::select! {
            wanted = waiting.recv() => wanted,
            () = stop.cancelled() => return,
        };
        if wanted.is_none() {
            return;
        }
        runs += 1;
        let how = if pick == Pick::Alone { 'a' } else { 's' };
        let name = format!("{}-{queue}-{how}{runs}", parent.worker);
        if let Err(error) = run_child(&parent, pick, queue, &name, &stop).await {
            tracing::error!(error = chain(&error), "Could not start a quarantine process");
            tokio::time::sleep(START_AGAIN).await;
        }
    }
}

/// Runs a child with the settings of this process. When this process stops, the child drains as it does. One that dies is
/// rescued at once: nobody has to wait for a lease that nobody holds.
async fn run_child(
    parent: &Parent,
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
        () = stop.cancelled() => drained(&mut child, parent.patience).await?,
    };
    if status.success() {
        return Ok(());
    }
    tracing::warn!(worker.name = name, status = %status, "A quarantine process died with its jobs");
    match rescue::rescue(&parent.db, rescue::From::Dead(name)).await {
        Ok(rescued) => rescuer::report(&rescued),
        Err(error) => tracing::warn!(error = chain(&error), "Could not rescue at once; the next sweep will"),
    }
    Ok(())
}

/// Tells a child to stop, as a service manager would tell this process, and waits for that; not for ever.
async fn drained(child: &mut Child, patience: Duration) -> std::io::Result<ExitStatus> {
    if let Some(id) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        kill_process(id, Signal::TERM)?;
    }
    if let Ok(status) = tokio::time::timeout(patience, child.wait()).await {
        return status;
    }
    child.kill().await?;
    child.wait().await
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
