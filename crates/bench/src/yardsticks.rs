//! What the machine can do at all: a bare insert with its commit, a bare push.

use std::{process::Command, time::Duration};

use anyhow::Context;
use testkit::until;

use crate::{figure::Figure, process::Process, stage::Stage};

/// The database of the yardstick.
const DATABASE: &str = "yardstick";

/// One-row inserts a second, each a transaction on disk, by `pgbench` with `clients`.
pub(crate) async fn pgbench_inserts(stage: &Stage, clients: u32) -> anyhow::Result<f64> {
    let sql = stage.servers.fresh_database(DATABASE).await?;
    sql.run("create table letter (id bigint generated always as identity primary key, args jsonb not null)")
        .await?;
    drop(sql);
    stage.servers.settle().await?;
    let script = stage.logs.join("insert.sql");
    std::fs::write(&script, "insert into letter (args) values ('{\"work_ms\":0}');\n")?;
    let mut command = Command::new(pgbench());
    command
        .args(["-n", "-M", "prepared", "-j", "2", "-c", &clients.to_string()])
        .args(["-T", &stage.pace.intake.as_secs().max(1).to_string()])
        .arg("-f")
        .arg(&script)
        .arg(stage.servers.database_url(DATABASE));
    let said = run(stage, &mut command, "pgbench").await?;
    stage.servers.drop_database(DATABASE).await?;
    said.lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .context("pgbench did not say tps")
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
