//! `crewline webhooks`: what comes in and what goes out.

use chrono::{DateTime, Utc};
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
    /// Send again what an endpoint missed, or all that fits
    Recover(RecoverArgs),
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
    /// Process every event again that fits, oldest first
    ReplayRange {
        /// The source
        source: String,
        /// Only in this state: received, processed, parked or superseded; the last are meant only where it is said
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        range: RangeArgs,
    },
}

/// What happened when.
#[derive(Debug, Args)]
pub(crate) struct RangeArgs {
    /// Only of exactly this type
    #[arg(long)]
    event_type: Option<String>,
    /// Not before, such as 2026-11-22T04:15:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Before
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
}

/// What is sent again.
#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// The endpoint
    endpoint: String,
    /// What happened before is left out, such as 2026-11-22T04:15:00Z
    #[arg(long, value_name = "TIME")]
    since: DateTime<Utc>,
    /// And what happened from then on
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// Only of exactly this type
    #[arg(long)]
    event_type: Option<String>,
    /// failed, which was given up, or delivered, which got through
    #[arg(long, default_value = "failed")]
    state: String,
}

/// Of what, and how many.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The endpoint or the source
    id: String,
    /// Only in this state: of deliveries pending, delivered or failed; of events received, processed, parked or superseded
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    range: RangeArgs,
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
        WebhookCommand::Deliveries(ListArgs { id, state, range, limit }) => {
            let RangeArgs { event_type, since, until } = range;
            let query = ListWebhookDeliveriesQuery { state, event_type, since, until, ..Default::default() };
            let all = client.all_webhook_deliveries(&id, query).take(limit);
            let deliveries: Vec<types::WebhookDelivery> = all.try_collect().await?;
            output.many(&["id", "event_type", "subject", "state", "attempts", "happened_at"], &deliveries)
        }
        WebhookCommand::Resend { endpoint, delivery } => {
            client.resend_webhook_delivery(&endpoint, &delivery).await?;
            output.said("It is sent again.", &json!({ "id": delivery }))
        }
        WebhookCommand::Recover(args) => recover(client, args, output).await,
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
        WebhookCommand::Events(ListArgs { id, state, range, limit }) => {
            let RangeArgs { event_type, since, until } = range;
            let query = ListWebhookEventsQuery { state, event_type, since, until, ..Default::default() };
            let all = client.all_webhook_events(&id, query).take(limit);
            let events: Vec<types::WebhookEvent> = all.try_collect().await?;
            output.many(&["id", "event_type", "state", "received_at", "replays", "reason"], &events)
        }
        WebhookCommand::Replay { source, event } => {
            output.one(&client.replay_webhook_event(&source, &event).await?)
        }
        WebhookCommand::ReplayRange { source, state, range } => {
            replay(client, &source, state, range, output).await
        }
    }
}

/// As many at a time as one request takes, until all are sent.
async fn recover(client: &Client, args: RecoverArgs, output: Output) -> anyhow::Result<()> {
    let RecoverArgs { endpoint, since, until, event_type, state } = args;
    let mut wanted = types::WebhookRecovery { since, until, event_type, state: Some(state), after: None };
    let mut messages = 0;
    loop {
        let told = client.recover_webhook_deliveries(&endpoint, &wanted).await?;
        messages += told.messages;
        wanted.after = told.next;
        if wanted.after.is_none() {
            let said = format!("{messages} {} sent again.", if messages == 1 { "is" } else { "are" });
            return output.said(&said, &json!({ "messages": messages }));
        }
    }
}

async fn replay(
    client: &Client,
    source: &str,
    state: Option<String>,
    range: RangeArgs,
    output: Output,
) -> anyhow::Result<()> {
    let RangeArgs { event_type, since, until } = range;
    let mut wanted = types::WebhookReplay { state, event_type, since, until, after: None };
    let mut events = 0;
    loop {
        let replayed = client.replay_webhook_events(source, &wanted).await?;
        events += replayed.events.len();
        wanted.after = replayed.next;
        if wanted.after.is_none() {
            let said = format!("{events} {} processed again.", if events == 1 { "is" } else { "are" });
            return output.said(&said, &json!({ "events": events }));
        }
    }
}
