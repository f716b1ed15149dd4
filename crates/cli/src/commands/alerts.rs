//! `crewline alerts`: what people were alerted to, and the rules that say of what.

use clap::{Args, Subcommand};
use client::{Client, ListAlertsQuery, types};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use crate::output::Output;

/// `crewline alerts`.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// What people were alerted to, newest first; the same as nothing
    List {
        /// The most to list
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// The rules and how each stands
    Rules,
    /// One rule
    Show {
        /// Its name
        name: String,
    },
    /// Set a rule, in place of what it was
    Set(SetArgs),
    /// Remove a rule
    Remove {
        /// Its name
        name: String,
    },
}

/// `crewline alerts set`.
#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// Its name
    name: String,
    /// What is measured: queue_age, error_rate, dead_letters, silent_workers or needs_dispatch
    #[arg(long)]
    measure: String,
    /// From which number on something is wrong
    #[arg(long)]
    threshold: i64,
    /// Only this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only this kind
    #[arg(long)]
    kind: Option<String>,
    /// How many seconds to look back
    #[arg(long, value_name = "SECONDS")]
    window: Option<i64>,
    /// For how many seconds it has to be wrong before it fires
    #[arg(long, value_name = "SECONDS")]
    fire_after: Option<i64>,
    /// For how many seconds it has to be well before it is over
    #[arg(long, value_name = "SECONDS")]
    resolve_after: Option<i64>,
    /// A party who is told; give it several times for several
    #[arg(long = "tell", value_name = "PARTY")]
    recipients: Vec<String>,
}

pub(crate) async fn run(
    client: &Client,
    command: Option<AlertCommand>,
    output: Output,
) -> anyhow::Result<()> {
    match command.unwrap_or(AlertCommand::List { limit: 50 }) {
        AlertCommand::List { limit } => {
            let all = client.all_alerts(ListAlertsQuery::default()).take(limit);
            let alerts: Vec<types::Alert> = all.try_collect().await?;
            output.many(&["rule", "queue", "kind", "value", "threshold", "fired_at", "resolved_at"], &alerts)
        }
        AlertCommand::Rules => {
            let rules = client.list_alert_rules().await?.rules;
            output.many(&["name", "measure", "queue", "kind", "threshold", "state", "value"], &rules)
        }
        AlertCommand::Show { name } => output.one(&client.get_alert_rule(&name).await?),
        AlertCommand::Set(args) => {
            let rule = types::AlertRule {
                measure: args.measure,
                threshold: args.threshold,
                queue: args.queue,
                kind: args.kind,
                window_s: args.window,
                fire_after_s: args.fire_after,
                resolve_after_s: args.resolve_after,
                recipients: Some(args.recipients),
            };
            output.one(&client.set_alert_rule(&args.name, &rule).await?)
        }
        AlertCommand::Remove { name } => {
            client.remove_alert_rule(&name).await?;
            output.said("Removed.", &json!({ "name": name }))
        }
    }
}
