//! Which days are simulated, and what is kept of them.

use std::{path::Path, time::Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use store::testing::TestDatabase;

use crate::{
    config::Cli,
    day::{Backfill, Setup, simulate},
    outcome::Outcome,
};

/// Cores for photographs and films, for scale 1, unless others are asked for.
const CORES: [f64; 6] = [1.6, 2.4, 3.2, 4.8, 6.4, 8.0];
/// Cores for packages and what is made again, for scale 1.
const BULK_CORES: f64 = 0.8;

/// A day, and how long it took to live through it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Simulated {
    /// What it came to.
    pub outcome: Outcome,
    /// In real seconds.
    pub wall_s: f64,
}

/// Every day that `cli` asks for: one for each scale and number of cores. Where nobody chose the cores, also two in which
/// the archive is rendered elsewhere or not at all, with the last number of cores but one.
pub fn setups(cli: &Cli) -> Vec<Setup> {
    cli.scale.iter().flat_map(|scale| of_scale(cli, *scale)).collect()
}

fn of_scale(cli: &Cli, scale: f64) -> Vec<Setup> {
    let cores = match cli.cores.as_slice() {
        [] => CORES.iter().map(|cores| (cores * scale).ceil() as usize).collect(),
        chosen => chosen.to_vec(),
    };
    let setup = |cores, backfill| Setup {
        scale,
        cores,
        bulk_cores: (BULK_CORES * scale).ceil() as usize,
        backfill,
        seed: cli.seed,
        step_ms: cli.step_ms,
        claim_max: cli.claim_max,
        ..Setup::default()
    };
    let mut setups: Vec<Setup> = cores.iter().map(|cores| setup(*cores, Backfill::Bulk)).collect();
    if let Some(cores) = compared(&cores).filter(|_| cli.cores.is_empty()) {
        setups.extend([Backfill::None, Backfill::Media].map(|backfill| setup(cores, backfill)));
    }
    setups
}

/// With how many cores the archive is rendered in other ways.
fn compared(cores: &[usize]) -> Option<usize> {
    cores.iter().rev().nth(1).or(cores.first()).copied()
}

/// Lives through a day on a database of its own, on the server at `url`.
///
/// # Errors
/// When the database fails, or the ledger and the simulation do not agree.
pub async fn live(url: &str, setup: &Setup) -> anyhow::Result<Simulated> {
    let began = Instant::now();
    let database = TestDatabase::create_at(url.to_owned()).await;
    let outcome = simulate(&database, setup).await?;
    Ok(Simulated { outcome, wall_s: began.elapsed().as_secs_f64() })
}

/// The days kept in a file; none when there is no such file.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn kept(path: &Path) -> anyhow::Result<Vec<Simulated>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} does not hold days", path.display()))
}

/// Keeps days in a file.
///
/// # Errors
/// When the file cannot be written.
pub fn keep(path: &Path, days: &[Simulated]) -> anyhow::Result<()> {
    let text = serde_json::to_string(days)?;
    std::fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn cores_follow_the_scale_unless_they_are_chosen() {
        let cores = |args: &[&str]| {
            setups(&Cli::parse_from(args))
                .into_iter()
                .filter(|setup| setup.backfill == Backfill::Bulk)
                .map(|setup| setup.cores)
                .collect::<Vec<_>>()
        };
        assert_eq!(cores(&["simulate", "--scale", "10"]), [16, 24, 32, 48, 64, 80]);
        assert_eq!(cores(&["simulate", "--scale", "1", "--cores", "2,5"]), [2, 5]);
    }

    #[test]
    fn other_ways_to_render_the_archive_are_tried_once_a_scale() {
        let setups = super::setups(&Cli::parse_from(["simulate", "--scale", "1,10"]));
        let others: Vec<usize> =
            setups.iter().filter(|day| day.backfill == Backfill::Media).map(|day| day.cores).collect();
        assert_eq!(others, [7, 64]);
        let chosen = super::setups(&Cli::parse_from(["simulate", "--cores", "2,5"]));
        assert!(
            chosen.iter().all(|day| day.backfill == Backfill::Bulk),
            "those that were asked for, and no other"
        );
    }
}
