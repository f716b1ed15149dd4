//! `simulate`: lives through busy days, and writes down what came of them.

use std::process::ExitCode;

use clap::Parser;
use simulate::{
    config::Cli,
    page, plot,
    study::{self, Simulated},
};
use testkit::{PostgresServer, line, unless_told_to_stop};

/// Nothing of a day that was made up is worth waiting for a disk.
const VOLATILE: [&str; 3] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    anyhow::ensure!(cli.step_ms > 0 && cli.claim_max > 0, "a step and a claim have to be more than nothing");
    anyhow::ensure!(cli.scale.iter().all(|scale| *scale > 0.0), "a scale has to be more than nothing");
    anyhow::ensure!(cli.cores.iter().all(|cores| *cores > 0), "without a core nothing is ever done");
    unless_told_to_stop(live(&cli)).await
}

async fn live(cli: &Cli) -> anyhow::Result<ExitCode> {
    let mut kept = cli.keep.as_deref().map_or_else(|| Ok(Vec::new()), study::kept)?;
    let setups = study::setups(cli);
    let mut server = None;
    let mut days: Vec<Simulated> = Vec::new();
    for (nth, setup) in setups.iter().enumerate() {
        if let Some(day) = kept.iter().find(|day| day.outcome.setup == *setup) {
            days.push(day.clone());
            continue;
        }
        line(&format!("day {} of {}: {}", nth + 1, setups.len(), page::title(setup)));
        let server = match &server {
            Some(server) => server,
            None => server.insert(PostgresServer::start_with(&VOLATILE)?),
        };
        let day = study::live(&server.url(), setup).await?;
        line(&format!("  {}", page::in_a_line(&day)));
        kept.push(day.clone());
        days.push(day);
        if let Some(path) = &cli.keep {
            study::keep(path, &kept)?;
        }
    }
    for scale in &cli.scale {
        let of_scale: Vec<&Simulated> =
            days.iter().filter(|day| day.outcome.setup.scale.total_cmp(scale).is_eq()).collect();
        let tables = page::tables(&of_scale);
        line(&format!("\n{tables}"));
        if let Some(folder) = &cli.out {
            plot::write(&folder.join(page::plot_name(*scale)), &of_scale)?;
            page::write(&folder.join("scaling.md"), *scale, &tables)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
