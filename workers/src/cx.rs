//! What a handler may use while it works on one job.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use jobs::{
    Failure, Job, Outcome, TenantId,
    limits::{FOLLOW_UPS_MAX, LOG_LINE_BYTES_MAX, LOG_LINES_MAX},
};
use store::{
    claim::Claimed,
    enqueue::NewJob,
    logs::{Level, Said},
    verdict::Write,
};

use crate::{
    deps::Deps,
    faults::{Faults, Point},
    speaker::Speaker,
};

/// One attempt's view of the world.
pub struct Cx<'a> {
    /// The job being worked on.
    pub job: &'a Claimed,
    /// The outside.
    pub deps: &'a Deps,
    speaker: &'a Speaker,
    faults: Faults,
    lines: AtomicU32,
    has_spoken: AtomicBool,
    after: Mutex<After>,
}

/// What is to be written together with the result.
#[derive(Debug, Default)]
pub struct After {
    /// Jobs that follow from this one.
    pub follow_ups: Vec<NewJob>,
    /// Business rows.
    pub writes: Vec<Write>,
    /// Whether the job said anything that should be stored first.
    pub has_spoken: bool,
}

impl<'a> Cx<'a> {
    /// The view of one attempt.
    pub fn new(job: &'a Claimed, deps: &'a Deps, speaker: &'a Speaker, faults: Faults) -> Self {
        Self {
            job,
            deps,
            speaker,
            faults,
            lines: AtomicU32::new(0),
            has_spoken: AtomicBool::new(false),
            after: Mutex::default(),
        }
    }

    /// Whose job it is.
    pub fn tenant(&self) -> TenantId {
        self.job.tenant
    }

    /// Says how far the work is: 0 to 100 and a few words. Cheap; at most a few a second are stored.
    pub fn progress(&self, percent: u8, message: impl Into<String>) {
        self.say(Said::Progress { percent: percent.min(100), message: cut(&message.into()) });
    }

    /// Adds a line to the attempt's log. Lines past the 1,000th are dropped; the last one kept says so.
    pub fn log(&self, level: Level, message: impl Into<String>) {
        let said = self.lines.fetch_add(1, Ordering::Relaxed) + 1;
        if said > LOG_LINES_MAX {
            return;
        }
        let message = if said == LOG_LINES_MAX {
            "no more lines of this attempt are kept".into()
        } else {
            message.into()
        };
        self.say(Said::Line { level, message: cut(&message) });
    }

    fn say(&self, said: Said) {
        self.has_spoken.store(true, Ordering::Relaxed);
        self.speaker.say(self.job, said);
    }

    /// Enqueues `args` in the transaction that settles this job: both happen or neither.
    ///
    /// # Errors
    /// Discards the job that asks for more than 100.
    pub fn then<K: Job>(&self, args: &K) -> Outcome<()> {
        self.then_new(NewJob::of(args)?)
    }

    /// Enqueues `new` in the transaction that settles this job, for those that want another queue or priority than their
    /// kind's.
    ///
    /// # Errors
    /// Discards the job that asks for more than 100.
    pub fn then_new(&self, mut new: NewJob) -> Outcome<()> {
        let mut after = self.after.lock().unwrap_or_else(PoisonError::into_inner);
        if after.follow_ups.len() >= FOLLOW_UPS_MAX {
            return Err(Failure::discard("too_many_follow_ups", "a job may enqueue 100 others at most"));
        }
        new.traceparent.clone_from(&self.job.traceparent);
        after.follow_ups.push(new);
        Ok(())
    }

    /// Writes business rows in the transaction that settles this job.
    pub fn write(&self, write: Write) {
        self.after.lock().unwrap_or_else(PoisonError::into_inner).writes.push(write);
    }

    /// Marks a named point of the work, where fault tests may end it.
    pub fn reach(&self, point: Point) {
        self.faults.reach(point);
    }

    /// What this process was told to suffer.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// What is to be written with the result.
    pub fn into_after(self) -> After {
        let after = self.after.into_inner().unwrap_or_else(PoisonError::into_inner);
        After { has_spoken: self.has_spoken.into_inner(), ..after }
    }
}

/// A message that can be stored.
fn cut(message: &str) -> String {
    let mut message = message.replace('\0', "\u{fffd}");
    if message.len() > LOG_LINE_BYTES_MAX {
        let end = (0..=LOG_LINE_BYTES_MAX).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
    }
    message
}
