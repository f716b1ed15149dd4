//! What has to hold in every state, what has to come about on every way, and what the search has to have met.

use stateright::Property;

use crate::{
    job::Place,
    lease::Lease,
    protocol::Protocol,
    state::{Blemish, State},
    transitions::is_stranded,
};

/// A job that a lease names does not also wait.
pub const ONE_PLACE: &str = "a job is in one place: waiting, running or over";
/// Two leases that stand never name one job under one fence.
pub const ONE_LEASE: &str = "at most one standing lease names a run";
/// Every run has a fence of its own.
pub const FENCE_ONCE: &str = "no fence is claimed twice";
/// What was claimed before a job went back to waiting cannot be settled.
pub const CURRENT_FENCE: &str = "an older fence never settles";
/// What was taken back, or lost, cannot be settled.
pub const STANDING_LEASE: &str = "a verdict needs a standing lease";
/// A life of a job has one final verdict.
pub const ENDS_ONCE: &str = "no result is accepted twice";
/// A job is not begun more often than it may.
pub const ATTEMPTS: &str = "attempts stay within max_attempts";
/// Whoever was told that a job was cancelled while it waited can rely on it.
pub const CANCELLED_RESTS: &str = "what was cancelled does not run";
/// Nothing is lost.
pub const EVERY_JOB_ENDS: &str = "every job ends";
/// Nothing is left behind.
pub const LEASES_GO: &str = "every lease goes";

/// Every promise.
pub const PROMISES: [&str; 10] = [
    ONE_PLACE,
    ONE_LEASE,
    FENCE_ONCE,
    CURRENT_FENCE,
    STANDING_LEASE,
    ENDS_ONCE,
    ATTEMPTS,
    CANCELLED_RESTS,
    EVERY_JOB_ENDS,
    LEASES_GO,
];

/// What a search that looked everywhere has met: a promise that nothing ever tested would hold too.
pub const MET: [&str; 5] = [PASSED_BY, ASTRAY, EMPTY_LEASE, LATE_CANCEL, ALL_FAULTS];
const PASSED_BY: &str = "a job is passed by";
const ASTRAY: &str = "a job runs that nobody holds, while it waits for somebody else";
const EMPTY_LEASE: &str = "a lease stands that names nothing";
const LATE_CANCEL: &str = "a job waits again although somebody wanted it stopped";
const ALL_FAULTS: &str = "every fault has struck and every job has ended";

/// All of them.
pub(crate) fn all() -> Vec<Property<Protocol>> {
    let mut all = promises();
    all.extend(met());
    all
}

fn promises() -> Vec<Property<Protocol>> {
    vec![
        Property::always(ONE_PLACE, |_, state: &State| {
            every_job(state, |job| state.named(job) == 0 || state.job(job).place == Place::Passed)
        }),
        Property::always(ONE_LEASE, |_, state: &State| every_job(state, |job| state.named(job) <= 1)),
        Property::always(FENCE_ONCE, |_, state: &State| lacks(state, Blemish::FenceClaimedTwice)),
        Property::always(CURRENT_FENCE, |_, state: &State| lacks(state, Blemish::OldFenceSettled)),
        Property::always(STANDING_LEASE, |_, state: &State| lacks(state, Blemish::SettledWithoutLease)),
        Property::always(ENDS_ONCE, |_, state: &State| lacks(state, Blemish::EndedTwice)),
        Property::always(CANCELLED_RESTS, |_, state: &State| lacks(state, Blemish::CancelledWhileRunning)),
        Property::always(ATTEMPTS, |_, state: &State| {
            every_job(state, |job| {
                state.job(job).is_over() || state.jobs[usize::from(job)].begun <= state.job(job).max_attempts
            })
        }),
        Property::eventually(EVERY_JOB_ENDS, |_, state: &State| state.is_over()),
        Property::eventually(LEASES_GO, |_, state: &State| {
            state.is_over() && !state.leases.iter().any(Lease::stands)
        }),
    ]
}

fn met() -> Vec<Property<Protocol>> {
    vec![
        Property::sometimes(PASSED_BY, |_, state: &State| !every_job(state, |job| !is_stranded(state, job))),
        Property::sometimes(ASTRAY, |_, state: &State| {
            state.jobs.iter().any(|watched| watched.astray && watched.job.place == Place::Lined)
        }),
        Property::sometimes(EMPTY_LEASE, |_, state: &State| {
            state.leases.iter().any(|lease| lease.stands() && !state.is_full(lease))
        }),
        Property::sometimes(LATE_CANCEL, |_, state: &State| {
            !every_job(state, |job| !state.job(job).cancel_requested || state.named(job) > 0)
        }),
        Property::sometimes(ALL_FAULTS, |_, state: &State| state.left.faults == 0 && state.is_over()),
    ]
}

fn every_job(state: &State, holds: impl Fn(u8) -> bool) -> bool {
    (0..).zip(&state.jobs).all(|(job, _)| holds(job))
}

fn lacks(state: &State, blemish: Blemish) -> bool {
    state.blemish != Some(blemish)
}
