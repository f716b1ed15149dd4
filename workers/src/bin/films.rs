//! The `films` program: the child process of `workers` that makes films. A program of its own, because libav and what it
//! stands on are a hundred libraries: a worker, and its children that make pictures, start and live without them.

use clap::Parser;
use workers::{film_child, media_child};

/// Makes films for a parent process (used by `workers run`; not for people).
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Most address space this process may use
    #[arg(long)]
    memory_bytes: u64,
}

fn main() -> anyhow::Result<()> {
    media_child::serve(Cli::parse().memory_bytes, film_child::answer)
}
