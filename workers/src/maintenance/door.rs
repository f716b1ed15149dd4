//! What is done at the first word of a new job. In a house where nothing waited a moment ago there is nothing to weigh: a
//! ticket goes out at once, and the release asks the ledger afterwards.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use jobs::Queue;
use queue::Ring;
use tokio::sync::Notify;

/// Hears of new jobs. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    /// Wakes the release.
    pub more: Arc<Notify>,
    ring: Option<Ring>,
    nothing_waits: Arc<AtomicBool>,
}

impl Door {
    /// Wakes the release by `more`; `ring` is where tickets go, if this process puts any out.
    pub fn new(more: Arc<Notify>, ring: Option<Ring>) -> Self {
        Self { more, ring, nothing_waits: Arc::default() }
    }

    /// Whether anything waited when the ledger was last asked.
    pub fn saw(&self, something_waits: bool) {
        self.nothing_waits.store(!something_waits, Ordering::Relaxed);
    }

    /// There may be a job in `queue`. A ticket too many costs one look at an empty line, and one that cannot be put into
    /// Redis is the release's business.
    pub fn knock(&self, queue: Option<Queue>) {
        if let (Some(queue), Some(ring)) = (queue, &self.ring)
            && self.nothing_waits.swap(false, Ordering::Relaxed)
        {
            let (ring, more) = (ring.clone(), self.more.clone());
            tokio::spawn(async move {
                if let Err(error) = ring.top_up(queue, 1).await {
                    tracing::debug!(%error, "Could not ring at the first word");
                }
                more.notify_one();
            });
            return;
        }
        self.more.notify_one();
    }
}
