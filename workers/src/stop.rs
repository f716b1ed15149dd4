//! Why a running job should stop, and the signal that it should.

use tokio::sync::SetOnce;

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
pub struct Stop(SetOnce<Reason>);

impl Stop {
    /// Gives the signal.
    pub fn now(&self, reason: Reason) {
        // Refused when it was given before.
        let _ = self.0.set(reason);
    }

    /// Waits for the signal.
    pub async fn requested(&self) -> Reason {
        *self.0.wait().await
    }

    /// The reason, once the signal was given.
    pub fn reason(&self) -> Option<Reason> {
        self.0.get().copied()
    }
}
