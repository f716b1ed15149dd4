//! How far the search goes.

/// How much of everything there is. The search is exhaustive within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Processes that claim and settle. One that dies is started again, with nothing in its head.
    pub workers: u8,
    /// Jobs that are enqueued.
    pub jobs: u8,
    /// Faults that strike: any of them, anywhere, also all of one sort.
    pub faults: u8,
    /// Attempts that each job has.
    pub attempts: u16,
    /// Crashes after which a job is discarded whatever attempts it has left.
    pub crashes: u16,
    /// Times that any job snoozes or is handed back: they use up no attempt, so they have to end somewhere.
    pub forgiven: u8,
    /// Wishes to cancel a job.
    pub cancels: u8,
    /// Jobs that a person begins again after they ended.
    pub revivals: u8,
}

impl Bound {
    /// Three of everything: what is promised to hold.
    pub const FULL: Self = Self {
        workers: 3,
        jobs: 3,
        faults: 3,
        attempts: 2,
        crashes: jobs::limits::CRASHES_MAX,
        forgiven: 0,
        cancels: 1,
        revivals: 0,
    };
    /// Fewer jobs, and more that can happen to each: snoozes, several cancels, a second life.
    pub const DEEP: Self =
        Self { workers: 2, jobs: 2, faults: 2, forgiven: 1, cancels: 2, revivals: 1, ..Self::FULL };
    /// Three of everything and a snooze or a return. It takes minutes, so tests leave it out.
    pub const LONG: Self = Self { forgiven: 1, ..Self::FULL };
    /// One job with attempts to spare, for the limit on crashes.
    pub const POISON: Self =
        Self { workers: 2, jobs: 1, faults: 4, attempts: 5, forgiven: 1, cancels: 1, ..Self::FULL };
    /// Small enough to find the shortest way to what a broken variant breaks.
    pub const SMALL: Self = Self { workers: 2, jobs: 2, faults: 2, forgiven: 1, ..Self::FULL };
    /// What `model check` looks through, quickest first.
    pub const NAMED: [(&str, Self); 4] =
        [("poison", Self::POISON), ("deep", Self::DEEP), ("full", Self::FULL), ("long", Self::LONG)];
}
