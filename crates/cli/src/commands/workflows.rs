//! `crewline workflows`.

use clap::{Args, Subcommand};
use client::{Client, ListWorkflowsQuery, types};
use futures::{StreamExt, TryStreamExt};

use crate::output::Output;

/// `crewline workflows`.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkflowCommand {
    /// List them, newest first
    List {
        /// Only in this state: running, completed, failed or cancelled
        #[arg(long)]
        state: Option<String>,
        /// The most to list
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// One of them, with its steps
    Show(WorkflowArgs),
    /// Stop one with all its jobs
    Cancel(WorkflowArgs),
    /// Begin what failed of one again
    Retry(WorkflowArgs),
}

/// A workflow.
#[derive(Debug, Args)]
pub(crate) struct WorkflowArgs {
    /// The workflow
    id: String,
}

pub(crate) async fn run(client: &Client, command: WorkflowCommand, output: Output) -> anyhow::Result<()> {
    let workflow = match command {
        WorkflowCommand::List { state, limit } => {
            let query = ListWorkflowsQuery { state, ..ListWorkflowsQuery::default() };
            let workflows: Vec<types::Workflow> =
                client.all_workflows(query).take(limit).try_collect().await?;
            return output.many(&["id", "name", "state", "percent", "created_at", "finished_at"], &workflows);
        }
        WorkflowCommand::Show(one) => client.get_workflow(&one.id).await?,
        WorkflowCommand::Cancel(one) => client.cancel_workflow(&one.id).await?,
        WorkflowCommand::Retry(one) => client.retry_workflow(&one.id).await?,
    };
    output.one(&workflow)
}
