//! `crewline keys`.

use clap::Subcommand;
use client::{Client, ListKeysQuery, ListTenantKeysQuery, types};
use futures::{StreamExt, TryStreamExt};

use crate::output::Output;

/// The most keys that are listed.
const LISTED_MAX: usize = 1_000;

/// `crewline keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List them, newest first; without their secrets
    List(PlaceArgs),
    /// Make one and print it, once
    Add {
        /// What it is for, for people
        name: String,
        /// What it may do: jobs:write, jobs:read, payloads:read, private:read, queue:operate or admin; may be given several times
        #[arg(long = "scope", required = true)]
        scopes: Vec<String>,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Revoke one; servers stop taking it within 10 seconds
    Revoke {
        /// The key: its id
        id: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// Whose keys.
#[derive(Debug, clap::Args)]
pub(crate) struct PlaceArgs {
    /// Of another tenant: its short name. Takes a key that runs the installation
    #[arg(long)]
    tenant: Option<String>,
}

pub(crate) async fn run(client: &Client, command: KeyCommand, output: Output) -> anyhow::Result<()> {
    match command {
        KeyCommand::List(PlaceArgs { tenant }) => {
            let keys: Vec<types::Key> = match tenant {
                Some(tenant) => {
                    let all = client.all_tenant_keys(&tenant, ListTenantKeysQuery::default());
                    all.take(LISTED_MAX).try_collect().await?
                }
                None => client.all_keys(ListKeysQuery::default()).take(LISTED_MAX).try_collect().await?,
            };
            output.many(&["id", "prefix", "name", "scopes", "last_used_at", "revoked_at"], &keys)
        }
        KeyCommand::Add { name, scopes, place } => {
            let new = types::NewKey { name, scopes };
            let made = match place.tenant {
                Some(tenant) => client.create_tenant_key(&tenant, &new).await?,
                None => client.create_key(&new).await?,
            };
            // An answer that was given before has it no more.
            let text = made.key.as_deref().unwrap_or("it was made before, and is shown no more");
            output.said(text, &made)
        }
        KeyCommand::Revoke { id, place } => {
            match place.tenant {
                Some(tenant) => client.revoke_tenant_key(&tenant, &id).await?,
                None => client.revoke_key(&id).await?,
            }
            output.said("Revoked.", &serde_json::json!({ "id": id }))
        }
    }
}
