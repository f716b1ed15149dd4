//! What `faults` is told on its command line.

use std::path::PathBuf;

use clap::Parser;

use crate::pace::Pace;

/// Does to a whole Crewline what the world does to one, counts what was lost, and says so in a table.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  faults                          every row, some minutes each\n  \
                  faults --row F7 --row F9        two of them\n  faults --quick                  a smoke run\n\
                  It starts servers of its own. ./dev faults builds the programs first and ends whatever is left."
)]
pub(crate) struct Cli {
    /// Only this row; may be given several times
    #[arg(long = "row", value_name = "F7")]
    pub(crate) rows: Vec<String>,
    /// Some seconds a row: shows that everything works, proves little
    #[arg(long, conflicts_with = "long")]
    pub(crate) quick: bool,
    /// As long as the figures ask for: 30 minutes for F1, a day for F28
    #[arg(long)]
    pub(crate) long: bool,
    /// Write everything that was seen to this file
    #[arg(long, value_name = "PATH")]
    pub(crate) json: Option<PathBuf>,
    /// Write the table into this page, between its markers; rows that did not run keep their line
    #[arg(long, value_name = "PATH")]
    pub(crate) page: Option<PathBuf>,
    /// Where the programs api and workers lie; beside this one unless given
    #[arg(long, value_name = "FOLDER")]
    pub(crate) programs: Option<PathBuf>,
    /// Where what the programs log is kept, a folder a row
    #[arg(long, value_name = "FOLDER")]
    pub(crate) logs: Option<PathBuf>,
    /// List the rows and end
    #[arg(long)]
    pub(crate) list: bool,
}

impl Cli {
    pub(crate) fn pace(&self) -> Pace {
        match (self.quick, self.long) {
            (true, _) => Pace::Quick,
            (_, true) => Pace::Long,
            _ => Pace::Usual,
        }
    }
}
