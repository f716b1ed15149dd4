//! From a ticket to running handlers: free slots first, then as many jobs as there are slots.

use std::{sync::Arc, time::Duration};

use jobs::Queue;
use store::claim::{self, Pick};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{execute::Executor, faults::Point, held::Held};

/// How long to wait for more slots to be free when few are, and how often while many become so.
const GATHER: Duration = Duration::from_millis(1);
const GATHER_TIMES: usize = 4;

/// One queue's slots in this process, and what it takes to fill them.
pub struct Claims {
    /// Which queue.
    pub queue: Queue,
    /// Handlers that may run at once.
    pub slots: Arc<Semaphore>,
    /// How many there are.
    pub slots_max: usize,
    /// This process's name in leases.
    pub worker: Arc<str>,
    /// How long a lease lasts unless it is renewed.
    pub ttl: Duration,
    /// Runs what was claimed.
    pub executor: Arc<Executor>,
    /// Knows what is held.
    pub held: Arc<Held>,
    /// Wakes the release when there may be more to hand out.
    pub more: Arc<Notify>,
    /// Counts handlers, so that a drain can wait for them.
    pub tasks: TaskTracker,
    /// Given when the process drains.
    pub drain: CancellationToken,
}

impl Claims {
    /// Answers a ticket: claims as many jobs as there are free slots and starts them, again and again for as long as there
    /// were as many as asked for. So a backlog is worked off without another ticket.
    pub async fn answer(self: Arc<Self>) {
        while self.claim_once().await {}
    }

    /// Waits for a free slot, claims at most as many jobs as there are free slots, and starts them; whether there may be
    /// more. Nothing is claimed that does not start at once, so a crash never takes down what only waited.
    async fn claim_once(&self) -> bool {
        // Taken before the drain is looked at: either the drain waits for this claim, or this sees the drain.
        let _waited_for = self.tasks.token();
        let first = tokio::select! {
            biased;
            () = self.drain.cancelled() => return false,
            permit = self.slots.clone().acquire_owned() => permit,
        };
        let Ok(first) = first else { return false };
        let permits = self.fill(first).await;
        self.executor.faults.reach(Point::BeforeClaim);
        let wanted = permits.len() as u16;
        let db = &self.executor.deps.db;
        let claimed = match claim::claim(db, self.queue, Pick::Regular, wanted, &self.worker, self.ttl).await
        {
            Ok(claimed) => claimed,
            Err(error) => {
                let error = jobs::failure::Problem::of("", &error).message;
                tracing::warn!(queue.name = %self.queue, error, "Could not claim; the jobs stay where they are");
                return false;
            }
        };
        let was_full = claimed.len() == usize::from(wanted);
        if !was_full && !claimed.is_empty() {
            // What is left may wait for a limit, or for somebody with other queues.
            self.more.notify_one();
        }
        let stops = self.held.take(&claimed);
        for ((job, stop), permit) in claimed.into_iter().zip(stops).zip(permits) {
            let executor = self.executor.clone();
            self.tasks.spawn(async move {
                executor.execute(job, stop).await;
                drop(permit);
            });
        }
        was_full
    }

    /// `first` and every other slot that is free, up to what one claim may take. When few are free, small jobs are
    /// ending all the time: a moment later there are more, and one claim costs less than many.
    async fn fill(&self, first: OwnedSemaphorePermit) -> Vec<OwnedSemaphorePermit> {
        let most = usize::from(self.queue.claim_max()).min(self.slots_max);
        for _ in 0..GATHER_TIMES {
            let free = self.slots.available_permits() + 1;
            if free >= most * 3 / 4 {
                break;
            }
            tokio::time::sleep(GATHER).await;
            if self.slots.available_permits() + 1 < free + most / 8 {
                break;
            }
        }
        let mut permits = vec![first];
        while permits.len() < most
            && let Ok(permit) = self.slots.clone().try_acquire_owned()
        {
            permits.push(permit);
        }
        permits
    }
}
