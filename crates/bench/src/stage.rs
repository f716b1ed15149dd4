//! What every measurement is given: servers, programs, how thorough to be, and how to say what happens.

use std::{path::PathBuf, time::Duration};

use crate::{clock::Clock, peers::Peers, servers::Servers};

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Rounds; the middle one counts.
    pub(crate) rounds: u32,
    /// Jobs of a round of throughput.
    pub(crate) jobs: u64,
    /// The same for peers that take longer.
    pub(crate) jobs_of_slow: u64,
    /// How long a round of intake lasts.
    pub(crate) intake: Duration,
    /// Jobs of a round of latency, one after the other.
    pub(crate) probes: usize,
    /// Jobs that wait while depth is measured.
    pub(crate) waiting: u64,
    /// Slots of each of our worker processes.
    pub(crate) slots: u32,
}

/// What every measurement is given.
pub(crate) struct Stage {
    /// How much of everything.
    pub(crate) pace: Pace,
    /// Where our programs lie.
    pub(crate) programs: PathBuf,
    /// Where everything that is started writes what it says.
    pub(crate) logs: PathBuf,
    /// Everybody's servers.
    pub(crate) servers: Servers,
    /// Who else is measured.
    pub(crate) peers: Peers,
    clock: Clock,
}

impl Stage {
    /// A stage that begins now.
    pub(crate) fn set(pace: Pace, programs: PathBuf, logs: PathBuf, servers: Servers, peers: Peers) -> Self {
        Self { pace, programs, logs, servers, peers, clock: Clock::start() }
    }

    /// Says what is happening.
    pub(crate) fn say(&self, what: &str) {
        self.clock.say(what);
    }
}
