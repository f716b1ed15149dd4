//! What `bench` is told on its command line.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

/// Measures a whole Crewline, and others beside it in the same run.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// What to measure
    #[command(subcommand)]
    pub(crate) subject: Subject,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Subject {
    /// The queue: throughput, intake, latency, depth, recovery
    Queue(QueueArgs),
    /// Media: ladders of pictures, streams of films
    Media(MediaArgs),
    /// The dashboard: its pages over a large ledger
    Dashboard(DashboardArgs),
}

/// A figure, or a few that one measurement yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// No-op jobs a second by two worker processes, with row writes and WAL a job
    Throughput,
    /// One job a request, 64 connections
    Intake,
    /// A thousand jobs a request
    Batch,
    /// Webhooks that come at a steady pace, and how soon each is answered
    Hooks,
    /// From the request sent to the handler begun, on an idle system
    Latency,
    /// All of it over a million waiting jobs, and the bytes of a waiting job
    Depth,
    /// A worker killed while it works
    Recovery,
    /// Redis emptied while 10,000 jobs wait
    Wipe,
}

/// The same, of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MediaPart {
    /// The ladder of one photograph
    Single,
    /// Photograph after photograph, two at once
    Throughput,
    /// What one ladder takes of memory
    Memory,
    /// How good the pictures are at the same size
    Quality,
    /// Three streams of a film, with sound, poster and storyboard
    Film,
    /// A long film in parts on two workers
    Parts,
}

/// `bench queue`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  bench queue                        everything, about ten minutes\n  \
                  bench queue --quick --no-peers     a smoke run of our own figures\n  \
                  bench queue --only throughput      one figure; may be given several times\n  \
                  bench queue --only depth --waiting 10m --rounds 1\n\
                  It starts servers of its own. ./dev bench builds the programs first and ends whatever is left.")]
pub(crate) struct QueueArgs {
    /// Only this figure; may be given several times
    #[arg(long, value_enum)]
    pub(crate) only: Vec<Part>,
    /// Jobs that wait while depth is measured, such as 200k or 10m; 1m, or 100k with --quick, unless given
    #[arg(long, value_parser = count)]
    pub(crate) waiting: Option<u64>,
    /// Slots of each of our worker processes
    #[arg(long, default_value_t = 2_048)]
    pub(crate) slots: u32,
    /// Say after each figure which statements took Postgres how long; the figures suffer a little for it
    #[arg(long)]
    pub(crate) statements: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// `bench media`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bench media --sources FOLDER                everything, half an hour\n  \
                  bench media --sources FOLDER --only film    one figure; may be given several times\n\
                  ./dev bench builds the programs, fetches the peers and makes the sources first."
)]
pub(crate) struct MediaArgs {
    /// Only this figure; may be given several times
    #[arg(long, value_enum)]
    pub(crate) only: Vec<MediaPart>,
    /// Minutes of the film that is made in parts
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=60))]
    pub(crate) film_minutes: u32,
    /// Seconds of each of its parts, in whole groups of two
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(2..=600))]
    pub(crate) part_s: u32,
    /// Where the photographs and the films to measure with lie, as ./dev bench makes them
    #[arg(long, value_name = "FOLDER")]
    pub(crate) sources: PathBuf,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// `bench dashboard`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bench dashboard                  ten million jobs: some minutes and 12 GB of disk\n  \
                  bench dashboard --jobs 1m        the same of a million\n\
                  It starts servers of its own. ./dev bench builds the programs first and ends whatever is left."
)]
pub(crate) struct DashboardArgs {
    /// Jobs in the ledger, such as 200k or 10m; 10m, or 200k with --quick, unless given
    #[arg(long, value_parser = count)]
    pub(crate) jobs: Option<u64>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// What every subject is told: how thorough to be, whom to measure, and where what was seen goes.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// One short round of each: shows that everything works, proves little
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds of each, ours and theirs in turn; the middle one counts. 3, or 1 with --quick, unless given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: Option<u32>,
    /// Measure nobody but ourselves
    #[arg(long)]
    no_peers: bool,
    /// Write every figure to this file
    #[arg(long, value_name = "PATH")]
    pub(crate) json: Option<PathBuf>,
    /// Write the table into this page, between its markers; figures that were not measured keep their line
    #[arg(long, value_name = "PATH")]
    pub(crate) page: Option<PathBuf>,
    /// Where our programs lie; beside this one unless given
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Where the peers were installed, as ./dev bench does it; without it hardly anybody stands beside us
    #[arg(long, value_name = "FOLDER")]
    peers: Option<PathBuf>,
    /// Where what the programs log is kept
    #[arg(long, value_name = "FOLDER")]
    logs: Option<PathBuf>,
}

impl RunArgs {
    /// Rounds of each figure.
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// Where the peers lie, if there are to be any.
    pub(crate) fn peers(&self) -> Option<&Path> {
        self.peers.as_deref().filter(|_| !self.no_peers)
    }

    /// A folder for what is logged.
    pub(crate) fn logs(&self) -> anyhow::Result<PathBuf> {
        let logs = self.logs.clone().unwrap_or_else(|| std::env::temp_dir().join("crewline-bench-log"));
        std::fs::create_dir_all(&logs).with_context(|| format!("could not make {}", logs.display()))?;
        Ok(logs)
    }

    /// The folder in which all of `names` lie.
    pub(crate) fn programs(&self, names: &[&str]) -> anyhow::Result<PathBuf> {
        let here = std::env::current_exe().context("could not find this program")?;
        let folder = self.programs.clone().or_else(|| Some(here.parent()?.to_path_buf())).unwrap_or_default();
        for name in names {
            let program = folder.join(name);
            anyhow::ensure!(
                program.exists(),
                "{} is not there; ./dev bench builds it, or: cargo build --release -p api -p workers -p bench \
                 --features api/embedded-s3",
                program.display()
            );
        }
        Ok(folder)
    }
}

/// `200k`, `10m`, `5000`.
fn count(text: &str) -> Result<u64, String> {
    let text = text.to_ascii_lowercase();
    let (number, scale) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 1_000),
        Some(b'm') => (&text[..text.len() - 1], 1_000_000),
        _ => (text.as_str(), 1),
    };
    let number: u64 = number.parse().map_err(|_| "a number, which may end in k or m".to_owned())?;
    (1_000..=100_000_000)
        .contains(&(number * scale))
        .then_some(number * scale)
        .ok_or_else(|| "1k to 100m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_people_write_them() {
        assert_eq!(count("10m"), Ok(10_000_000));
        assert_eq!(count("200K"), Ok(200_000));
        assert_eq!(count("5000"), Ok(5_000));
        assert!(count("ten").is_err() && count("5").is_err());
    }
}
