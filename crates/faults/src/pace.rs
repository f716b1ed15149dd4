//! How long and how often: a smoke run, the usual run, or what the figures were made for.

use std::time::Duration;

/// How thorough a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Some seconds a row.
    Quick,
    /// Some minutes a row.
    Usual,
    /// As long as it takes.
    Long,
}

impl Pace {
    /// The word in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Usual => "usual",
            Self::Long => "long",
        }
    }

    /// One of three.
    pub(crate) const fn pick<T: Copy>(self, quick: T, usual: T, long: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Usual => usual,
            Self::Long => long,
        }
    }

    /// One of three spans, in seconds.
    pub(crate) const fn seconds(self, quick: u64, usual: u64, long: u64) -> Duration {
        Duration::from_secs(self.pick(quick, usual, long))
    }

    /// Leases: what production has, unless there are only seconds.
    pub(crate) const fn lease(self) -> Duration {
        self.seconds(2, 15, 15)
    }

    /// Sweeps: what production has, unless there are only seconds.
    pub(crate) const fn sweep(self) -> Duration {
        self.seconds(1, 5, 5)
    }
}
