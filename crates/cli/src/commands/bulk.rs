//! `crewline bulk`.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::{Args, ValueEnum};
use client::{Client, types};

use crate::{
    ending::{Ending, TooLong},
    output::Output,
};

/// How often an operation is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is done.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Action {
    /// Run ended jobs again, and let waiting ones skip their wait
    Retry,
    /// Stop live jobs
    Cancel,
    /// Give waiting jobs up
    Discard,
    /// Move waiting jobs to the end of the line of another priority
    Reprioritise,
}

/// `crewline bulk`.
#[derive(Debug, Args)]
pub(crate) struct BulkArgs {
    /// What to do
    action: Action,
    /// Jobs in this state; may be given again
    #[arg(long = "state", required = true)]
    states: Vec<String>,
    /// Only jobs of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only jobs in this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only jobs with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only jobs whose latest error has this code
    #[arg(long)]
    error_code: Option<String>,
    /// The priority they get, 1 to 4
    #[arg(long)]
    priority: Option<i64>,
    /// How many you believe to fit: when the number has moved by more than a tenth, nothing is done
    #[arg(long, value_name = "COUNT")]
    expect: Option<i64>,
    #[command(flatten)]
    how: HowArgs,
}

/// Whether, and how long to wait for it.
#[derive(Debug, Args)]
pub(crate) struct HowArgs {
    /// Only count them and show some
    #[arg(long)]
    dry_run: bool,
    /// Wait until it is done
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Longest to wait, in seconds
    #[arg(long, requires = "wait", value_name = "SECONDS", default_value_t = 3_600)]
    timeout: u64,
}

pub(crate) async fn run(client: &Client, args: BulkArgs, output: Output) -> anyhow::Result<Ending> {
    let action = args.action.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let new = types::NewBulkOperation {
        action,
        filter: types::BulkFilter {
            states: args.states,
            kind: args.kind,
            queue: args.queue,
            tag: args.tag,
            error_code: args.error_code,
            ..types::BulkFilter::default()
        },
        priority: args.priority,
        expected_count: args.expect,
        dry_run: None,
    };
    begin(client, new, &args.how, output).await
}

/// Begins `new`, or counts what it would meet.
pub(crate) async fn begin(
    client: &Client,
    new: types::NewBulkOperation,
    how: &HowArgs,
    output: Output,
) -> anyhow::Result<Ending> {
    let new = types::NewBulkOperation { dry_run: Some(how.dry_run), ..new };
    let answer = client.begin_bulk_operation(&new).await?;
    if !how.wait {
        output.one(&answer)?;
        return Ok(Ending::Done);
    }
    let (longest, id) = (Duration::from_secs(how.timeout), answer["id"].as_str().unwrap_or_default());
    let Ok(ended) = tokio::time::timeout(longest, until_done(client, id, output)).await else {
        anyhow::bail!(TooLong(format!(
            "{id} is not done within {} s; look after it with crewline operations show {id}",
            how.timeout
        )));
    };
    let ended = ended?;
    output.one(&ended)?;
    Ok(if ended.state == "completed" { Ending::Done } else { Ending::Failed })
}

async fn until_done(client: &Client, id: &str, output: Output) -> anyhow::Result<types::BulkOperation> {
    let mut held = None;
    loop {
        let operation = client.get_bulk_operation(id).await?;
        let holds = match operation.state.as_str() {
            "completed" | "cancelled" | "failed" => return Ok(operation),
            "waiting" => Some("waits for a second person: crewline operations confirm"),
            "paused" => Some("is paused: crewline operations resume"),
            _ => None,
        };
        if let Some(holds) = holds.filter(|_| holds != held && !output.json) {
            // The standard output has the operation once it is done, for scripts.
            writeln!(io::stderr().lock(), "{id} {holds} {id}")?;
        }
        held = holds;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
