//! Two who work for many minutes, by turns: every few seconds the one stands still and the other goes on. A machine that
//! is faster in one quarter of an hour than in the next is so for both.

use std::{
    os::fd::OwnedFd,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::sleep;

use crate::process::Process;

/// How long a turn is: long enough that what is lost by changing does not show.
const TURN: Duration = Duration::from_secs(10);
/// Between two looks at whose turn it is.
const LOOK: Duration = Duration::from_millis(5);

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// We.
    Ours,
    /// Whoever is beside us.
    Theirs,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Ours => Self::Theirs,
            Self::Theirs => Self::Ours,
        }
    }
}

/// Whose turn it is, and what is known of both.
pub(crate) struct Turns(Mutex<Table>);

struct Table {
    whose: Side,
    /// Since when nothing was added to anybody's time.
    since: Instant,
    seats: [Seat; 2],
}

#[derive(Default)]
struct Seat {
    processes: Vec<OwnedFd>,
    worked: Duration,
    is_done: bool,
}

impl Turns {
    /// Nobody has begun.
    pub(crate) fn new() -> Self {
        let table = Table { whose: Side::Ours, since: Instant::now(), seats: <[Seat; 2]>::default() };
        Self(Mutex::new(table))
    }

    /// Lets both work to their ends. Answers how long each of them worked, in seconds.
    pub(crate) async fn run(
        &self,
        ours: impl Future<Output = anyhow::Result<()>>,
        theirs: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<[f64; 2]> {
        self.table().since = Instant::now();
        let both = async {
            tokio::try_join!(self.to_its_end(Side::Ours, ours), self.to_its_end(Side::Theirs, theirs))
        };
        tokio::pin!(both);
        loop {
            tokio::select! {
                worked = &mut both => return worked.map(|(ours, theirs)| [ours, theirs]),
                () = sleep(TURN) => self.table().change(),
            }
        }
    }

    async fn to_its_end(
        &self,
        side: Side,
        work: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<f64> {
        work.await?;
        let mut table = self.table();
        table.count();
        table.seat(side).is_done = true;
        if table.whose == side {
            table.change();
        }
        Ok(table.seat(side).worked.as_secs_f64())
    }

    /// Starts a process of one side when it is its turn.
    pub(crate) async fn start(
        &self,
        side: Side,
        start: impl Fn() -> anyhow::Result<Process>,
    ) -> anyhow::Result<Process> {
        loop {
            {
                let mut table = self.table();
                if table.whose == side {
                    let process = start()?;
                    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
                    let opened = pidfd_open(pid.context("a process without a number")?, PidfdFlags::empty())?;
                    table.seat(side).processes.push(opened);
                    return Ok(process);
                }
            }
            sleep(LOOK).await;
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn seat(&mut self, side: Side) -> &mut Seat {
        &mut self.seats[side as usize]
    }

    /// Adds what has passed to the time of the one whose turn it is.
    fn count(&mut self) {
        let (now, whose) = (Instant::now(), self.whose);
        let passed = now - self.since;
        self.seat(whose).worked += passed;
        self.since = now;
    }

    /// Now the other, unless there is nothing left for it to do.
    fn change(&mut self) {
        let (whose, next) = (self.whose, self.whose.other());
        if self.seat(next).is_done {
            return;
        }
        self.seat(whose).signal(Signal::STOP);
        self.count();
        self.whose = next;
        self.seat(next).signal(Signal::CONT);
    }
}

impl Seat {
    fn signal(&self, signal: Signal) {
        for process in &self.processes {
            // One that has ended does not mind.
            let _ = pidfd_send_signal(process, signal);
        }
    }
}
