//! `crewline four-eyes`.

use clap::Subcommand;
use client::{Client, types};
use serde_json::json;

use crate::output::Output;

/// `crewline four-eyes`.
#[derive(Debug, Subcommand)]
pub(crate) enum FourEyesCommand {
    /// From how many jobs on cancelling or discarding them takes two people
    Show,
    /// Set that
    Set {
        /// Throwing away more jobs than this waits for a second person
        more_than: i64,
    },
    /// Let one person be enough
    Off,
}

pub(crate) async fn run(client: &Client, command: FourEyesCommand, output: Output) -> anyhow::Result<()> {
    match command {
        FourEyesCommand::Show => output.one(&client.get_four_eyes().await?),
        FourEyesCommand::Set { more_than } => {
            output.one(&client.set_four_eyes(&types::NewFourEyes { more_than }).await?)
        }
        FourEyesCommand::Off => {
            client.remove_four_eyes().await?;
            output.said("One person is enough.", &json!({}))
        }
    }
}
