//! `bench queue`: every figure of the queue, on servers of this run.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use clap::ValueEnum;

use crate::{
    config::{Part, QueueArgs},
    depth,
    figure::Figure,
    hooks, intake, latency,
    peers::Peers,
    recovery,
    report::{self, Report},
    servers::Servers,
    stage::{Pace, Stage},
    statements, table, throughput, wipe, yardsticks,
};

/// Measures what was asked for.
pub(crate) async fn run(args: &QueueArgs) -> anyhow::Result<ExitCode> {
    let parts = if args.only.is_empty() { Part::value_variants() } else { &args.only };
    let stage = set_stage(args)?;
    let postgres = stage.servers.postgres_version().await?;
    if args.statements {
        statements::count(&stage.servers).await?;
    }
    let mut report = Report::begin(&args.run, table::QUEUE);
    for part in parts {
        report.add(Box::pin(measure(&stage, *part)).await.with_context(|| format!("{part:?}"))?)?;
        if args.statements {
            statements::show(&stage.servers).await?;
        }
    }
    report.close(&report::when(&args.run, &format!("Postgres {postgres}"), args.only.is_empty()))
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
        Part::Hooks => hooks::measure(stage).await,
        Part::Latency => latency::measure(stage).await,
        Part::Depth => depth::measure(stage).await,
        Part::Recovery => recovery::measure(stage).await,
        Part::Wipe => wipe::measure(stage).await,
    }
}

fn set_stage(args: &QueueArgs) -> anyhow::Result<Stage> {
    let quick = args.run.quick;
    let pace = Pace {
        rounds: args.run.rounds(),
        jobs: if quick { 30_000 } else { 400_000 },
        jobs_of_slow: if quick { 10_000 } else { 50_000 },
        intake: Duration::from_secs(if quick { 2 } else { 5 }),
        probes: if quick { 100 } else { 300 },
        waiting: args.waiting.unwrap_or(if quick { 100_000 } else { 1_000_000 }),
        slots: args.slots,
    };
    let programs = args.run.programs(&["api", "workers"])?;
    let logs = args.run.logs()?;
    let peers = args.run.peers().map_or_else(Peers::none, Peers::find);
    let servers = Servers::start(if args.statements { &statements::SETTINGS } else { &[] })?;
    Ok(Stage::set(pace, programs, logs, servers, peers))
}
