//! `crewline errors`.

use clap::Subcommand;
use client::{Client, types};

use super::bulk::{self, HowArgs};
use crate::{ending::Ending, output::Output};

/// `crewline errors`.
#[derive(Debug, Subcommand)]
pub(crate) enum ErrorCommand {
    /// What failed in the last seven days, alike ones together, the latest first
    List,
    /// One group
    Show {
        /// Its fingerprint, as the list shows it
        fingerprint: String,
    },
    /// Run every job again that was given up with an error
    Retry {
        /// The group: its fingerprint, as the list shows it
        fingerprint: String,
        #[command(flatten)]
        how: HowArgs,
    },
}

pub(crate) async fn run(client: &Client, command: ErrorCommand, output: Output) -> anyhow::Result<Ending> {
    match command {
        ErrorCommand::List => {
            let errors = client.list_errors().await?.errors;
            let columns =
                ["fingerprint", "kind", "code", "failures", "given_up", "state", "last_at", "last_job"];
            output.many(&columns, &errors)?;
        }
        ErrorCommand::Show { fingerprint } => output.one(&client.get_error_group(&fingerprint).await?)?,
        ErrorCommand::Retry { fingerprint, how } => {
            let types::GivenUp { states, kind, error_code } =
                client.get_error_group(&fingerprint).await?.given_up_filter;
            let filter = types::BulkFilter {
                states,
                kind: Some(kind),
                error_code: Some(error_code),
                ..types::BulkFilter::default()
            };
            let new = types::NewBulkOperation {
                action: "retry".to_owned(),
                filter,
                priority: None,
                expected_count: None,
                dry_run: None,
            };
            return bulk::begin(client, new, &how, output).await;
        }
    }
    Ok(Ending::Done)
}
