//! `faults`: does to a whole Crewline what the world does to one, and counts.
//!
//! The load comes over HTTP, the truth is read from Postgres. A row of the table is a file in `rows`.
//! **Invariant:** whatever happens, every process that was started is ended.

mod client;
mod config;
mod figure;
mod film;
mod history;
mod ledger;
mod load;
mod pace;
mod picture;
mod process;
mod rows;
mod slots;
mod stage;
mod table;
mod tally;
mod worker;
mod world;

use std::{
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Parser;
use futures::FutureExt;
use testkit::{line, unless_told_to_stop};

use crate::{
    config::Cli,
    pace::Pace,
    rows::{Ended, ROWS, Row},
    stage::Stage,
    table::{Line, Verdict},
};

/// Longest time for a row; whatever takes longer hangs.
fn row_max(pace: Pace) -> Duration {
    pace.seconds(300, 1_200, 26 * 3_600)
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    if cli.list {
        for row in ROWS {
            line(&format!("{:<4} {}", row.id, row.fault));
        }
        return Ok(ExitCode::SUCCESS);
    }
    // Before the first client is made, although none of them speaks TLS.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        anyhow::bail!("another TLS provider was installed already");
    }
    unless_told_to_stop(play(&cli)).await
}

async fn play(cli: &Cli) -> anyhow::Result<ExitCode> {
    let (pace, programs) = (cli.pace(), programs(cli)?);
    let wanted = wanted(cli)?;
    let logs = cli.logs.clone().unwrap_or_else(|| std::env::temp_dir().join("crewline-faults-log"));
    let began = Instant::now();
    let mut lines = Vec::new();
    for (index, row) in wanted.iter().enumerate() {
        line(&format!("{} ({} of {}): {}", row.id, index + 1, wanted.len(), row.fault));
        let outcome = play_row(row, pace, &programs, &logs).await?;
        table::show(&outcome);
        lines.push(outcome);
        // Written as it grows, so that a run that is broken off has told what it saw.
        if let Some(path) = &cli.json {
            table::write_json(path, &lines)?;
        }
        if let (Some(path), false) = (&cli.page, pace == Pace::Quick) {
            let order: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
            table::write_page(path, &lines, &order)?;
        }
    }
    table::print(&lines);
    let bad = lines.iter().filter(|line| !line.is_well()).count();
    line(&format!(
        "\n{} rows in {} s, {bad} that did not hold. What the programs logged is in {}.",
        lines.len(),
        began.elapsed().as_secs(),
        logs.display()
    ));
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn play_row(row: &Row, pace: Pace, programs: &Path, logs: &Path) -> anyhow::Result<Line> {
    let stage = Stage::set(row.id, pace, programs, logs)?;
    let playing = AssertUnwindSafe(tokio::time::timeout(row_max(pace), (row.run)(&stage))).catch_unwind();
    let played = playing.await;
    let took = stage.elapsed();
    let end = |verdict, figures, note| Ok(Line::of(row, pace, took, verdict, figures, note));
    match played {
        Ok(Ok(Ok(Ended::Seen(figures)))) => {
            let held = figures.iter().all(figure::Figure::holds);
            end(if held { Verdict::Held } else { Verdict::Failed }, figures, None)
        }
        Ok(Ok(Ok(Ended::NotHere(reason)))) => end(Verdict::NotShown, Vec::new(), Some(reason)),
        Ok(Ok(Err(error))) => end(Verdict::Broken, Vec::new(), Some(format!("{error:#}"))),
        Ok(Err(_)) => end(Verdict::Broken, Vec::new(), Some("it took too long".to_owned())),
        Err(_) => end(Verdict::Broken, Vec::new(), Some("the row itself panicked".to_owned())),
    }
}

fn wanted(cli: &Cli) -> anyhow::Result<Vec<&'static Row>> {
    if cli.rows.is_empty() {
        return Ok(ROWS.iter().collect());
    }
    let find = |id: &String| {
        let found = ROWS.iter().find(|row| row.id.eq_ignore_ascii_case(id));
        found.with_context(|| format!("there is no row {id}; faults --list has them"))
    };
    cli.rows.iter().map(find).collect()
}

fn programs(cli: &Cli) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("could not find this program")?;
    let folder = cli.programs.clone().or_else(|| Some(here.parent()?.to_path_buf())).unwrap_or_default();
    for name in ["api", "workers"] {
        let program = folder.join(name);
        anyhow::ensure!(
            program.exists(),
            "{} is not there; ./dev faults builds it, or: cargo build -p api -p workers -p faults --all-features",
            program.display()
        );
    }
    Ok(folder)
}
