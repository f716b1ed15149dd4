//! Records of real runs: one JSON object a line, in the order in which the ledger's clock saw them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When, by the ledger's clock.
    pub at: DateTime<Utc>,
    /// To which job.
    pub job: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was committed.
    Enqueued {
        /// Attempts it has.
        max_attempts: u16,
    },
    /// A lease named it.
    Claimed(Run),
    /// A verdict was accepted.
    Settled {
        /// Which run's.
        #[serde(flatten)]
        run: Run,
        /// How it ended.
        outcome: Outcome,
    },
    /// Its lease was taken back.
    Rescued {
        /// Which run was lost.
        #[serde(flatten)]
        run: Run,
        /// What became of the job.
        outcome: Lost,
    },
    /// It was removed while it waited.
    Removed {
        /// How often it had gone back to waiting.
        fence: u32,
        /// Attempts that had ended.
        attempt: u16,
        /// As what it ended.
        outcome: Removal,
    },
    /// It began again after it had ended.
    Revived {
        /// The fence of its new life.
        fence: u32,
        /// Attempts that had ended.
        attempt: u16,
        /// Attempts it has now.
        max_attempts: u16,
    },
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Under which lease.
    pub lease: String,
    /// Whose.
    pub worker: String,
    /// The fence it was claimed with.
    pub fence: u32,
    /// Its number, 1 for the first.
    pub attempt: u16,
}

/// How a run ended whose verdict was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Well.
    Completed,
    /// Stopped.
    Cancelled,
    /// Given up.
    Discarded,
    /// Badly, with attempts left.
    Retried,
    /// Not yet.
    Snoozed,
    /// Not by this worker: it does not know the kind, or the version of the arguments.
    Parked,
    /// Its worker was shutting down.
    Returned,
}

/// What became of a job whose lease was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lost {
    /// It waits again.
    Crashed,
    /// It was given up.
    Discarded,
    /// Somebody had wanted it stopped.
    Cancelled,
}

/// What a job ended as that was removed while it waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Somebody wanted it stopped.
    Cancelled,
    /// It was given up.
    Discarded,
}
