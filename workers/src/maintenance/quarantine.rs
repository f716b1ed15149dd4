//! Quarantine: runs a job that took a worker down with it alone, in a process of its own.

use std::{process::Stdio, sync::Arc};

use jobs::Queue;
use store::{Db, rescue};
use tokio::{process::Command, sync::mpsc};
use tokio_util::sync::CancellationToken;

use super::{chain, rescuer};

/// Exit code of a quarantine process that found nothing to do.
pub const NOTHING_TO_DO: u8 = 3;

/// Starts one process at a time for the queues it is told of, until `stop`.
pub async fn run(
    db: Db,
    worker: Arc<str>,
    listens_to: Vec<Queue>,
    mut waiting: mpsc::Receiver<Queue>,
    stop: CancellationToken,
) {
    let mut runs = 0_u64;
    loop {
        let queue = tokio::select! {
            queue = waiting.recv() => queue,
            () = stop.cancelled() => return,
        };
        let Some(queue) = queue else { return };
        if !listens_to.contains(&queue) {
            continue;
        }
        runs += 1;
        let name = format!("{worker}-q{runs}");
        if let Err(error) = run_one(&db, queue, &name, &stop).await {
            tracing::error!(error = chain(&error), "Could not start a quarantine process");
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
}

/// Runs one job in a child with the settings of this process. A child that dies is rescued at once: nobody has to wait
/// for a lease that nobody holds.
async fn run_one(db: &Db, queue: Queue, name: &str, stop: &CancellationToken) -> std::io::Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(own_arguments())
        .args(["--quarantine", queue.name(), "--worker-name", name])
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
    if status.success() || status.code() == Some(i32::from(NOTHING_TO_DO)) {
        return Ok(());
    }
    tracing::warn!(worker.name = name, status = %status, "A quarantine process died with its job");
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
