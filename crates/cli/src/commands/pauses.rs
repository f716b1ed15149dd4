//! `crewline pause`.

use chrono::{TimeDelta, Utc};
use clap::Args;
use client::{Client, types};

use crate::output::Output;

/// `crewline pause`.
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    /// Only jobs of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only jobs of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Why, for whoever finds the work standing still
    #[arg(long)]
    reason: String,
    /// For how many minutes; until somebody resumes it unless given
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..))]
    minutes: Option<u32>,
}

pub(crate) async fn pause(client: &Client, args: PauseArgs, output: Output) -> anyhow::Result<()> {
    let new = types::NewPause {
        queue: args.queue,
        kind: args.kind,
        reason: args.reason,
        expires_at: args.minutes.map(|minutes| Utc::now() + TimeDelta::minutes(minutes.into())),
        ..types::NewPause::default()
    };
    let pause = client.pause(&new).await?;
    output.said(&pause.id, &pause)
}
