//! What this process holds: its leases, the jobs under them, and how to stop each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jobs::{JobId, LeaseId, TenantId};
use store::claim::Claimed;
use tokio::sync::Notify;

use crate::stop::{Reason, Stop};

#[derive(Default)]
struct Inner {
    /// Jobs of each lease that are not settled yet.
    leases: HashMap<LeaseId, usize>,
    jobs: HashMap<JobId, (TenantId, LeaseId, Arc<Stop>)>,
}

/// The leases and jobs of this process.
#[derive(Default)]
pub struct Held {
    inner: Mutex<Inner>,
    emptied: Notify,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of jobs that were just claimed; answers how to stop each.
    pub fn take(&self, claimed: &[Claimed]) -> Vec<Arc<Stop>> {
        let mut inner = self.lock();
        claimed
            .iter()
            .map(|job| {
                let stop = Arc::new(Stop::default());
                if job.cancel_requested {
                    stop.now(Reason::Requested);
                }
                *inner.leases.entry(job.lease).or_default() += 1;
                inner.jobs.insert(job.id, (job.tenant, job.lease, stop.clone()));
                stop
            })
            .collect()
    }

    /// The leases that will be done once `jobs` are settled.
    pub fn done_after(&self, jobs: &[(JobId, LeaseId)]) -> Vec<LeaseId> {
        let mut settling: HashMap<LeaseId, usize> = HashMap::new();
        for (_, lease) in jobs {
            *settling.entry(*lease).or_default() += 1;
        }
        let inner = self.lock();
        settling
            .into_iter()
            .filter(|(lease, n)| inner.leases.get(lease) == Some(n))
            .map(|(lease, _)| lease)
            .collect()
    }

    /// Lets go of settled jobs; answers the leases that are done with them.
    pub fn release(&self, jobs: &[(JobId, LeaseId)]) -> Vec<LeaseId> {
        let mut inner = self.lock();
        let mut done = Vec::new();
        for (job, lease) in jobs {
            // A job may be claimed again by this process before an older run of it is let go.
            if inner.jobs.get(job).is_some_and(|(_, held, _)| held == lease) {
                inner.jobs.remove(job);
            }
            if let Some(left) = inner.leases.get_mut(lease) {
                *left -= 1;
                if *left == 0 {
                    inner.leases.remove(lease);
                    done.push(*lease);
                }
            }
        }
        if inner.leases.is_empty() {
            self.emptied.notify_waiters();
        }
        done
    }

    /// Every lease held now.
    pub fn leases(&self) -> Vec<LeaseId> {
        self.lock().leases.keys().copied().collect()
    }

    /// Every job held now.
    pub fn jobs(&self) -> Vec<(TenantId, JobId)> {
        self.lock().jobs.iter().map(|(job, (tenant, ..))| (*tenant, *job)).collect()
    }

    /// Stops one job, if it is held.
    pub fn stop_job(&self, job: JobId, reason: Reason) {
        if let Some((.., stop)) = self.lock().jobs.get(&job) {
            stop.now(reason);
        }
    }

    /// Stops every job whose lease is not among `standing`.
    pub fn stop_unless(&self, checked: &[LeaseId], standing: &[LeaseId]) {
        for (_, lease, stop) in self.lock().jobs.values() {
            if checked.contains(lease) && !standing.contains(lease) {
                stop.now(Reason::LeaseLost);
            }
        }
    }

    /// Stops everything.
    pub fn stop_all(&self, reason: Reason) {
        for (.., stop) in self.lock().jobs.values() {
            stop.now(reason);
        }
    }

    /// Waits until nothing is held.
    pub async fn emptied(&self) {
        loop {
            let notified = self.emptied.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.lock().leases.is_empty() {
                return;
            }
            notified.await;
        }
    }
}
