//! What may happen next.

use crate::job::{Back, Landing};

/// How a run ends, as its worker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// For good: completed, discarded or cancelled.
    End,
    /// The job waits again.
    Back(Back, Landing),
}

/// Whether the worker hears what became of its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It does, and lets go of the job.
    Heard,
    /// Its connection broke after the commit: it will send the verdict again.
    Lost,
}

/// One transaction, or one fault. Workers, jobs and leases are numbered as they stand in the state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are the numbers of what they are called")]
pub enum Step {
    /// A request is committed.
    Enqueue { job: u8, lands: Landing },
    /// A job's time has come.
    Promote { job: u8, lands: Landing },
    /// A job that a cursor passed by moves to the end of its lane.
    Unstrand { job: u8 },
    /// The release sees jobs that wait and no ticket.
    Ring,
    /// A ticket is heard and nothing waits.
    HearInVain,
    /// A ticket is heard, and jobs are claimed under a lease. Tickets may ring twice, so this one may be there still.
    Claim { worker: u8, jobs: Vec<u8>, ticket_stays: bool },
    /// A verdict is sent.
    Settle { lease: u8, job: u8, verdict: Verdict, answer: Answer },
    /// A verdict comes from a run whose lease is gone. Any run that there ever was may send one, at any time: so nobody has
    /// to keep count of those who believe that they still run something. Only one that is accepted changes anything.
    SettleLate { job: u8, fence: u32 },
    /// A worker renews what it holds.
    Renew { worker: u8 },
    /// A sweep takes back a lease.
    Rescue { lease: u8, lands: Landing },
    /// Somebody wants a job stopped: the queue's lock is taken, and what the ledger says is read.
    LookToCancel { job: u8 },
    /// What was read is acted upon, and the lock is given back.
    Cancel { job: u8 },
    /// A sweep finds a job that waits although somebody wanted it stopped.
    FinishCancel { job: u8 },
    /// A person begins a job again that had ended.
    Revive { job: u8 },
    /// Fault: a worker dies, and is started again.
    Die { worker: u8 },
    /// Fault: a worker stops for longer than its leases last, and wakes whenever it likes.
    Freeze { worker: u8 },
    /// Fault: a verdict cannot be stored for the length of a lease, and is given up.
    GiveUp { lease: u8, job: u8 },
    /// Fault: Redis forgets its tickets.
    FlushTickets,
    /// Fault: the database server dies right after a claim that it had not yet written to disk.
    LoseClaim { jobs: Vec<u8> },
    /// Fault: whoever was about to cancel is gone, and the lock with it.
    DropCancel { job: u8 },
}

impl Step {
    /// How many of the faults of the bound it uses up.
    pub const fn faults(&self) -> u8 {
        match self {
            Self::Die { .. }
            | Self::Freeze { .. }
            | Self::GiveUp { .. }
            | Self::FlushTickets
            | Self::LoseClaim { .. }
            | Self::DropCancel { .. } => 1,
            // Commits that cross are a fault of the order they come in.
            Self::Enqueue { lands, .. } | Self::Promote { lands, .. } | Self::Rescue { lands, .. } => {
                *lands as u8
            }
            Self::Settle { verdict, answer, .. } => {
                let crossed = match verdict {
                    Verdict::Back(Back::Returned, lands) => *lands as u8,
                    _ => 0,
                };
                crossed + *answer as u8
            }
            _ => 0,
        }
    }
}
