//! `crewline errors`.

use clap::{Args, Subcommand};
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
    /// Under which versions of the program it failed, the latest seen first
    Versions {
        /// The group: its fingerprint, as the list shows it
        fingerprint: String,
    },
    /// Run every job again that was given up with an error
    Retry {
        /// The group: its fingerprint, as the list shows it
        fingerprint: String,
        #[command(flatten)]
        how: HowArgs,
    },
    /// Say that it is mended; it comes back when it fails again
    Resolve(SayArgs),
    /// Say that it may stay
    Ignore(SayArgs),
    /// Say that it is to be looked at
    Reopen(SayArgs),
    /// Give it to somebody to look after
    Assign {
        /// The group: its fingerprint, as the list shows it
        fingerprint: String,
        /// The address of somebody who steers this tenant's work; whom the key was made for unless given
        #[arg(long, value_name = "EMAIL")]
        to: Option<String>,
        /// Give it to nobody
        #[arg(long, conflicts_with = "to")]
        nobody: bool,
    },
}

/// What is said of a group.
#[derive(Debug, Args)]
pub(crate) struct SayArgs {
    /// The group: its fingerprint, as the list shows it
    fingerprint: String,
    /// Why
    #[arg(long)]
    note: Option<String>,
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
        ErrorCommand::Versions { fingerprint } => {
            let versions = client.list_error_versions(&fingerprint).await?.versions;
            output.many(&["version", "failures", "first_at", "last_at"], &versions)?;
        }
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
        ErrorCommand::Resolve(args) => say(client, "resolved", args, output).await?,
        ErrorCommand::Ignore(args) => say(client, "ignored", args, output).await?,
        ErrorCommand::Reopen(args) => say(client, "open", args, output).await?,
        ErrorCommand::Assign { fingerprint, nobody: true, .. } => {
            output.one(&client.unassign_error_group(&fingerprint).await?)?;
        }
        ErrorCommand::Assign { fingerprint, to, nobody: false } => {
            let to = types::ErrorAssignee { email: to };
            output.one(&client.assign_error_group(&fingerprint, &to).await?)?;
        }
    }
    Ok(Ending::Done)
}

async fn say(client: &Client, state: &str, args: SayArgs, output: Output) -> anyhow::Result<()> {
    let said = types::ErrorJudgement { state: state.to_owned(), note: args.note };
    output.one(&client.judge_error_group(&args.fingerprint, &said).await?)
}
