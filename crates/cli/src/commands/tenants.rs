//! `crewline tenants`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use client::{Client, ListTenantsQuery, types};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use crate::output::Output;

/// The most tenants that are listed.
const LISTED_MAX: usize = 10_000;

/// `crewline tenants`.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// List them, newest first
    List,
    /// One of them
    Show {
        /// Its short name
        slug: String,
    },
    /// Make one, or change the one with this short name
    Set {
        /// Its short name: lower-case letters, digits and dashes
        slug: String,
        /// Its long name
        #[arg(long)]
        name: String,
        /// What it counts in a queue, such as media=2; may be given several times
        #[arg(long = "weight", value_name = "QUEUE=WEIGHT", value_parser = weight)]
        weights: Vec<(String, f64)>,
    },
    /// Which have more of a queue for a while, or less
    Weighed,
    /// Give one more of a queue for a while, or less
    Weigh {
        #[command(flatten)]
        share: ShareArgs,
        /// What it counts there: twice the weight is twice the jobs while others wait too
        weight: f64,
        /// For how long; then it counts as usual
        #[arg(long)]
        minutes: i64,
    },
    /// Let one count as usual again before its time
    Unweigh(ShareArgs),
}

/// What a tenant has of a queue.
#[derive(Debug, Args)]
pub(crate) struct ShareArgs {
    /// The tenant's short name
    slug: String,
    /// The queue, such as media
    queue: String,
}

fn weight(text: &str) -> Result<(String, f64), String> {
    let (queue, number) = text.split_once('=').ok_or("a queue and a number, such as media=2")?;
    let number = number.parse().map_err(|_| format!("{number:?} is no number"))?;
    Ok((queue.to_owned(), number))
}

pub(crate) async fn run(client: &Client, command: TenantCommand, output: Output) -> anyhow::Result<()> {
    match command {
        TenantCommand::List => {
            let all = client.all_tenants(ListTenantsQuery::default()).take(LISTED_MAX);
            let tenants: Vec<types::Tenant> = all.try_collect().await?;
            output.many(&["slug", "name", "weights", "created_at", "id"], &tenants)
        }
        TenantCommand::Show { slug } => output.one(&client.get_tenant(&slug).await?),
        TenantCommand::Set { slug, name, weights } => {
            let weights: BTreeMap<String, f64> = weights.into_iter().collect();
            let new = types::NewTenant { name, weights: Some(weights) };
            let tenant = client.set_tenant(&slug, &new).await?;
            output.said(&tenant.id, &tenant)
        }
        TenantCommand::Weighed => {
            let weights = client.list_tenant_weights().await?.weights;
            output.many(&["tenant", "queue", "weight", "usual_weight", "until"], &weights)
        }
        TenantCommand::Weigh { share: ShareArgs { slug, queue }, weight, minutes } => {
            let new = types::NewTenantWeight { weight, minutes };
            output.one(&client.weigh_tenant(&slug, &queue, &new).await?)
        }
        TenantCommand::Unweigh(ShareArgs { slug, queue }) => {
            client.weigh_tenant_as_usual(&slug, &queue).await?;
            output.said("It counts as usual.", &json!({ "tenant": slug, "queue": queue }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn a_weight_is_a_queue_and_a_number() {
        assert_eq!(weight("media=2.5"), Ok(("media".to_owned(), 2.5)));
        assert!(weight("media").is_err() && weight("media=much").is_err());
    }
}
