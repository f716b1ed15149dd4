//! Webhooks of providers about our own messages: what is to be noted of them, or why nothing can be.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use jobs::{Channel, Failure, Outcome, failure::Problem};
use notify::{Cost, Fate, Heard, Keyword, Report, hear, is_amazon_subscription};
use serde_json::Value;
use store::{
    inbox::{Event, Feeding},
    messages::{self, Feedback, Known},
    parties::{self, Answered},
    verdict::Write,
};
use telemetry::metrics as names;

use crate::cx::Cx;

/// How soon a message is looked for again whose provider tells of it before we wrote down its name.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How long it is looked for.
const LOOK_FOR: TimeDelta = TimeDelta::minutes(5);
/// Bytes read of Amazon's answer to a visit.
const VISIT_BYTES_MAX: usize = 4 * 1024;

/// What comes of a provider's word.
pub(crate) enum Noted {
    /// This is written with the verdict; there may be nothing.
    Well(Vec<Write>),
    /// Somebody has to look at it, for this reason.
    Parked(String),
}

/// Listens to what the source of `event` says of our messages.
pub(crate) async fn listen(cx: &Cx<'_>, feeding: &Feeding, event: &Event, body: &Value) -> Outcome<Noted> {
    if let Some(topic) = &feeding.topic
        && body.get("TopicArn").and_then(Value::as_str) != Some(topic.as_str())
    {
        return Ok(Noted::Parked("it comes by another topic than the one that is believed".to_owned()));
    }
    match hear(feeding.channel, body) {
        Ok(Heard::Fate(report)) => fate(cx, feeding, event, report).await,
        Ok(Heard::Answer { from, keyword }) => answer(cx, feeding, from, keyword).await,
        Ok(Heard::Subscription { url, .. }) => Ok(subscribe(cx, feeding, &url).await),
        Ok(Heard::Nothing) => Ok(Noted::Well(Vec::new())),
        Err(unread) => Ok(Noted::Parked(unread.to_string())),
    }
}

async fn fate(cx: &Cx<'_>, feeding: &Feeding, event: &Event, report: Report) -> Outcome<Noted> {
    let (db, tenant) = (&cx.deps.db, cx.tenant());
    let provider_id = report.provider_id.as_deref();
    let known = messages::find_sent(db, tenant, feeding.channel, report.message, provider_id).await?;
    let message = match known {
        Known::Message(message) => message,
        Known::PerhapsSoon if Utc::now() - event.received_at < LOOK_FOR => {
            let why = "it may be about a message that is being sent at this moment";
            return Err(Failure::Snooze { wait: LOOK_AGAIN, problem: Problem::new("sending", why) });
        }
        Known::PerhapsSoon | Known::Never => {
            return Ok(Noted::Parked("it is about a message that was never sent from here".to_owned()));
        }
    };
    let cost = cost(cx, feeding.channel, &report).await;
    let state = report.fate.state();
    metrics::counter!(names::MESSAGES_TOTAL, names::LABEL_OUTCOME => state).increment(1);
    Ok(Noted::Well(vec![Write::Feedback(Box::new(Feedback {
        message,
        state,
        suppression: report.fate.suppression(),
        provider_id: report.provider_id,
        detail: report.detail,
        cost: cost.map(|cost| (cost.amount, cost.currency)),
        source: said_by(feeding),
    }))]))
}

/// What a message cost: as it was told, or as its carrier says when asked once it has arrived or come back.
async fn cost(cx: &Cx<'_>, channel: Channel, report: &Report) -> Option<Cost> {
    match (&report.cost, &report.provider_id) {
        (None, Some(name)) if report.fate != Fate::Sent => cx.deps.senders.cost(channel, name).await,
        (cost, _) => cost.clone(),
    }
}

async fn answer(cx: &Cx<'_>, feeding: &Feeding, from: String, keyword: Option<Keyword>) -> Outcome<Noted> {
    if !parties::has_address(&cx.deps.db, cx.tenant(), Channel::Sms, &from).await? {
        return Ok(Noted::Parked("nobody is known who has this number".to_owned()));
    }
    let stops = match keyword {
        Some(Keyword::Stop) => true,
        Some(Keyword::Start) => false,
        // The carrier answers it.
        Some(Keyword::Help) => return Ok(Noted::Well(Vec::new())),
        None => return Ok(Noted::Parked("it is no keyword: a person should read it".to_owned())),
    };
    Ok(Noted::Well(vec![Write::Answered(Answered { address: from, stops, source: said_by(feeding) })]))
}

/// Visits what Amazon wants visited, if the source believes the topic and the address is Amazon's.
async fn subscribe(cx: &Cx<'_>, feeding: &Feeding, url: &str) -> Noted {
    if feeding.topic.is_none() || !is_amazon_subscription(url) {
        let why =
            "a topic wants to be subscribed to; SubscribeURL in the body is to be opened, if you know it";
        return Noted::Parked(why.to_owned());
    }
    match cx.deps.outbound.get(url, VISIT_BYTES_MAX).await {
        Ok(answer) if (200..300).contains(&answer.status) => {
            tracing::info!(tenant.id = %cx.tenant(), "Subscribed to a topic of Amazon SNS");
            Noted::Well(Vec::new())
        }
        Ok(answer) => {
            Noted::Parked(format!("the topic was not subscribed to: Amazon answered {}", answer.status))
        }
        Err(error) => Noted::Parked(format!("the topic was not subscribed to: {error}; replay the event")),
    }
}

/// As it stands beside what was said about an address.
fn said_by(feeding: &Feeding) -> String {
    format!("webhook source {}", feeding.name)
}
