//! `crewline workers` and `crewline drain`.

use client::{Client, types::Worker};
use serde_json::{Value, json};

use crate::output::Output;

const COLUMNS: [&str; 8] =
    ["name", "host", "version", "queues", "running", "memory_bytes", "seen_at", "draining"];

/// `crewline workers`: who is there.
pub(crate) async fn list(client: &Client, output: Output) -> anyhow::Result<()> {
    let workers = client.list_workers().await?.workers;
    if output.json {
        return output.many(&COLUMNS, &workers);
    }
    let rows = workers.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    output.many(&COLUMNS, &rows)
}

/// A worker with its queues in few words.
fn row(worker: &Worker) -> anyhow::Result<Value> {
    let mut row = serde_json::to_value(worker)?;
    let queues: Vec<String> = worker.queues.iter().map(|of| format!("{} {}", of.queue, of.slots)).collect();
    row["queues"] = queues.join(", ").into();
    Ok(row)
}

/// `crewline drain`: asks a worker to end.
pub(crate) async fn drain(client: &Client, worker: &str, output: Output) -> anyhow::Result<()> {
    let asked = client.drain_worker(worker).await?;
    output.said("It claims nothing more, ends what it has, and goes.", &json!(asked))
}
