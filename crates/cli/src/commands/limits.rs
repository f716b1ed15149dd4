//! `crewline limits`.

use clap::{Args, Subcommand};
use client::{Client, types};
use serde_json::json;

use crate::output::Output;

/// `crewline limits`.
#[derive(Debug, Subcommand)]
pub(crate) enum LimitCommand {
    /// The limits and how much of each is in use; the same as nothing
    List,
    /// Set one, in place of what it was
    Set(SetArgs),
    /// Remove one
    Remove {
        /// Its name
        name: String,
    },
}

/// `crewline limits set`.
#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// Its name
    name: String,
    /// Only jobs of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only jobs of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only jobs with this concurrency key; with * at its end every key that begins so has the limit to itself
    #[arg(long)]
    key: Option<String>,
    /// Jobs that may run at once
    #[arg(long, required_unless_present = "rate")]
    concurrency: Option<i64>,
    /// Jobs that may begin in so many seconds, such as 100/60
    #[arg(long, value_name = "COUNT/SECONDS", value_parser = rate)]
    rate: Option<(i64, f64)>,
}

fn rate(text: &str) -> Result<(i64, f64), String> {
    let numbers = text.split_once('/').and_then(|(count, s)| Some((count.parse().ok()?, s.parse().ok()?)));
    numbers.ok_or_else(|| "a count and seconds, such as 100/60".to_owned())
}

pub(crate) async fn run(
    client: &Client,
    command: Option<LimitCommand>,
    output: Output,
) -> anyhow::Result<()> {
    match command.unwrap_or(LimitCommand::List) {
        LimitCommand::List => {
            let limits = client.list_limits().await?.limits;
            output.many(&["name", "queue", "kind", "key", "concurrency", "rate", "in_use"], &limits)
        }
        LimitCommand::Set(SetArgs { name, queue, kind, key, concurrency, rate }) => {
            let rate =
                rate.map(|(count, period_s)| types::Rate { algorithm: None, burst: None, count, period_s });
            let limit = types::Limit { queue, kind, key, concurrency, rate };
            output.one(&client.set_limit(&name, &limit).await?)
        }
        LimitCommand::Remove { name } => {
            client.remove_limit(&name).await?;
            output.said("Removed.", &json!({ "name": name }))
        }
    }
}

/// `crewline quotas`: what is left of each limit that one key or queue has to itself.
pub(crate) async fn quotas(client: &Client, output: Output) -> anyhow::Result<()> {
    let quotas = client.list_quotas().await?.quotas;
    let columns =
        ["limit", "queue", "kind", "key", "running", "places_left", "starts_left", "next_at", "used_up"];
    output.many(&columns, &quotas)
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn a_rate_is_a_count_in_seconds() {
        assert_eq!(rate("100/0.5"), Ok((100, 0.5)));
        assert!(rate("100").is_err() && rate("many/60").is_err() && rate("1.5/60").is_err());
    }
}
