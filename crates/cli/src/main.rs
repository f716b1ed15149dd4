//! `crewline`: the API from a terminal, and from scripts. `crewline --help` is the reference, `docs/command-line.md` the guide.
//!
//! **Invariant:** it knows the API and nothing else. What it can do, any client can.

mod commands;
mod config;
mod ending;
mod follow;
mod output;
mod profiles;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use config::Cli;
use ending::Ending;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
            drop(writeln!(io::stderr().lock(), "{}", ending::told_json(&error.to_string(), None)));
            std::process::exit(Ending::Usage.code().into());
        }
        error.exit()
    });
    let is_json = cli.place.json;
    let ending = match commands::run(cli).await {
        Ok(ending) => ending,
        Err(error) if output::is_closed(&error) => Ending::Done,
        Err(error) => {
            drop(writeln!(io::stderr().lock(), "{}", ending::told(&error, is_json)));
            Ending::of(&error)
        }
    };
    ExitCode::from(ending.code())
}
