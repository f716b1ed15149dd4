//! What each step does. Where a broken variant does something else, it says so in the same place.

use crate::{
    job::{Back, Fate, Landing, Place},
    lease::{Held, Lease, Row},
    protocol::Protocol,
    state::{Blemish, State},
    step::{Answer, Step, Verdict},
    variant::Variant,
};

impl Protocol {
    /// Takes `step`, which has to be possible in `state`.
    pub(crate) fn take(&self, state: &mut State, step: &Step) {
        state.left.faults = state.left.faults.saturating_sub(step.faults());
        match step {
            Step::Enqueue { job, lands } => {
                job_of(state, *job).stand(*lands);
                state.ticket |= self.variant == Variant::TicketsAreRungOnce;
            }
            Step::Promote { job, lands } => job_of(state, *job).stand(*lands),
            Step::Unstrand { job } => job_of(state, *job).stand(Landing::Lined),
            Step::Ring => state.ticket = true,
            Step::HearInVain | Step::FlushTickets => state.ticket = false,
            Step::Claim { worker, jobs, ticket_stays } => {
                state.ticket = *ticket_stays;
                self.claim(state, *worker, jobs);
            }
            Step::LoseClaim { jobs } => {
                state.ticket = false;
                for job in jobs {
                    state.jobs[usize::from(*job)].astray = true;
                }
            }
            Step::Settle { lease, job, verdict, answer } => {
                let found = &state.leases[usize::from(*lease)];
                let Some(fence) = found.fence_of(*job) else { return };
                let stands = found.stands();
                self.settle(state, *job, fence, stands, *verdict);
                if *answer == Answer::Heard {
                    self.let_go(state, *lease, *job);
                }
            }
            Step::SettleLate { job, fence } => self.settle(state, *job, *fence, false, Verdict::End),
            Step::GiveUp { lease, job } => self.give_up(state, *lease, *job),
            Step::Renew { worker } => turn(state, *worker, Row::Expired, Row::Fresh),
            Step::Freeze { worker } => turn(state, *worker, Row::Fresh, Row::Expired),
            Step::Die { worker } => {
                state.leases.iter_mut().filter(|lease| lease.worker == Some(*worker)).for_each(Lease::orphan);
            }
            Step::Rescue { lease, lands } => self.rescue(state, *lease, *lands),
            Step::LookToCancel { job } => {
                state.left.cancels -= 1;
                let runs = state.named(*job) > 0;
                state.jobs[usize::from(*job)].cancelling = Some(runs);
            }
            Step::Cancel { job } => cancel(state, *job),
            Step::DropCancel { job } => state.jobs[usize::from(*job)].cancelling = None,
            Step::FinishCancel { job } => job_of(state, *job).cancel(),
            Step::Revive { job } => {
                state.left.revivals -= 1;
                job_of(state, *job).revive();
                let watched = &mut state.jobs[usize::from(*job)];
                watched.begun = watched.job.attempt;
            }
        }
    }

    /// One transaction: the cursor moves past the jobs, and one lease names them.
    fn claim(&self, state: &mut State, worker: u8, jobs: &[u8]) {
        let needs_no_claim = self.variant == Variant::TicketIsTheRight;
        if !needs_no_claim {
            let held = |job: &u8| Held { job: *job, fence: state.job(*job).fence, runs: true };
            let held = jobs.iter().map(held).collect();
            state.leases.push(Lease { row: Row::Fresh, held, worker: Some(worker) });
        }
        for job in jobs {
            let watched = &mut state.jobs[usize::from(*job)];
            if !needs_no_claim && self.variant != Variant::ClaimLeavesTheCursor {
                watched.job.pass();
            }
            watched.astray |= needs_no_claim;
            watched.begun += 1;
            let fence = watched.job.fence;
            if fence < watched.claimed_below {
                state.blame(Blemish::FenceClaimedTwice);
            } else {
                watched.claimed_below = fence + 1;
            }
        }
    }

    /// Whether the ledger would accept a verdict on `job` of a run that was claimed under `fence`.
    pub(crate) fn accepts(&self, state: &State, job: u8, fence: u32, stands: bool, is_final: bool) -> bool {
        let found = state.job(job);
        let fence_fits = found.fence == fence || self.variant == Variant::SettleIgnoresFence;
        let needs_no_lease = matches!(self.variant, Variant::SettleIgnoresLease | Variant::TicketIsTheRight);
        let needs_no_row = self.variant == Variant::HistoryWithoutTheRow && is_final;
        (stands || needs_no_lease) && (needs_no_row || (found.is_live() && fence_fits))
    }

    fn settle(&self, state: &mut State, job: u8, fence: u32, stands: bool, verdict: Verdict) {
        if !self.accepts(state, job, fence, stands, verdict == Verdict::End) {
            return;
        }
        let found = state.job(job);
        let broken = [
            (!found.is_live(), Blemish::EndedTwice),
            (found.is_live() && found.fence != fence, Blemish::OldFenceSettled),
            (!stands, Blemish::SettledWithoutLease),
        ];
        broken.iter().filter(|(is_broken, _)| *is_broken).for_each(|(_, blemish)| state.blame(*blemish));
        let keeps_fence = self.variant == Variant::PutBackKeepsTheFence;
        let watched = &mut state.jobs[usize::from(job)];
        watched.astray = false;
        match verdict {
            Verdict::End => watched.job.end(),
            Verdict::Back(why, lands) => {
                watched.job.put_back(why, lands);
                watched.job.fence -= u32::from(keeps_fence);
                if why != Back::Retried {
                    watched.begun = watched.begun.saturating_sub(1);
                    state.left.forgiven -= 1;
                }
            }
        }
    }

    /// The worker is done with a job. With the last one under a lease the lease goes, in the same transaction, unless one of
    /// the verdicts was never stored: then only rescue may take the lease, or nobody would count the attempt.
    fn let_go(&self, state: &mut State, lease: u8, job: u8) {
        state.leases[usize::from(lease)].let_go(job);
        let found = &state.leases[usize::from(lease)];
        let is_unsettled = state.is_full(found) && self.variant != Variant::UnsettledLeaseIsDropped;
        if !found.is_in_use() && !is_unsettled {
            state.leases[usize::from(lease)].row = Row::Gone;
        }
    }

    /// The worker lets go of a job without a verdict, and of the lease when it was the last: nobody renews it then.
    fn give_up(&self, state: &mut State, lease: u8, job: u8) {
        let found = &mut state.leases[usize::from(lease)];
        found.let_go(job);
        if self.variant == Variant::UnsettledLeaseIsDropped && !found.is_in_use() {
            found.row = Row::Gone;
        }
    }

    /// One transaction: the lease goes, and its jobs wait again or end, each only if the lease's fence is still theirs.
    fn rescue(&self, state: &mut State, lease: u8, lands: Landing) {
        let found = &mut state.leases[usize::from(lease)];
        found.row = Row::Gone;
        for held in found.held.clone() {
            let watched = &mut state.jobs[usize::from(held.job)];
            if !watched.job.is_live() || watched.job.fence != held.fence {
                continue;
            }
            let before = watched.job.clone();
            watched.astray = false;
            watched.job.rescue(self.bound.crashes, lands);
            let waits = before.fate(self.bound.crashes) == Fate::Crashed;
            match self.variant {
                Variant::RescueKeepsTheFence if waits => watched.job.fence = before.fence,
                Variant::RescueForgetsTheAttempt => {
                    watched.job = before.clone();
                    watched.job.fence += 1;
                    watched.job.stand(lands);
                }
                _ => {}
            }
        }
    }
}

fn job_of(state: &mut State, job: u8) -> &mut crate::job::Job {
    &mut state.jobs[usize::from(job)].job
}

/// Every lease of `worker` that is `from` becomes `to`.
fn turn(state: &mut State, worker: u8, from: Row, to: Row) {
    for lease in &mut state.leases {
        if lease.worker == Some(worker) && lease.row == from {
            lease.row = to;
        }
    }
}

/// Acts upon what was read under the lock: a job that runs gets a mark, one that waits is removed.
fn cancel(state: &mut State, job: u8) {
    let is_named = state.named(job) > 0;
    let watched = &mut state.jobs[usize::from(job)];
    let ran = watched.cancelling.take();
    if !watched.job.is_live() {
        return;
    }
    if ran == Some(true) {
        watched.job.cancel_requested = true;
    } else {
        watched.job.cancel();
        if is_named {
            state.blame(Blemish::CancelledWhileRunning);
        }
    }
}

/// Whether rescue, unstrand and the rest find anything to do with a job that stands behind its cursor.
pub(crate) fn is_stranded(state: &State, job: u8) -> bool {
    state.job(job).place == Place::Passed && state.named(job) == 0
}
