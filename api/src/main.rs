//! The program: `api serve` and the commands around it. `api --help` is the reference.

mod commands;
mod config;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use config::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // One provider for everything in this process that speaks TLS. Installing fails only when there is one already.
    drop(rustls::crypto::ring::default_provider().install_default());
    match run(cli.command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The error with its causes on one line: for people, and when nothing has set up the log yet.
            drop(writeln!(io::stderr().lock(), "error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => commands::serve::run(&args).await,
        Command::Migrate(args) => commands::migrate(&args.database).await,
        Command::Tenant(args) => commands::tenant::run(&args).await,
        Command::Key(args) => commands::key::run(&args).await,
        Command::User(args) => commands::user::run(&args).await,
        Command::Audit(args) => commands::audit::run(&args).await,
        Command::Limit(args) => commands::limit::run(&args).await,
        Command::Pause(args) => commands::pause::run(&args).await,
        Command::Openapi => commands::openapi(),
        Command::Healthcheck(args) => commands::healthcheck::run(&args).await,
        #[cfg(feature = "embedded-s3")]
        Command::S3(args) => commands::s3::run(&args).await,
    }
}
