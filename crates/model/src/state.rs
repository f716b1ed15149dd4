//! The whole ledger, every worker's beliefs and Redis at one moment, in as few bytes as decide what may happen next.

use crate::{
    bound::Bound,
    job::{Job, Place},
    lease::Lease,
};

/// A rule that a step has just broken. Never set by the protocol as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blemish {
    /// A fence was claimed that had been claimed before.
    FenceClaimedTwice,
    /// A verdict of an older fence was accepted.
    OldFenceSettled,
    /// A verdict was accepted without a lease that stood.
    SettledWithoutLease,
    /// A final verdict was accepted of a job that had ended.
    EndedTwice,
    /// A job was cancelled as if it waited while a lease named it.
    CancelledWhileRunning,
}

/// A job, and what an onlooker remembers of it. The protocol itself reads only [`Job`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watched {
    /// The job.
    pub job: Job,
    /// Somebody holds the queue's lock to cancel it, having read that it runs, or that it does not.
    pub cancelling: Option<bool>,
    /// Fences below this were claimed.
    pub claimed_below: u32,
    /// Attempts begun, less those that were forgiven.
    pub begun: u16,
    /// Somebody runs it under its present fence although no lease says so: the server lost a claim that it had confirmed.
    pub astray: bool,
}

/// What is left of the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Left {
    /// Faults that may still strike.
    pub faults: u8,
    /// Snoozes and returns.
    pub forgiven: u8,
    /// Wishes to cancel.
    pub cancels: u8,
    /// Second lives.
    pub revivals: u8,
}

/// One moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// Every job.
    pub jobs: Vec<Watched>,
    /// Every lease that stands or that somebody believes in.
    pub leases: Vec<Lease>,
    /// Redis holds a ticket.
    pub ticket: bool,
    /// What may still come from outside.
    pub left: Left,
    /// What went wrong on the way here.
    pub blemish: Option<Blemish>,
}

impl State {
    /// Before anything was asked for.
    pub fn start(bound: &Bound) -> Self {
        let job = Watched {
            job: Job::unborn(bound.attempts),
            cancelling: None,
            claimed_below: 0,
            begun: 0,
            astray: false,
        };
        Self {
            jobs: vec![job; usize::from(bound.jobs)],
            leases: Vec::new(),
            ticket: false,
            left: Left {
                faults: bound.faults,
                forgiven: bound.forgiven,
                cancels: bound.cancels,
                revivals: bound.revivals,
            },
            blemish: None,
        }
    }

    /// One job.
    pub fn job(&self, job: u8) -> &Job {
        &self.jobs[usize::from(job)].job
    }

    /// How many leases name a job under its present fence: what "running" is derived from.
    pub fn named(&self, job: u8) -> usize {
        let found = self.job(job);
        if !found.is_live() {
            return 0;
        }
        let names = |lease: &&Lease| {
            lease.stands() && lease.held.iter().any(|held| held.job == job && held.fence == found.fence)
        };
        self.leases.iter().filter(names).count()
    }

    /// Whether a lease names anything under its present fence.
    pub fn is_full(&self, lease: &Lease) -> bool {
        let is_current = |job: u8, fence| self.job(job).is_live() && self.job(job).fence == fence;
        lease.stands() && lease.held.iter().any(|held| is_current(held.job, held.fence))
    }

    /// Jobs that a claim would find.
    pub fn lined(&self) -> impl Iterator<Item = u8> + Clone {
        (0_u8..).zip(&self.jobs).filter(|(_, watched)| watched.job.place == Place::Lined).map(|(job, _)| job)
    }

    /// Whether claims have to wait for somebody who cancels.
    pub fn is_locked(&self) -> bool {
        self.jobs.iter().any(|watched| watched.cancelling.is_some())
    }

    /// Notes the first rule that was broken.
    pub fn blame(&mut self, blemish: Blemish) {
        self.blemish.get_or_insert(blemish);
    }

    /// Nothing waits, runs or is held any more, and nobody will ask for more.
    pub fn is_over(&self) -> bool {
        self.left.revivals == 0 && self.jobs.iter().all(|watched| watched.job.is_over())
    }

    /// Forgets what cannot matter any more, so that states that differ in nothing else are one.
    pub fn tidy(&mut self) {
        let second_lives = self.left.revivals > 0;
        for watched in &mut self.jobs {
            if watched.job.is_over() {
                watched.job.crashes = 0;
                watched.job.cancel_requested = false;
                watched.begun = 0;
                watched.astray = false;
                if !second_lives {
                    watched.job = Job { place: watched.job.place, ..Job::unborn(0) };
                    watched.claimed_below = 0;
                }
            }
        }
        let jobs = &self.jobs;
        for lease in &mut self.leases {
            lease.held.retain(|held| {
                let job = &jobs[usize::from(held.job)].job;
                held.runs || (job.is_live() && job.fence == held.fence)
            });
            if !lease.is_in_use() {
                lease.orphan();
            }
        }
        self.leases.retain(Lease::stands);
    }
}
