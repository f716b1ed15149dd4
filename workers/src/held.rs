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
struct Lease {
    /// Jobs that are not settled yet.
    unsettled: usize,
    /// Whether a job was let go of without a verdict. Then the lease is left to run out, so that whoever sweeps finds the
    /// job under it and writes down what became of its run.
    given_up: bool,
}

#[derive(Default)]
struct Inner {
    leases: HashMap<LeaseId, Lease>,
    /// Leases whose jobs were settled by several groups side by side: nothing is under them, and they are still there.
    emptied: Vec<LeaseId>,
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
                inner.leases.entry(job.lease).or_default().unsettled += 1;
                inner.jobs.insert(job.id, (job.tenant, job.lease, stop.clone()));
                stop
            })
            .collect()
    }

    /// The leases to drop with the settling of `jobs`: nothing else is under them, or nothing was before.
    pub fn done_after(&self, jobs: &[(JobId, LeaseId)]) -> Vec<LeaseId> {
        let mut settling: HashMap<LeaseId, usize> = HashMap::new();
        for (_, lease) in jobs {
            *settling.entry(*lease).or_default() += 1;
        }
        let mut inner = self.lock();
        let mut done = std::mem::take(&mut inner.emptied);
        let emptied = settling.into_iter().filter(|(id, n)| {
            inner.leases.get(id).is_some_and(|lease| lease.unsettled == *n && !lease.given_up)
        });
        done.extend(emptied.map(|(lease, _)| lease));
        done
    }

    /// The leases to drop under which nothing is any more.
    pub fn take_emptied(&self) -> Vec<LeaseId> {
        std::mem::take(&mut self.lock().emptied)
    }

    /// Gives `lease` up: renews it no more, drops it never, and stops whatever else runs under it.
    pub fn give_up(&self, id: LeaseId) {
        let mut inner = self.lock();
        if let Some(lease) = inner.leases.get_mut(&id) {
            lease.given_up = true;
        }
        for (_, _, stop) in inner.jobs.values().filter(|(_, held, _)| *held == id) {
            stop.now(Reason::LeaseLost);
        }
    }

    /// Lets go of jobs, with whose settling the leases in `dropped` were.
    pub fn release(&self, jobs: &[(JobId, LeaseId)], dropped: &[LeaseId]) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        for (job, lease) in jobs {
            // A job may be claimed again by this process before an older run of it is let go.
            if inner.jobs.get(job).is_some_and(|(_, held, _)| held == lease) {
                inner.jobs.remove(job);
            }
            if let Some(held) = inner.leases.get_mut(lease) {
                held.unsettled -= 1;
                if held.unsettled == 0 {
                    if !held.given_up && !dropped.contains(lease) {
                        inner.emptied.push(*lease);
                    }
                    inner.leases.remove(lease);
                }
            }
        }
        if inner.leases.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    /// Every lease to renew.
    pub fn leases(&self) -> Vec<LeaseId> {
        self.lock().leases.iter().filter(|(_, lease)| !lease.given_up).map(|(id, _)| *id).collect()
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
