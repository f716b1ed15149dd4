//! How long jobs waited until they began, by what they are and whose.

use std::{collections::BTreeMap, ops::Range};

use crate::{ledger::Known, outcome::Spread, work::Work};

/// Waits, in milliseconds.
#[derive(Debug, Default)]
pub struct Waits {
    by_work: BTreeMap<(Work, u16), Vec<i64>>,
}

impl Waits {
    /// `job` waited for so long.
    pub fn note(&mut self, job: &Known, waited_ms: i64) {
        self.by_work.entry((job.wanted.work, job.tenant)).or_default().push(waited_ms);
    }

    /// Of new photographs of these tenants, by size.
    pub fn photos(&self, tenants: Range<usize>) -> Spread {
        self.spread(|(work, tenant)| work == Work::Photo && tenants.contains(&usize::from(tenant)))
    }

    /// Of everybody's jobs of a kind.
    pub fn of(&self, wanted: Work) -> Spread {
        self.spread(|(work, _)| work == wanted)
    }

    fn spread(&self, fits: impl Fn((Work, u16)) -> bool) -> Spread {
        let fitting = self.by_work.iter().filter(|(of, _)| fits(**of));
        Spread::of(fitting.flat_map(|(_, waits_ms)| waits_ms.iter().copied()).collect())
    }
}
