//! `crewline operations`: what `crewline bulk` has begun.

use clap::{Args, Subcommand};
use client::{Client, ListBulkOperationsQuery, types};
use futures::{StreamExt, TryStreamExt};

use crate::output::Output;

/// `crewline operations`.
#[derive(Debug, Subcommand)]
pub(crate) enum OperationCommand {
    /// List them, newest first
    List {
        /// The most to list
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// How far one is
    Show(OperationArgs),
    /// Hold one; the batch that runs is done first
    Pause(OperationArgs),
    /// Let one go on where it was held
    Resume(OperationArgs),
    /// Stop one; what was done stays done
    Stop(OperationArgs),
    /// Let one begin that waits for a second person. Takes a key that was made for somebody else than who asked
    Confirm(OperationArgs),
    /// Take back what one changed
    Undo(OperationArgs),
}

/// An operation.
#[derive(Debug, Args)]
pub(crate) struct OperationArgs {
    /// The operation
    id: String,
}

pub(crate) async fn run(client: &Client, command: OperationCommand, output: Output) -> anyhow::Result<()> {
    let operation = match command {
        OperationCommand::List { limit } => {
            let all = client.all_bulk_operations(ListBulkOperationsQuery::default()).take(limit);
            let operations: Vec<types::BulkOperation> = all.try_collect().await?;
            let columns = ["id", "action", "state", "changed", "matched", "requested_by", "created_at"];
            return output.many(&columns, &operations);
        }
        OperationCommand::Show(one) => client.get_bulk_operation(&one.id).await?,
        OperationCommand::Pause(one) => client.pause_bulk_operation(&one.id).await?,
        OperationCommand::Resume(one) => client.resume_bulk_operation(&one.id).await?,
        OperationCommand::Stop(one) => client.cancel_bulk_operation(&one.id).await?,
        OperationCommand::Confirm(one) => client.confirm_bulk_operation(&one.id).await?,
        OperationCommand::Undo(one) => client.undo_bulk_operation(&one.id).await?,
    };
    output.one(&operation)
}
