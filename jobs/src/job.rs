//! The contract that every kind signs.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Invalid, Policy, Queue};

/// A kind of work: its arguments (`Self`), its result, and its policy. The handler is elsewhere.
pub trait Job: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The name in rows, chosen once: `family.thing`. To rename, see `docs/adding-a-job.md`.
    const KIND: &'static str;
    /// The version of the arguments. Raise it only for a change that an older worker could not read.
    const VERSION: u16;
    /// The oldest version that [`Job::upcast`] can still bring up to date.
    const OLDEST_VERSION: u16 = Self::VERSION;
    /// One line for people who choose a kind from a list.
    const SUMMARY: &'static str;
    /// Where it runs.
    const QUEUE: Queue;
    /// How often, how long, how soon again.
    const POLICY: Policy;
    /// What a finished job leaves behind.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send;

    /// Checks what the types alone cannot say. Called at intake; the pointer names the field.
    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }

    /// When two jobs are the same work: the first is kept and returned for the second.
    fn unique(&self) -> Option<Unique> {
        None
    }

    /// What the job uses that others use too, such as `stripe/acct_17`: limits on a key count all jobs that carry it,
    /// whatever their kind. At most 180 bytes.
    fn concurrency_key(&self) -> Option<String> {
        None
    }

    /// Arguments of `version` as those of the version after it: one step, without looking at anything else. Asked for each
    /// version from [`Job::OLDEST_VERSION`] up to the one before [`Job::VERSION`]; none when they cannot be read.
    fn upcast(_version: u16, _args: Value) -> Option<Value> {
        None
    }

    /// Arguments that work, for documentation and for the tests every kind gets for free.
    fn example() -> Self;

    /// Arguments of an older version that could be enqueued then: the tests of every kind bring them up to date.
    fn example_of(_version: u16) -> Option<Value> {
        None
    }
}

/// What makes two jobs of one kind and tenant the same work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// Equal keys mean equal work. At most 200 bytes.
    pub key: String,
    /// For how long the first job stands for the others.
    pub lasts: UniqueFor,
}

/// For how long the first job stands for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueFor {
    /// Until the first job is completed, cancelled or discarded.
    UntilDone,
    /// For this many seconds after it was enqueued, whatever became of it.
    Seconds(u32),
}
