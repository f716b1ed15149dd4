//! What the machine can do at all: a bare insert with its commit, a bare push.

use std::{process::Command, time::Duration};

use anyhow::Context;
use testkit::until;

use crate::{figure::Figure, process::Process, stage::Stage};

/// The database of the yardstick.
const DATABASE: &str = "yardstick";

/// One-row inserts a second, each a transaction on disk, by `pgbench` with `clients`.
pub(crate) async fn pgbench_inserts(stage: &Stage, clients: u32) -> anyhow::Result<f64> {
    let said = insert_by_pgbench(stage, clients, &["-j", "2"]).await?;
    said.lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .context("pgbench did not say tps")
}

/// How long each of such inserts took in milliseconds, from when it was due, when `per_s` of them come at random times.
/// Those of the first `warm_up` are left out.
pub(crate) async fn pgbench_waits(
    stage: &Stage,
    clients: u32,
    per_s: u32,
    warm_up: Duration,
) -> anyhow::Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let log = format!("--log-prefix={}", folder.path().join("wait").display());
    insert_by_pgbench(stage, clients, &["-j", "1", "-l", &log, "-R", &per_s.to_string()]).await?;
    // One thread, so one file.
    let file = std::fs::read_dir(folder.path())?.next().context("pgbench kept no log")??.path();
    let text = std::fs::read_to_string(file)?;
    let waits: Vec<(f64, f64)> = text.lines().filter_map(wait_of).collect();
    let begin = waits.iter().map(|(at_s, _)| *at_s).fold(f64::INFINITY, f64::min) + warm_up.as_secs_f64();
    Ok(waits.into_iter().filter(|(at_s, _)| *at_s >= begin).map(|(_, wait_ms)| wait_ms).collect())
}

/// When a transaction ended, in seconds since 1970, and how many milliseconds it had taken, by its line in the log of `pgbench`.
fn wait_of(line: &str) -> Option<(f64, f64)> {
    let fields: Vec<f64> = line.split(' ').map_while(|field| field.parse().ok()).collect();
    let [_client, _number, took_us, _script, s, us, ..] = fields[..] else { return None };
    Some((s + us / 1e6, took_us / 1e3))
}

async fn insert_by_pgbench(stage: &Stage, clients: u32, more: &[&str]) -> anyhow::Result<String> {
    let sql = stage.servers.fresh_database(DATABASE).await?;
    sql.run("create table letter (id bigint generated always as identity primary key, args jsonb not null)")
        .await?;
    drop(sql);
    stage.servers.settle().await?;
    let script = stage.logs.join("insert.sql");
    std::fs::write(&script, "insert into letter (args) values ('{\"work_ms\":0}');\n")?;
    let mut command = Command::new(pgbench());
    command
        .args(["-n", "-M", "prepared", "-c", &clients.to_string()])
        .args(["-T", &stage.pace.intake.as_secs().max(1).to_string()])
        .args(more)
        .arg("-f")
        .arg(&script)
        .arg(stage.servers.database_url(DATABASE));
    let said = run(stage, &mut command, "pgbench").await?;
    stage.servers.drop_database(DATABASE).await?;
    Ok(said)
}

/// Debian's wrapper picks another version when several are there; the one beside the server is wanted.
fn pgbench() -> String {
    let mut found: Vec<String> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin/pgbench"))
        .filter(|path| path.exists())
        .map(|path| path.display().to_string())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| "pgbench".to_owned())
}

/// Pushes a second by `redis-benchmark` with 16 clients, for the reader who wants to compare machines.
pub(crate) async fn redis_pushes(stage: &Stage) -> anyhow::Result<Figure> {
    let port = stage.servers.redis.port().to_string();
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &port, "-t", "lpush", "-c", "16", "-n", "100000", "-q", "--csv"]);
    let said = run(stage, &mut command, "redis-benchmark").await?;
    stage.servers.empty_redis()?;
    let rate = said
        .lines()
        .find_map(|line| line.strip_prefix("\"LPUSH\",\"")?.split('"').next()?.parse::<f64>().ok())
        .context("redis-benchmark did not say how many")?;
    Ok(Figure::of("yardstick: redis-benchmark LPUSH, 16 clients", rate, "ops/s"))
}

async fn run(stage: &Stage, command: &mut Command, name: &str) -> anyhow::Result<String> {
    let mut process = Process::start(command, name, &stage.logs)?;
    until(&format!("{name} to end"), Duration::from_mins(2), Duration::from_millis(50), || {
        let runs = process.runs();
        async move { (!runs).then_some(()) }
    })
    .await?;
    Ok(process.said())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_pgbench_says_when_and_how_long() {
        let (at_s, wait_ms) = wait_of("3 17 2250 0 1700000000 500000 31").unwrap();
        assert!((at_s - 1_700_000_000.5).abs() < 1e-3 && (wait_ms - 2.25).abs() < 1e-9);
        assert!(wait_of("3 17 skipped 0 1700000000 500000").is_none());
    }
}
