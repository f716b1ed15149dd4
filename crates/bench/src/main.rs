//! `bench`: measures a whole Crewline as its users meet it, with others beside it on the same machine in the same run.
//!
//! Ours and theirs take turns, and the middle of the rounds counts: a machine that is slow for a minute is slow for both.
//! **Invariant:** whatever happens, every process that was started is ended.

mod config;
mod cpu;
mod crewline;
mod depth;
mod figure;
mod goals;
mod http;
mod intake;
mod latency;
mod peers;
mod process;
mod recovery;
mod servers;
mod sql;
mod stage;
mod statements;
mod table;
mod throughput;
mod wipe;
mod yardsticks;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use testkit::{line, unless_told_to_stop};

use crate::{
    config::{Cli, Part, QueueArgs, Subject},
    figure::{Figure, Verdict},
    peers::Peers,
    servers::Servers,
    stage::{Pace, Stage},
};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Subject::Queue(args) = Cli::parse().subject;
    unless_told_to_stop(queue(&args)).await
}

async fn queue(args: &QueueArgs) -> anyhow::Result<ExitCode> {
    let parts = if args.only.is_empty() { Part::value_variants() } else { &args.only };
    let stage = set_stage(args)?;
    let postgres = stage.servers.postgres_version().await?;
    if args.statements {
        statements::count(&stage.servers).await?;
    }
    let mut figures = Vec::new();
    for part in parts {
        figures.extend(Box::pin(measure(&stage, *part)).await.with_context(|| format!("{part:?}"))?);
        if args.statements {
            statements::show(&stage.servers).await?;
        }
        // Written as it grows, so that a run that is broken off has told what it saw.
        if let Some(path) = &args.json {
            table::write_json(path, &figures)?;
        }
    }
    table::print(&figures);
    if let Some(path) = &args.page {
        table::write_page(path, &figures, &when(args, &stage, &postgres))?;
    }
    let missed = figures.iter().filter(|figure| figure.verdict == Verdict::Missed).count();
    line(&format!(
        "\n{} figures, {missed} below their floor. {}",
        figures.len(),
        when(args, &stage, &postgres)
    ));
    Ok(ExitCode::SUCCESS)
}

async fn measure(stage: &Stage, part: Part) -> anyhow::Result<Vec<Figure>> {
    match part {
        Part::Throughput => throughput::measure(stage).await,
        Part::Intake => {
            let mut figures = intake::one_by_one(stage).await?;
            figures.push(yardsticks::redis_pushes(stage).await?);
            Ok(figures)
        }
        Part::Batch => intake::by_the_thousand(stage).await,
        Part::Latency => latency::measure(stage).await,
        Part::Depth => depth::measure(stage).await,
        Part::Recovery => recovery::measure(stage).await,
        Part::Wipe => wipe::measure(stage).await,
    }
}

fn set_stage(args: &QueueArgs) -> anyhow::Result<Stage> {
    let quick = args.quick;
    let pace = Pace {
        rounds: args.rounds.unwrap_or(if quick { 1 } else { 3 }),
        jobs: if quick { 30_000 } else { 400_000 },
        jobs_of_slow: if quick { 10_000 } else { 50_000 },
        intake: Duration::from_secs(if quick { 2 } else { 5 }),
        probes: if quick { 100 } else { 300 },
        waiting: args.waiting.unwrap_or(if quick { 100_000 } else { 1_000_000 }),
        slots: args.slots,
    };
    let programs = programs(args)?;
    let logs = args.logs.clone().unwrap_or_else(|| std::env::temp_dir().join("crewline-bench-log"));
    std::fs::create_dir_all(&logs).with_context(|| format!("could not make {}", logs.display()))?;
    let peers = match &args.peers {
        Some(folder) if !args.no_peers => Peers::find(folder),
        _ => Peers::none(),
    };
    Ok(Stage::set(
        pace,
        programs,
        logs,
        Servers::start(if args.statements { &statements::SETTINGS } else { &[] })?,
        peers,
    ))
}

fn programs(args: &QueueArgs) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("could not find this program")?;
    let folder = args.programs.clone().or_else(|| Some(here.parent()?.to_path_buf())).unwrap_or_default();
    for name in ["api", "workers"] {
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

/// When, where and how thoroughly, in one line.
fn when(args: &QueueArgs, stage: &Stage, postgres: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!(
        "Measured {}, {cores} cores, Postgres {postgres}, the middle of {} rounds{}{}.",
        chrono::Utc::now().format("%Y-%m-%d %H:%M UTC"),
        stage.pace.rounds,
        if args.quick { " (quick)" } else { "" },
        if cfg!(debug_assertions) { ", by a debug build" } else { "" },
    )
}
