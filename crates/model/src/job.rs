//! One job, and what may happen to it.

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Nobody has asked for it yet.
    Unborn,
    /// In the ledger without a position: its time has not come.
    Scheduled,
    /// In its lane, ahead of the cursor.
    Lined,
    /// In its lane, at or before the cursor: claimed, or passed by before it was committed.
    Passed,
    /// Out of the ledger: its last verdict was accepted.
    Ended,
    /// Out of the ledger: removed while it waited.
    Cancelled,
}

/// Where a job comes to stand that takes a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Landing {
    /// Ahead of the cursor, as it should.
    Lined,
    /// Behind it: a claim moved the cursor between taking the position and committing it.
    Passed,
}

/// Why a job goes back to waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Back {
    /// It failed with attempts left.
    Retried,
    /// Not yet.
    Snoozed,
    /// Its worker is shutting down.
    Returned,
}

/// What rescue does with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It waits again.
    Crashed,
    /// It is out of attempts, or has taken down enough workers.
    Discarded,
    /// Somebody wanted it stopped.
    Cancelled,
}

/// A job as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job {
    /// Where it stands.
    pub place: Place,
    /// How often it went back to waiting.
    pub fence: u32,
    /// Attempts that ended.
    pub attempt: u16,
    /// Attempts it has.
    pub max_attempts: u16,
    /// Workers that died over it.
    pub crashes: u16,
    /// Somebody wants it stopped.
    pub cancel_requested: bool,
}

impl Job {
    /// A job that is about to be asked for.
    pub const fn unborn(max_attempts: u16) -> Self {
        Self { place: Place::Unborn, fence: 0, attempt: 0, max_attempts, crashes: 0, cancel_requested: false }
    }

    /// Whether it has a row in the ledger.
    pub const fn is_live(&self) -> bool {
        matches!(self.place, Place::Scheduled | Place::Lined | Place::Passed)
    }

    /// Whether its row was taken out.
    pub const fn is_over(&self) -> bool {
        matches!(self.place, Place::Ended | Place::Cancelled)
    }

    /// Takes a position.
    pub fn stand(&mut self, landing: Landing) {
        self.place = match landing {
            Landing::Lined => Place::Lined,
            Landing::Passed => Place::Passed,
        };
    }

    /// The cursor moves past it, with a lease that names it.
    pub fn pass(&mut self) {
        self.place = Place::Passed;
    }

    /// Whether a run that fails now may be tried again.
    pub const fn may_retry(&self) -> bool {
        self.attempt + 1 < self.max_attempts
    }

    /// A final verdict is accepted.
    pub fn end(&mut self) {
        self.attempt += 1;
        self.place = Place::Ended;
    }

    /// A verdict is accepted that lets it wait again.
    pub fn put_back(&mut self, why: Back, landing: Landing) {
        self.fence += 1;
        self.attempt += u16::from(why == Back::Retried);
        match why {
            Back::Returned => self.stand(landing),
            Back::Retried | Back::Snoozed => self.place = Place::Scheduled,
        }
    }

    /// What rescue would do with it.
    pub const fn fate(&self, crashes_max: u16) -> Fate {
        if self.cancel_requested {
            Fate::Cancelled
        } else if self.attempt + 1 >= self.max_attempts || self.crashes + 1 >= crashes_max {
            Fate::Discarded
        } else {
            Fate::Crashed
        }
    }

    /// The lease that named it is taken back. A crash uses up an attempt.
    pub fn rescue(&mut self, crashes_max: u16, landing: Landing) {
        match self.fate(crashes_max) {
            Fate::Cancelled | Fate::Discarded => self.end(),
            Fate::Crashed => {
                self.fence += 1;
                self.attempt += 1;
                self.crashes += 1;
                self.stand(landing);
            }
        }
    }

    /// Removed while it waits.
    pub fn cancel(&mut self) {
        self.place = Place::Cancelled;
    }

    /// Begins again because a person says so, with at least one attempt left.
    pub fn revive(&mut self) {
        *self = Self {
            place: Place::Lined,
            fence: self.fence + 1,
            attempt: self.attempt,
            max_attempts: self.max_attempts.max(self.attempt + 1),
            crashes: 0,
            cancel_requested: false,
        };
    }
}
