//! Named points at which a process can be told to die, so that tests can prove that it does not matter.

use clap::ValueEnum;

/// A place in the journey of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Point {
    /// A ticket was heard, nothing was claimed yet.
    BeforeClaim,
    /// The jobs are leased, no handler runs yet.
    AfterClaim,
    /// The handler is about to write to the object store.
    BeforePut,
    /// The handler has written its first object.
    AfterPut,
    /// The handler is done, nothing was settled yet.
    BeforeSettle,
    /// The settling was accepted, nobody knows yet.
    AfterSettle,
    /// Something is about to be done outside; nothing of that is written down yet.
    BeforeEffect,
    /// That it is about to be done is on disk; nobody outside has heard of it.
    BeforeCall,
    /// It was done outside; nothing of that is written down yet.
    AfterCall,
}

impl Point {
    /// Every point that a job of any kind may pass, for tests that try them all.
    pub const ALL: [Self; 6] = [
        Self::BeforeClaim,
        Self::AfterClaim,
        Self::BeforePut,
        Self::AfterPut,
        Self::BeforeSettle,
        Self::AfterSettle,
    ];
    /// The points of a job that does something outside.
    pub const OUTSIDE: [Self; 3] = [Self::BeforeEffect, Self::BeforeCall, Self::AfterCall];
}

/// What this process was told to suffer. Nothing, unless it was started for fault tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Die here.
    pub die_at: Option<Point>,
    /// Let `probe.work` take the process down.
    pub abort_allowed: bool,
}

impl Faults {
    /// Dies if this is the place, as `kill -9` would: nothing is flushed, nobody is told.
    pub fn reach(&self, point: Point) {
        if self.die_at == Some(point) {
            std::process::abort();
        }
    }
}
