//! `bench`: measures a whole Crewline as its users meet it, with others beside it on the same machine in the same run.
//!
//! Ours and theirs take turns, and the middle of the rounds counts: a machine that is slow for a minute is slow for both.
//! **Invariant:** whatever happens, every process that was started is ended.

mod clock;
mod config;
mod cpu;
mod crewline;
mod dashboard;
mod depth;
mod figure;
mod goals;
mod hooks;
mod http;
mod intake;
mod latency;
mod ledger;
mod media;
mod memory;
mod peers;
mod process;
mod queue;
mod recovery;
mod report;
mod servers;
mod sql;
mod stage;
mod statements;
mod table;
mod throughput;
mod wipe;
mod yardsticks;

use std::process::ExitCode;

use clap::Parser;
use testkit::unless_told_to_stop;

use crate::config::{Cli, Subject};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().subject {
        Subject::Queue(args) => unless_told_to_stop(queue::run(&args)).await,
        Subject::Media(args) => unless_told_to_stop(media::run(&args)).await,
        Subject::Dashboard(args) => unless_told_to_stop(dashboard::run(&args)).await,
    }
}
