//! `crewline dead-letters`.

use clap::Subcommand;
use client::{Client, types};
use serde_json::json;

use crate::output::Output;

/// `crewline dead-letters`.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetterCommand {
    /// How many there are of each kind, since when, and who looks after them
    List,
    /// Say who looks after those of a kind, in place of what was said before
    Care {
        /// The kind
        kind: String,
        /// Whom to ask: a team, a person
        #[arg(long)]
        owner: Option<String>,
        /// Where it says what to do: a URL
        #[arg(long, value_name = "URL")]
        runbook: Option<String>,
        /// Within how many hours each is looked after
        #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u16).range(1..=720))]
        within: Option<u16>,
    },
    /// Take that back
    Uncare {
        /// The kind
        kind: String,
    },
}

pub(crate) async fn run(client: &Client, command: DeadLetterCommand, output: Output) -> anyhow::Result<()> {
    match command {
        DeadLetterCommand::List => {
            let kinds = client.list_dead_letters().await?.kinds;
            output.many(&["kind", "jobs", "oldest_at", "oldest_job", "late", "owner", "runbook"], &kinds)
        }
        DeadLetterCommand::Care { kind, owner, runbook, within } => {
            let look_after_s = within.map(|hours| i64::from(hours) * 3_600);
            let care = types::KindCare { owner, runbook, look_after_s };
            output.one(&client.set_kind_care(&kind, &care).await?)
        }
        DeadLetterCommand::Uncare { kind } => {
            client.remove_kind_care(&kind).await?;
            output.said("Nobody is said to look after them.", &json!({ "kind": kind }))
        }
    }
}
