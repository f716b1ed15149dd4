//! The machine: which steps are possible, for stateright to take all of them.

use stateright::{Model, Property};

use crate::{
    bound::Bound,
    job::{Back, Landing, Place},
    lease::{Held, Lease, Row},
    numbering, properties,
    state::State,
    step::{Answer, Step, Verdict},
    transitions::is_stranded,
    variant::Variant,
};

/// The protocol within a bound, as it is or broken.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// How far to look.
    pub bound: Bound,
    /// Which rule is left out.
    pub variant: Variant,
    /// Take states that differ only in how workers and jobs are numbered for one. Off, a path reads more easily, because
    /// each keeps its number.
    pub renumber: bool,
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::start(&self.bound)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for job in 0..self.bound.jobs {
            self.moves_of_job(state, job, steps);
        }
        self.moves_of_tickets(state, steps);
        for (number, lease) in (0..).zip(&state.leases) {
            self.moves_of_lease(state, number, lease, steps);
        }
        let held_by = |worker| state.leases.iter().filter(move |lease| lease.worker == Some(worker));
        for worker in 0..self.bound.workers {
            if held_by(worker).any(|lease| lease.row == Row::Expired) {
                steps.push(Step::Renew { worker });
            }
            if held_by(worker).any(|lease| lease.row == Row::Fresh) {
                steps.push(Step::Freeze { worker });
            }
            if held_by(worker).next().is_some() {
                steps.push(Step::Die { worker });
            }
        }
        steps.retain(|step| step.faults() <= state.left.faults);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        self.take(&mut next, &step);
        next.tidy();
        if self.renumber {
            numbering::renumber(&mut next);
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

const LANDINGS: [Landing; 2] = [Landing::Lined, Landing::Passed];

impl Protocol {
    fn moves_of_job(&self, state: &State, number: u8, steps: &mut Vec<Step>) {
        let watched = &state.jobs[usize::from(number)];
        let job = &watched.job;
        match job.place {
            Place::Unborn => steps.extend(LANDINGS.map(|lands| Step::Enqueue { job: number, lands })),
            Place::Scheduled => steps.extend(LANDINGS.map(|lands| Step::Promote { job: number, lands })),
            Place::Passed => {
                let is_moved = match self.variant {
                    Variant::NothingIsUnstranded => false,
                    Variant::UnstrandIgnoresLeases => true,
                    _ => is_stranded(state, number),
                };
                if is_moved {
                    steps.push(Step::Unstrand { job: number });
                }
            }
            Place::Ended | Place::Cancelled if state.left.revivals > 0 => {
                steps.push(Step::Revive { job: number });
            }
            _ => {}
        }
        let late = (0..watched.claimed_below).filter(|fence| *fence != job.fence || watched.job.is_over());
        let late = late.chain(watched.astray.then_some(job.fence));
        let accepted = late.filter(|fence| self.accepts(state, number, *fence, false, true));
        steps.extend(accepted.map(|fence| Step::SettleLate { job: number, fence }));
        if watched.cancelling.is_some() {
            steps.push(Step::Cancel { job: number });
            steps.push(Step::DropCancel { job: number });
        } else if !state.is_locked() && job.is_live() {
            if state.left.cancels > 0 {
                steps.push(Step::LookToCancel { job: number });
            }
            if job.cancel_requested && state.named(number) == 0 {
                steps.push(Step::FinishCancel { job: number });
            }
        }
    }

    fn moves_of_tickets(&self, state: &State, steps: &mut Vec<Step>) {
        let lined: Vec<u8> = state.lined().collect();
        if !state.ticket {
            if !lined.is_empty() && self.variant != Variant::TicketsAreRungOnce {
                steps.push(Step::Ring);
            }
            return;
        }
        steps.push(Step::FlushTickets);
        if lined.is_empty() {
            steps.push(Step::HearInVain);
            return;
        }
        if state.is_locked() && self.variant != Variant::CancelWithoutTheLock {
            return;
        }
        // Workers that hold nothing are alike: one of them is enough.
        let busy = state.leases.iter().filter_map(|lease| lease.worker).max().map_or(0, |most| most + 1);
        for worker in 0..self.bound.workers.min(busy + 1) {
            for jobs in choices(&lined) {
                for ticket_stays in [false, true] {
                    steps.push(Step::Claim { worker, jobs: jobs.clone(), ticket_stays });
                }
            }
        }
        steps.extend(choices(&lined).map(|jobs| Step::LoseClaim { jobs }));
    }

    fn moves_of_lease(&self, state: &State, number: u8, lease: &Lease, steps: &mut Vec<Step>) {
        let is_left = self.variant == Variant::RescueSkipsEmptyLeases && !state.is_full(lease);
        if lease.row == Row::Expired && !is_left {
            // Where jobs land that wait again matters only if there are any.
            let landings = if state.is_full(lease) { &LANDINGS[..] } else { &LANDINGS[..1] };
            steps.extend(landings.iter().map(|lands| Step::Rescue { lease: number, lands: *lands }));
        }
        for held in lease.held.iter().copied().filter(|held| held.runs) {
            self.verdicts(state, number, lease, held, steps);
            steps.push(Step::GiveUp { lease: number, job: held.job });
        }
    }

    fn verdicts(&self, state: &State, number: u8, lease: &Lease, held: Held, steps: &mut Vec<Step>) {
        let send = |verdict, answer| Step::Settle { lease: number, job: held.job, verdict, answer };
        let is_accepted = |is_final| self.accepts(state, held.job, held.fence, lease.stands(), is_final);
        // One that will be refused may as well be this one.
        steps.push(send(Verdict::End, Answer::Heard));
        if is_accepted(true) {
            steps.push(send(Verdict::End, Answer::Lost));
        }
        if !is_accepted(false) {
            return;
        }
        let mut back = Vec::new();
        if state.job(held.job).may_retry() {
            back.push(Verdict::Back(Back::Retried, Landing::Lined));
        }
        if state.left.forgiven > 0 {
            back.push(Verdict::Back(Back::Snoozed, Landing::Lined));
            back.extend(LANDINGS.map(|lands| Verdict::Back(Back::Returned, lands)));
        }
        for verdict in back {
            steps.extend([Answer::Heard, Answer::Lost].map(|answer| send(verdict, answer)));
        }
    }
}

/// Which of those in line a claim takes depends on their order, which is not kept here: any of them.
fn choices(lined: &[u8]) -> impl Iterator<Item = Vec<u8>> + use<'_> {
    (1..1_u32 << lined.len()).map(move |choice| {
        (0..).zip(lined).filter(|(bit, _)| choice >> bit & 1 == 1).map(|(_, job)| *job).collect()
    })
}
