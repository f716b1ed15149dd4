//! Says what is happening, and when.

use std::time::Instant;

/// The time since a run began.
pub(crate) struct Clock {
    began: Instant,
}

impl Clock {
    /// Begins now.
    pub(crate) fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// Says what is happening.
    pub(crate) fn say(&self, what: &str) {
        let elapsed = self.began.elapsed().as_secs();
        testkit::line(&format!("  {:02}:{:02}  {what}", elapsed / 60, elapsed % 60));
    }
}
