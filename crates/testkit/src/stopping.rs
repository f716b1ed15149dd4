//! Ending a program that started others: whatever it holds is dropped, and ends with it.

use std::{process::ExitCode, time::Duration};

use tokio::signal::unix::{SignalKind, signal};

use crate::words::line;

/// How a shell says that a program was told to end.
const TOLD_TO_STOP: u8 = 130;
/// How often is looked whether anybody still waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Does `work` until it is done, this process is told to end, or whoever started it is gone; then nobody waits for the
/// outcome any more, and `work` is dropped with everything that it started.
///
/// # Errors
/// Those of `work`; or the system has no signals to give.
pub async fn unless_told_to_stop(
    work: impl Future<Output = anyhow::Result<ExitCode>>,
) -> anyhow::Result<ExitCode> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        done = work => return done,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = orphaned() => {}
    }
    line("Told to stop; ended what was started.");
    Ok(ExitCode::from(TOLD_TO_STOP))
}

async fn orphaned() {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
