//! `crewline match-presets`.

use clap::Subcommand;
use client::{Client, types};
use serde_json::{Value, json};

use super::{submit::read_args, usage};
use crate::output::Output;

/// `crewline match-presets`.
#[derive(Debug, Subcommand)]
pub(crate) enum MatchPresetCommand {
    /// Rules of yours for finding somebody, by name
    List,
    /// Keep rules under a name
    Set {
        /// Their name
        name: String,
        /// The rules as JSON; @FILE reads them from a file, - from the standard input
        #[arg(long, value_name = "JSON")]
        terms: String,
        /// The version that you saw; none for a new name
        #[arg(long)]
        version: Option<i64>,
    },
    /// Remove some
    Remove {
        /// Their name
        name: String,
    },
}

pub(crate) async fn run(client: &Client, command: MatchPresetCommand, output: Output) -> anyhow::Result<()> {
    match command {
        MatchPresetCommand::List => {
            let presets = client.list_match_presets().await?.presets;
            output.many(&["name", "version", "updated_at", "terms"], &presets)
        }
        MatchPresetCommand::Set { name, terms, version } => {
            let terms = serde_json::from_value(Value::Object(read_args(Some(&terms))?))
                .map_err(|error| usage(format!("--terms: {error}")))?;
            let new = types::NewMatchPreset { terms, version };
            output.one(&client.set_match_preset(&name, &new).await?)
        }
        MatchPresetCommand::Remove { name } => {
            client.remove_match_preset(&name).await?;
            output.said("Removed.", &json!({ "name": name }))
        }
    }
}
