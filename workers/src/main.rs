//! The `workers` program.

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use workers::{
    config::{Cli, Command, RunArgs},
    huge_pages, media_child, picture_child, runtime,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::MediaChild { memory_bytes } => {
            media_child::serve(memory_bytes, picture_child::answer)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(args) => {
            huge_pages::avoid();
            tokio::runtime::Runtime::new()?.block_on(run(*args))
        }
    }
}

async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    // Before the first TLS connection: one provider for everything.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        anyhow::bail!("another TLS provider was installed already");
    }
    let _telemetry = telemetry::init(&args.log.options("workers"))?;
    let prometheus = telemetry::metrics::install_prometheus()?;
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    runtime::run(args, prometheus, stop).await
}
