//! Says that this process is there, so that others can tell a queue nobody listens to from one that is busy.

use std::{sync::Arc, time::Duration};

use jobs::Queue;
use queue::Ring;
use store::{
    Db,
    presence::{self, Presence},
};
use tokio_util::sync::CancellationToken;

use super::chain;

/// How often. Whoever was silent for 30 s does not count.
const EVERY: Duration = Duration::from_secs(5);
/// How long Redis may take to answer.
const REDIS_MAX: Duration = Duration::from_secs(1);

/// What a process says of itself for as long as it lives.
#[derive(Debug, Clone)]
pub struct Myself {
    /// Its name.
    pub worker: Arc<str>,
    /// The version it was built from, with what the build is called.
    pub version: String,
    /// What it listens to, with so many slots for each queue.
    pub listens_to: Vec<(Queue, usize)>,
}

/// Says so every five seconds until `stop`, and whether Redis answers, and then that it is gone. When somebody wants this worker to
/// end, it tells `stop`.
pub async fn run(db: Db, ring: Ring, myself: Myself, stop: CancellationToken) {
    let (worker, host) = (&*myself.worker, host());
    while !stop.is_cancelled() {
        let presence = Presence {
            worker,
            host: &host,
            version: &myself.version,
            listens_to: &myself.listens_to,
            memory_bytes: memory_bytes(),
            reaches_redis: matches!(tokio::time::timeout(REDIS_MAX, ring.check()).await, Ok(Ok(()))),
        };
        match presence::here(&db, presence).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!("Somebody who operates the installation wants this worker to end");
                stop.cancel();
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "Could not say that this worker is there");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
    if let Err(error) = presence::gone(&db, worker).await {
        tracing::debug!(error = chain(&error), "Could not say that this worker is gone");
    }
}

/// What this machine calls itself.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What of the machine's memory this process uses, where the system tells.
fn memory_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_uses_some_memory() {
        assert!(super::memory_bytes().is_some_and(|bytes| bytes > 1024 * 1024));
    }

    #[test]
    fn a_machine_has_a_name() {
        assert!(!super::host().is_empty());
    }
}
