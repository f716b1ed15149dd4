//! `crewline messages`: what people were told, and what became of that of which nobody knows.

use clap::{Subcommand, ValueEnum};
use client::{
    Client, ListMessagesQuery,
    types::{self, Finding},
};
use futures::{StreamExt, TryStreamExt};

use crate::output::Output;

/// `crewline messages`.
#[derive(Debug, Subcommand)]
pub(crate) enum MessageCommand {
    /// List them, newest first
    List {
        /// Only in this state; unknown are those that somebody has to resolve
        #[arg(long)]
        state: Option<String>,
        /// Only to this party
        #[arg(long)]
        party: Option<String>,
        /// The most to list
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Look at one, with its tries
    Show {
        /// The message
        id: String,
    },
    /// Say what became of one of which nobody knows whether it arrived
    Resolve {
        /// The message
        id: String,
        /// What you found
        outcome: Found,
    },
}

/// What somebody found out.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Found {
    /// It arrived
    Sent,
    /// It did not: it is sent again
    SendAgain,
    /// It did not, and is not needed any more
    GiveUp,
}

pub(crate) async fn run(client: &Client, command: MessageCommand, output: Output) -> anyhow::Result<()> {
    match command {
        MessageCommand::List { state, party, limit } => {
            let query = ListMessagesQuery { state, party, ..ListMessagesQuery::default() };
            let messages: Vec<types::Message> = client.all_messages(query).take(limit).try_collect().await?;
            output.many(&["id", "party", "channel", "template", "state", "scheduled_at"], &messages)
        }
        MessageCommand::Show { id } => output.one(&client.get_message(&id).await?),
        MessageCommand::Resolve { id, outcome } => {
            let outcome = match outcome {
                Found::Sent => Finding::Sent,
                Found::SendAgain => Finding::SendAgain,
                Found::GiveUp => Finding::GiveUp,
            };
            output.one(&client.resolve_message(&id, &types::MessageResolution { outcome }).await?)
        }
    }
}
