//! Why a running job should stop, and the signal that it should.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

/// Why a running job should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Somebody asked for it.
    Requested,
    /// The lease ran out or was taken: another worker may have the job now.
    LeaseLost,
    /// This process is going down and its grace is over.
    Shutdown,
}

/// A signal that carries its reason. The first reason stands.
#[derive(Debug, Default)]
pub struct Stop {
    token: CancellationToken,
    reason: OnceLock<Reason>,
}

impl Stop {
    /// Gives the signal.
    pub fn now(&self, reason: Reason) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Waits for the signal.
    pub async fn requested(&self) -> Reason {
        self.token.cancelled().await;
        self.reason.get().copied().unwrap_or(Reason::Requested)
    }

    /// The reason, once the signal was given.
    pub fn reason(&self) -> Option<Reason> {
        self.reason.get().copied()
    }
}
