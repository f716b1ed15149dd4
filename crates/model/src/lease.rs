//! A lease in the ledger, and what its worker believes it holds under it.

/// What the ledger has of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// It stands, and its time is not over.
    Fresh,
    /// It stands, and its time is over: whoever sweeps next takes it back.
    Expired,
    /// It was dropped or taken back. What still runs under it is one of the runs of which a verdict may come late.
    Gone,
}

/// A job under a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    /// Which job.
    pub job: u8,
    /// The fence it was claimed with.
    pub fence: u32,
    /// The worker still means to send a verdict.
    pub runs: bool,
}

/// A lease that stands, or that a worker believes in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease {
    /// What the ledger has.
    pub row: Row,
    /// What it names.
    pub held: Vec<Held>,
    /// Who holds it; none when nobody is left who would renew it.
    pub worker: Option<u8>,
}

impl Lease {
    /// Whether the ledger has it. Its time being over does not matter until somebody takes it back.
    pub fn stands(&self) -> bool {
        self.row != Row::Gone
    }

    /// Whether its worker still works on something under it.
    pub fn is_in_use(&self) -> bool {
        self.held.iter().any(|held| held.runs)
    }

    /// The fence under which its worker runs `job`.
    pub fn fence_of(&self, job: u8) -> Option<u32> {
        self.held.iter().find(|held| held.job == job && held.runs).map(|held| held.fence)
    }

    /// Its worker lets go of one job.
    pub fn let_go(&mut self, job: u8) {
        for held in self.held.iter_mut().filter(|held| held.job == job) {
            held.runs = false;
        }
    }

    /// Its worker is gone, or has given up on all of it.
    pub fn orphan(&mut self) {
        self.held.iter_mut().for_each(|held| held.runs = false);
        self.worker = None;
        if self.stands() {
            self.row = Row::Expired;
        }
    }
}
