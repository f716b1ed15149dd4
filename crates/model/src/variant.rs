//! The protocol as it is, and the ways to break it that have to be noticed.

use clap::ValueEnum;

use crate::properties;

/// Which rule of the protocol is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Variant {
    /// None.
    Sound,
    /// A verdict needs a lease that stands, but not the fence of its claim.
    SettleIgnoresFence,
    /// A verdict needs the fence of its claim, but no lease.
    SettleIgnoresLease,
    /// History is written whether or not there was a row to take out.
    HistoryWithoutTheRow,
    /// A lease is written, and the cursor stays where it is.
    ClaimLeavesTheCursor,
    /// A ticket is the right to run a job; nothing is claimed.
    TicketIsTheRight,
    /// Rescue lets the job wait again under the fence it had.
    RescueKeepsTheFence,
    /// Rescue does not use up an attempt.
    RescueForgetsTheAttempt,
    /// Rescue takes back only leases under which something runs.
    RescueSkipsEmptyLeases,
    /// A verdict that lets the job wait again leaves its fence as it is.
    PutBackKeepsTheFence,
    /// A worker that has nothing left under a lease drops it, whether or not each verdict was stored.
    UnsettledLeaseIsDropped,
    /// Cancelling looks whether the job runs without keeping claims away meanwhile.
    CancelWithoutTheLock,
    /// What stands behind the cursor is moved forward although a lease names it.
    UnstrandIgnoresLeases,
    /// Nobody looks for what a cursor passed by.
    NothingIsUnstranded,
    /// Tickets are put when jobs are enqueued, and never again.
    TicketsAreRungOnce,
}

impl Variant {
    /// Every way to break it.
    pub fn broken() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied().filter(|variant| *variant != Self::Sound)
    }

    /// The promise that it breaks; none for the protocol as it is.
    pub const fn breaks(self) -> Option<&'static str> {
        Some(match self {
            Self::Sound => return None,
            Self::SettleIgnoresFence => properties::CURRENT_FENCE,
            Self::SettleIgnoresLease => properties::STANDING_LEASE,
            Self::HistoryWithoutTheRow => properties::ENDS_ONCE,
            Self::ClaimLeavesTheCursor => properties::ONE_LEASE,
            Self::TicketIsTheRight | Self::RescueKeepsTheFence | Self::UnsettledLeaseIsDropped => {
                properties::FENCE_ONCE
            }
            Self::RescueForgetsTheAttempt => properties::ATTEMPTS,
            Self::RescueSkipsEmptyLeases => properties::LEASES_GO,
            Self::PutBackKeepsTheFence | Self::UnstrandIgnoresLeases => properties::ONE_PLACE,
            Self::CancelWithoutTheLock => properties::CANCELLED_RESTS,
            Self::NothingIsUnstranded | Self::TicketsAreRungOnce => properties::EVERY_JOB_ENDS,
        })
    }

    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
