//! What `simulate` is told on its command line.

use std::path::PathBuf;

use clap::Parser;

/// Lets the ledger live through a busy day in virtual time, and says how long work waits by the number of cores.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  simulate --out docs                     what docs/scaling.md shows\n  \
                  simulate --scale 10 --cores 64          one size\n  \
                  simulate --scale 0.1                    a minute's look\n\
                  It starts a Postgres of its own. ./dev simulate builds it first."
)]
pub struct Cli {
    /// Times the business as it is today: 5,000 shoots, 150,000 photographs a day
    #[arg(long, value_delimiter = ',', default_value = "1,10")]
    pub scale: Vec<f64>,
    /// Cores for photographs and films; chosen by the scale unless given
    #[arg(long, value_delimiter = ',')]
    pub cores: Vec<usize>,
    /// Which of all possible days
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How far the clock moves at once, in milliseconds
    #[arg(long, default_value_t = 5_000)]
    pub step_ms: i64,
    /// Jobs of one claim; 1 is what workers do with photographs, more is quicker
    #[arg(long, default_value_t = 64)]
    pub claim_max: usize,
    /// Write the tables into scaling.md in this folder, between its markers, and the plots beside it
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Keep finished days in this file, and do not simulate again what it has
    #[arg(long, value_name = "PATH")]
    pub keep: Option<PathBuf>,
}
