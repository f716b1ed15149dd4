//! Whether a consumer's loop is alive: it must have been seen turning recently, and must not have to be started over and
//! over again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A pulse that the consuming loop gives each time it looks for tickets, at least once a second.
#[derive(Debug, Clone)]
pub struct Health {
    began: Instant,
    last_beat_ms: Arc<AtomicU64>,
    failing: Arc<AtomicBool>,
}

impl Health {
    /// A pulse that counts as beating now.
    pub fn new() -> Self {
        Self { began: Instant::now(), last_beat_ms: Arc::default(), failing: Arc::default() }
    }

    pub(crate) fn beat(&self) {
        self.last_beat_ms.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    /// Whether the loop ended with an error and has not been seen working since: tickets may wait that it cannot take.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// How long ago the loop was last seen turning.
    pub fn silent_for(&self) -> Duration {
        let last = Duration::from_millis(self.last_beat_ms.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}
