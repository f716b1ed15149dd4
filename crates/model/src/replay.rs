//! Walks a record of a real run through the rules of the model, job by job and lease by lease.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use jobs::limits::CRASHES_MAX;

use crate::{
    job::{Back, Fate, Job, Landing},
    trace::{Event, Line, Lost, Outcome, Run},
};

/// A line that the rules do not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the trace: {why}")]
pub struct Rejected {
    /// Which, 1 for the first.
    pub line: usize,
    /// Which rule it breaks.
    pub why: String,
}

/// What an accepted record told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Jobs that were enqueued.
    pub jobs: usize,
    /// Runs that began.
    pub claimed: usize,
    /// Verdicts that were accepted.
    pub settled: usize,
    /// Runs that were lost with their lease.
    pub rescued: usize,
    /// Jobs that were removed while they waited.
    pub removed: usize,
    /// Jobs that began again after they had ended.
    pub revived: usize,
    /// Jobs that had not ended when the record did.
    pub live: usize,
}

/// Walks `trace`, JSON lines, through the rules.
///
/// # Errors
/// At the first line that cannot be read or that no rule allows.
pub fn replay(trace: &str) -> Result<Replayed, Rejected> {
    let mut record = Record::default();
    for (number, text) in (1..).zip(trace.lines()) {
        let reject = |why| Rejected { line: number, why };
        let line: Line =
            serde_json::from_str(text).map_err(|error| reject(format!("cannot be read: {error}")))?;
        record.walk(line).map_err(reject)?;
    }
    record.told.live = record.jobs.values().filter(|known| !known.job.is_over()).count();
    Ok(record.told)
}

/// Why a line is refused.
type Why = String;

#[derive(Default)]
struct Record {
    jobs: HashMap<String, Known>,
    leases: HashMap<String, Lease>,
    latest: Option<DateTime<Utc>>,
    told: Replayed,
}

/// A job, and the run that a lease names.
struct Known {
    job: Job,
    run: Option<Run>,
}

struct Lease {
    worker: String,
    is_taken_back: bool,
}

impl Record {
    fn walk(&mut self, line: Line) -> Result<(), Why> {
        let Line { at, job, event } = line;
        if self.latest.is_some_and(|latest| at < latest) {
            return Err("is earlier than the line before it".to_owned());
        }
        self.latest = Some(at);
        if let Event::Enqueued { max_attempts } = event {
            return self.enqueue(job, max_attempts);
        }
        let Some(known) = self.jobs.get_mut(&job) else {
            return Err(format!("{job} was never enqueued"));
        };
        match event {
            Event::Enqueued { .. } => {}
            Event::Claimed(run) => {
                name(&mut self.leases, &run)?;
                known.claim(run)?;
                self.told.claimed += 1;
            }
            Event::Settled { run, outcome } => {
                if self.leases.get(&run.lease).is_none_or(|lease| lease.is_taken_back) {
                    return Err(format!("settled under {}, which does not stand", run.lease));
                }
                known.settle(&run, outcome)?;
                self.told.settled += 1;
            }
            Event::Rescued { run, outcome } => {
                known.rescue(&run, outcome)?;
                if let Some(lease) = self.leases.get_mut(&run.lease) {
                    lease.is_taken_back = true;
                }
                self.told.rescued += 1;
            }
            Event::Removed { fence, attempt, .. } => {
                known.remove(fence, attempt)?;
                self.told.removed += 1;
            }
            Event::Revived { fence, attempt, max_attempts } => {
                known.revive(fence, attempt, max_attempts)?;
                self.told.revived += 1;
            }
        }
        Ok(())
    }

    fn enqueue(&mut self, id: String, max_attempts: u16) -> Result<(), Why> {
        if self.jobs.contains_key(&id) {
            return Err(format!("{id} is enqueued a second time"));
        }
        let mut job = Job::unborn(max_attempts);
        job.stand(Landing::Lined);
        self.jobs.insert(id, Known { job, run: None });
        self.told.jobs += 1;
        Ok(())
    }
}

/// Notes that a lease names a run. A lease is written once, by one worker.
fn name(leases: &mut HashMap<String, Lease>, run: &Run) -> Result<(), Why> {
    let fresh = || Lease { worker: run.worker.clone(), is_taken_back: false };
    let lease = leases.entry(run.lease.clone()).or_insert_with(fresh);
    if lease.worker != run.worker {
        return Err(format!("{} belongs to {}, not to {}", run.lease, lease.worker, run.worker));
    }
    if lease.is_taken_back {
        return Err(format!("claimed under {}, which was taken back", run.lease));
    }
    Ok(())
}

impl Known {
    fn claim(&mut self, run: Run) -> Result<(), Why> {
        self.must_be_live()?;
        if let Some(other) = &self.run {
            return Err(format!("claimed while {} names it", other.lease));
        }
        must_be("fence", run.fence, self.job.fence)?;
        must_be("attempt", run.attempt, self.job.attempt + 1)?;
        if run.attempt > self.job.max_attempts {
            return Err(format!("attempt {} of {} begins", run.attempt, self.job.max_attempts));
        }
        self.job.pass();
        self.run = Some(run);
        Ok(())
    }

    fn settle(&mut self, run: &Run, outcome: Outcome) -> Result<(), Why> {
        self.leave(run)?;
        match outcome {
            Outcome::Completed | Outcome::Cancelled | Outcome::Discarded => self.job.end(),
            Outcome::Retried if !self.job.may_retry() => {
                return Err(format!("retried after attempt {} of {}", run.attempt, self.job.max_attempts));
            }
            Outcome::Retried => self.job.put_back(Back::Retried, Landing::Lined),
            // To the ledger's protocol a parked job is one that was told to wait.
            Outcome::Snoozed | Outcome::Parked => self.job.put_back(Back::Snoozed, Landing::Lined),
            Outcome::Returned => self.job.put_back(Back::Returned, Landing::Lined),
        }
        Ok(())
    }

    fn rescue(&mut self, run: &Run, outcome: Lost) -> Result<(), Why> {
        self.leave(run)?;
        // The wish to stop a job leaves no line of its own.
        self.job.cancel_requested = outcome == Lost::Cancelled;
        let right = match self.job.fate(CRASHES_MAX) {
            Fate::Crashed => Lost::Crashed,
            Fate::Discarded => Lost::Discarded,
            Fate::Cancelled => Lost::Cancelled,
        };
        if outcome != right {
            return Err(format!("rescued as {outcome:?} where the rules say {right:?}"));
        }
        self.job.rescue(CRASHES_MAX, Landing::Lined);
        Ok(())
    }

    fn remove(&mut self, fence: u32, attempt: u16) -> Result<(), Why> {
        self.must_be_live()?;
        if let Some(run) = &self.run {
            return Err(format!("removed as if it waited while {} names it", run.lease));
        }
        must_be("fence", fence, self.job.fence)?;
        must_be("attempt", attempt, self.job.attempt)?;
        self.job.cancel();
        Ok(())
    }

    fn revive(&mut self, fence: u32, attempt: u16, max_attempts: u16) -> Result<(), Why> {
        if !self.job.is_over() {
            return Err("begins again although it has not ended".to_owned());
        }
        self.job.revive();
        must_be("fence", fence, self.job.fence)?;
        must_be("attempt", attempt, self.job.attempt)?;
        must_be("max_attempts", max_attempts, self.job.max_attempts)
    }

    /// The run that ends has to be the one that the lease names.
    fn leave(&mut self, run: &Run) -> Result<(), Why> {
        self.must_be_live()?;
        must_be("fence", run.fence, self.job.fence)?;
        let Some(named) = self.run.take() else {
            return Err(format!("ends under {}, but nothing was claimed", run.lease));
        };
        if named.lease != run.lease {
            return Err(format!("ends under {}, but {} names it", run.lease, named.lease));
        }
        must_be("attempt", run.attempt, named.attempt)
    }

    fn must_be_live(&self) -> Result<(), Why> {
        if self.job.is_over() { Err("it had ended before".to_owned()) } else { Ok(()) }
    }
}

fn must_be(what: &str, found: impl Into<u32>, right: impl Into<u32>) -> Result<(), Why> {
    let (found, right) = (found.into(), right.into());
    if found == right { Ok(()) } else { Err(format!("{what} {found} where the rules say {right}")) }
}
