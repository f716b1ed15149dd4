//! `crewline webhooks`: what comes in and what goes out.

use clap::{Args, Subcommand};
use client::{Client, ListWebhookDeliveriesQuery, ListWebhookEventsQuery, types};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use crate::output::Output;

/// `crewline webhooks`.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Where webhooks go out to
    Endpoints,
    /// What was sent to an endpoint, newest first
    Deliveries(ListArgs),
    /// Send a delivery again
    Resend {
        /// The endpoint
        endpoint: String,
        /// The delivery
        delivery: String,
    },
    /// Send a test to an endpoint; prints the delivery
    Test {
        /// The endpoint
        endpoint: String,
    },
    /// Let an endpoint have webhooks again
    Enable {
        /// The endpoint
        endpoint: String,
    },
    /// Send nothing more to an endpoint
    Disable {
        /// The endpoint
        endpoint: String,
    },
    /// Where webhooks come in from
    Sources,
    /// What came in from a source, newest first
    Events(ListArgs),
    /// Process an event again
    Replay {
        /// The source
        source: String,
        /// The event
        event: String,
    },
}

/// Of what, and how many.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The endpoint or the source
    id: String,
    /// Only in this state: of deliveries pending, delivered or failed; of events received, processed, parked or superseded
    #[arg(long)]
    state: Option<String>,
    /// The most to list
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(crate) async fn run(client: &Client, command: WebhookCommand, output: Output) -> anyhow::Result<()> {
    match command {
        WebhookCommand::Endpoints => {
            let endpoints = client.list_webhook_endpoints().await?.endpoints;
            output.many(&["id", "url", "state", "failing_since", "disabled_reason"], &endpoints)
        }
        WebhookCommand::Deliveries(ListArgs { id, state, limit }) => {
            let query = ListWebhookDeliveriesQuery { state, ..ListWebhookDeliveriesQuery::default() };
            let all = client.all_webhook_deliveries(&id, query).take(limit);
            let deliveries: Vec<types::WebhookDelivery> = all.try_collect().await?;
            output.many(&["id", "event_type", "subject", "state", "attempts", "happened_at"], &deliveries)
        }
        WebhookCommand::Resend { endpoint, delivery } => {
            client.resend_webhook_delivery(&endpoint, &delivery).await?;
            output.said("It is sent again.", &json!({ "id": delivery }))
        }
        WebhookCommand::Test { endpoint } => {
            let test = client.test_webhook_endpoint(&endpoint).await?;
            output.said(&test.delivery, &test)
        }
        WebhookCommand::Enable { endpoint } => output.one(&client.enable_webhook_endpoint(&endpoint).await?),
        WebhookCommand::Disable { endpoint } => {
            output.one(&client.disable_webhook_endpoint(&endpoint).await?)
        }
        WebhookCommand::Sources => {
            let sources = client.list_webhook_sources().await?.sources;
            output.many(&["id", "name", "state", "refusals", "url"], &sources)
        }
        WebhookCommand::Events(ListArgs { id, state, limit }) => {
            let query = ListWebhookEventsQuery { state, ..ListWebhookEventsQuery::default() };
            let all = client.all_webhook_events(&id, query).take(limit);
            let events: Vec<types::WebhookEvent> = all.try_collect().await?;
            output.many(&["id", "event_type", "state", "received_at", "replays", "reason"], &events)
        }
        WebhookCommand::Replay { source, event } => {
            output.one(&client.replay_webhook_event(&source, &event).await?)
        }
    }
}
