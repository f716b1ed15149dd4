//! One flag for every thread of a transcode: raised from outside, or by the first of them that fails.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::VideoError;

/// Whether to go on.
pub(crate) struct Halt<'a> {
    asked: &'a AtomicBool,
    failed: AtomicBool,
}

impl<'a> Halt<'a> {
    pub(crate) fn new(asked: &'a AtomicBool) -> Self {
        Self { asked, failed: AtomicBool::new(false) }
    }

    /// Ends the other threads too.
    pub(crate) fn raise(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn check(&self) -> Result<(), VideoError> {
        if self.asked.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed) {
            return Err(VideoError::Cancelled);
        }
        Ok(())
    }
}
