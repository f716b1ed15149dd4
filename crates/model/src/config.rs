//! What the program is asked for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{bound::Bound, variant::Variant};

/// Checks the protocol of the ledger, breaks it, and reads records of real runs.
#[derive(Debug, Parser)]
#[command(name = "model")]
pub struct Config {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Visit every state within the bounds that docs/model.md names, or within one of your own.
    Check {
        /// Threads to search with.
        #[arg(long, default_value_t = 2)]
        threads: usize,
        /// One bound instead of all.
        #[command(flatten)]
        bound: Option<BoundArgs>,
    },
    /// Break the protocol in each known way, and show the shortest way to a broken promise.
    Break {
        /// Only this variant.
        variant: Option<Variant>,
    },
    /// Walk a record of a real run through the rules.
    Replay {
        /// JSON lines, as docs/model.md describes them.
        file: PathBuf,
    },
}

/// A bound. What is not given is as in the full one.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = true)]
pub struct BoundArgs {
    /// Processes.
    #[arg(long, default_value_t = Bound::FULL.workers)]
    workers: u8,
    /// Jobs.
    #[arg(long, default_value_t = Bound::FULL.jobs)]
    jobs: u8,
    /// Faults.
    #[arg(long, default_value_t = Bound::FULL.faults)]
    faults: u8,
    /// Attempts of each job.
    #[arg(long, default_value_t = Bound::FULL.attempts)]
    attempts: u16,
    /// Crashes before a job is discarded.
    #[arg(long, default_value_t = Bound::FULL.crashes)]
    crashes: u16,
    /// Snoozes and returns.
    #[arg(long, default_value_t = Bound::FULL.forgiven)]
    forgiven: u8,
    /// Wishes to cancel.
    #[arg(long, default_value_t = Bound::FULL.cancels)]
    cancels: u8,
    /// Second lives.
    #[arg(long, default_value_t = Bound::FULL.revivals)]
    revivals: u8,
}

impl From<BoundArgs> for Bound {
    fn from(args: BoundArgs) -> Self {
        let BoundArgs { workers, jobs, faults, attempts, crashes, forgiven, cancels, revivals } = args;
        Self { workers, jobs, faults, attempts, crashes, forgiven, cancels, revivals }
    }
}
