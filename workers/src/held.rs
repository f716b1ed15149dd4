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

#[cfg(test)]
mod tests {
    use super::*;

    /// A lease with jobs of nobody.
    fn claimed(lease: LeaseId, count: usize) -> Vec<Claimed> {
        let job = |_| Claimed {
            tenant: TenantId::new(),
            id: JobId::new(),
            lease,
            fence: 0,
            attempt: 1,
            max_attempts: 1,
            kind: "probe.work".to_owned(),
            kind_version: 1,
            args: serde_json::Value::Null.into(),
            created_at: chrono::DateTime::UNIX_EPOCH,
            scheduled_at: chrono::DateTime::UNIX_EPOCH,
            due_at: None,
            traceparent: None,
            limited: false,
            cancel_requested: false,
        };
        (0..count).map(job).collect()
    }

    fn named(claimed: &[Claimed]) -> Vec<(JobId, LeaseId)> {
        claimed.iter().map(|job| (job.id, job.lease)).collect()
    }

    #[test]
    fn the_group_that_settles_the_last_of_a_lease_drops_it() {
        let (held, lease) = (Held::default(), LeaseId::new());
        let jobs = named(&{
            let claimed = claimed(lease, 3);
            held.take(&claimed);
            claimed
        });
        assert_eq!(held.done_after(&jobs[..2]), []);
        held.release(&jobs[..2], &[]);
        assert_eq!(held.done_after(&jobs[2..]), [lease]);
        held.release(&jobs[2..], &[lease]);
        assert_eq!(held.take_emptied(), [], "it was dropped");
    }

    /// Neither group sees that it is the last, so the next one drops it.
    #[test]
    fn a_lease_settled_by_two_groups_side_by_side_is_dropped_once() {
        let (held, lease) = (Held::default(), LeaseId::new());
        let claimed = claimed(lease, 4);
        held.take(&claimed);
        let jobs = named(&claimed);
        let (one, other) = jobs.split_at(2);
        assert_eq!(held.done_after(one), []);
        assert_eq!(held.done_after(other), []);
        held.release(one, &[]);
        assert_eq!(held.take_emptied(), [], "half of it is still under way");
        held.release(other, &[]);
        assert_eq!(held.done_after(&[]), [lease]);
        assert_eq!(held.take_emptied(), [], "once");
    }

    #[test]
    fn a_lease_that_was_given_up_is_never_dropped() {
        let (held, lease) = (Held::default(), LeaseId::new());
        let claimed = claimed(lease, 1);
        held.take(&claimed);
        held.give_up(lease);
        let jobs = named(&claimed);
        assert_eq!(held.done_after(&jobs), []);
        held.release(&jobs, &[]);
        assert_eq!(held.take_emptied(), []);
    }
}
