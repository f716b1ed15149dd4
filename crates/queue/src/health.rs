//! Whether a consumer's loop is alive: it must have been seen turning recently.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A pulse that the consuming loop gives each time it looks for tickets, at least once a second.
#[derive(Debug, Clone)]
pub struct Health {
    began: Instant,
    last_beat_ms: Arc<AtomicU64>,
}

impl Health {
    /// A pulse that counts as beating now.
    pub fn new() -> Self {
        Self { began: Instant::now(), last_beat_ms: Arc::default() }
    }

    pub(crate) fn beat(&self) {
        self.last_beat_ms.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
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
